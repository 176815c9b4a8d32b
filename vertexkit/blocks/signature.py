"""A handler's signature: the contract of its block."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic_core import from_json, to_json

from vertexkit.context.context import Context
from vertexkit.context.sync import SyncContext
from vertexkit.errors import DefinitionError

Handler = Callable[..., Any]
SHAPE = "Its first parameter is the context, then one pydantic model or plain typed parameters: "
EXAMPLE = "async def loan(ctx: Context, request: Loan) -> Offer"
FIELD = "input_"
"""Before a plain parameter's name, in its model: the model has methods called `copy` and `json`."""


ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


class BadResult(Exception):
    """A result that cannot be sent; says why."""


def where(fn: Handler) -> str:
    """`file:line` of a function, for messages."""
    code = getattr(inspect.unwrap(fn), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(fn)


def dump(shape: TypeAdapter[Any], value: Any, limit: int) -> bytes:
    """A result as JSON, of at most `limit` bytes.

    The platform takes an object or null; anything else becomes `{"result": ...}`.

    Raises:
        BadResult: it does not fit its annotation, cannot be put into JSON, or is too large.
    """
    try:
        valid = shape.validate_python(value)
        data = shape.dump_json(valid)
        _refuse_nan(shape, valid, data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "result"
        reason = f"it does not fit the return annotation ({place}: {first['msg']})"
    except Exception as error:  # noqa: BLE001 - the author's validators and serializers too
        reason = f"it cannot be put into JSON: {str(error)[:200]}"
    else:
        if not data.startswith(b"{") and data != b"null":
            data = b'{"result":%b}' % data
        if len(data) <= limit:
            return data
        reason = f"its JSON has {len(data)} bytes, {limit} are allowed"
    raise BadResult(reason)


def _refuse_nan(shape: TypeAdapter[Any], value: Any, data: bytes) -> None:
    """JSON has no NaN and no infinity; pydantic would quietly send null in their place."""
    if b"null" in data:
        plain = shape.dump_python(value)
        data = to_json(
            plain, inf_nan_mode="constants", bytes_mode="base64", fallback=lambda _: None
        )
    if b"NaN" in data or b"Infinity" in data:
        try:
            from_json(data, allow_inf_nan=False)
        except ValueError:
            raise ValueError("JSON has no NaN and no infinity") from None


@dataclass(frozen=True, slots=True)
class Signature:
    """What a handler takes and gives."""

    handler: Handler
    is_async: bool
    model: type[BaseModel]
    """Validates the inputs: the author's model, or one made of the plain parameters."""
    takes_model: bool
    """Whether the handler takes the model as it is, or its fields as keyword arguments."""
    result: TypeAdapter[Any]
    early: TypeAdapter[Any]
    """What `ctx.complete` takes: the result, or anything if the handler returns nothing."""

    def read(self, inputs: Mapping[str, Any]) -> BaseModel:
        """Validate the inputs.

        Raises:
            ValidationError: pydantic's; its errors hold the inputs.
        """
        return self.model.model_validate(inputs)

    def call(self, context: Context | SyncContext, request: BaseModel) -> Any:
        """Call the handler; the coroutine of an `async def` one still has to be awaited."""
        if self.takes_model:
            return self.handler(context, request)
        inputs = request.__dict__.items()
        return self.handler(context, **{name.removeprefix(FIELD): each for name, each in inputs})

    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the inputs."""
        return self.model.model_json_schema()

    def result_schema(self) -> dict[str, Any]:
        """JSON Schema of the result."""
        return self.result.json_schema(mode="serialization")


def read_signature(name: str, fn: Handler, namespace: Mapping[str, Any]) -> Signature:
    """Read what a handler takes and gives.

    Args:
        name: of the block.
        fn: the handler.
        namespace: the names visible where it is defined, for annotations that are text.

    Raises:
        DefinitionError: with file, line and mend.
    """
    at = f"{where(fn)}: block {name!r}"
    if inspect.isasyncgenfunction(fn) or inspect.isgeneratorfunction(fn):
        raise DefinitionError(f"{at}: a handler cannot `yield`; send with ctx.send_message(...)")
    hints = _hints(at, fn, namespace)
    parameters = list(inspect.signature(fn).parameters.values())
    is_async = inspect.iscoroutinefunction(fn)
    _check_context(at, parameters[:1], hints, is_async)
    model, takes_model = _read_inputs(at, name, parameters[1:], hints)
    result = _adapter(at, hints)
    early = ANYTHING if hints.get("return") is NoneType else result
    signature = Signature(fn, is_async, model, takes_model, result, early)
    _check_schemas(at, signature)
    return signature


def _hints(at: str, fn: Handler, namespace: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return get_type_hints(fn, localns=dict(namespace), include_extras=True)
    except (NameError, TypeError, SyntaxError) as error:
        raise DefinitionError(f"{at}: an annotation cannot be read: {error}") from None


def _check_context(
    at: str, first: list[inspect.Parameter], hints: Mapping[str, Any], is_async: bool
) -> None:
    kind = Context if is_async else SyncContext
    given = hints.get(first[0].name) if first else None
    positional = first and first[0].kind in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    if not positional or (given is None and first[0].name != "ctx"):
        raise DefinitionError(f"{at}: the handler takes no ctx. {SHAPE}{EXAMPLE}")
    if given in (Context, SyncContext) and given is not kind:
        form = "an `async def`" if is_async else "a `def`"
        raise DefinitionError(f"{at}: {form} handler takes a {kind.__name__} as ctx")
    if given not in (None, kind, Any):
        raise DefinitionError(f"{at}: its first parameter has to be ctx: {kind.__name__}")


def _read_inputs(
    at: str, name: str, parameters: list[inspect.Parameter], hints: Mapping[str, Any]
) -> tuple[type[BaseModel], bool]:
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise DefinitionError(f"{at}: *{parameter.name} cannot be an input. {SHAPE}{EXAMPLE}")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise DefinitionError(f"{at}: input {parameter.name!r} must not be positional-only")
        if parameter.name not in hints:
            raise DefinitionError(f"{at}: parameter {parameter.name!r} needs a type annotation")
        if parameter.name.startswith("_"):
            raise DefinitionError(f"{at}: input {parameter.name!r} must not begin with `_`")
    types = [hints[each.name] for each in parameters]
    if len(types) == 1 and isinstance(types[0], type) and issubclass(types[0], BaseModel):
        return types[0], True
    fields: Any = {
        FIELD + each.name: (hints[each.name], ... if each.default is each.empty else each.default)
        for each in parameters
    }
    config = ConfigDict(
        extra="ignore", alias_generator=lambda field_name: field_name.removeprefix(FIELD)
    )
    try:
        return create_model(name, __config__=config, **fields), False
    except (PydanticUserError, NameError, TypeError) as error:
        raise DefinitionError(
            f"{at}: its inputs cannot be read from JSON: {_first(error)}"
        ) from None


def _adapter(at: str, hints: Mapping[str, Any]) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(hints.get("return", Any))
    except PydanticUserError as error:
        raise DefinitionError(
            f"{at}: its result cannot be put into JSON: {_first(error)}"
        ) from None


def _check_schemas(at: str, signature: Signature) -> None:
    for what, schema in (
        ("inputs have", signature.input_schema),
        ("result has", signature.result_schema),
    ):
        try:
            schema()
        except PydanticUserError as error:
            raise DefinitionError(f"{at}: its {what} no JSON Schema: {_first(error)}") from None


def _first(error: Exception) -> str:
    return str(error).partition("\n")[0]
