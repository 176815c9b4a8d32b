"""A handler's signature: the contract of its block."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import NoneType, SimpleNamespace
from typing import Any, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic_core import to_json

from vertexkit.callables import (
    annotated,
    bound_keywords,
    innermost,
    is_coroutine_function,
    is_generator_function,
    where,
    why_unusable,
)
from vertexkit.context.context import Context
from vertexkit.context.sync import SyncContext
from vertexkit.core_schema import parts_of
from vertexkit.errors import DefinitionError
from vertexkit.serialization import ANYTHING, TooLarge, dump_json, reject_nan, serializable
from vertexkit.text import encodable

Handler = Callable[..., Any]
SIGNATURE_RULE = (
    "The first parameter is the context, followed by one pydantic model or plain typed "
    "parameters: async def loan(ctx: Context, request: Loan) -> Offer"
)
FIELD_PREFIX = "input_"
"""Prefix of a plain parameter's name in the generated model: pydantic models have methods called
`copy` and `json`, and an input may have the same name."""
JSON_TYPES = {"str", "int", "float", "bool"}
"""Types of pydantic that are as strict from JSON as in Python."""
ERROR_CHARACTERS = 200
"""Length at which a serializer's error is cut in a message."""


class BadResult(Exception):
    """A result that cannot be sent; the message has the reason."""


def dump(shape: TypeAdapter[Any], value: Any, limit: int) -> bytes:
    """Serialise a result to JSON for the platform, with the names of the schema: the aliases.

    The platform takes an object or null; any other value becomes `{"result": ...}`.

    Args:
        shape: Type of the result.
        value: The result.
        limit: Maximum size of the JSON in bytes.

    Raises:
        BadResult: The result does not match its annotation, cannot be serialised to JSON, or is
            too large.
    """
    try:
        valid = shape.validate_python(serializable(value, limit))
        data = dump_json(shape, valid, by_alias=True)
        reject_nan(shape, valid, data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "result"
        reason = f"it does not match the return annotation ({place}: {first['msg']})"
    except TooLarge as error:
        reason = str(error)
    except BaseException as error:  # noqa: BLE001 - an author's validators and serializers too
        reason = f"it cannot be serialised to JSON: {str(error)[:ERROR_CHARACTERS]}"
    else:
        if not data.startswith(b"{") and data != b"null":
            data = b'{"result":%b}' % data
        if len(data) <= limit:
            return data
        reason = f"its JSON has {len(data)} bytes; the limit is {limit}"
    raise BadResult(reason)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a handler takes and returns."""

    handler: Handler
    is_async: bool
    model: type[BaseModel]
    """Validates the inputs: the author's model, or one generated from the plain parameters."""
    takes_model: bool
    """Whether the handler takes the model itself, or its fields as keyword arguments."""
    result: TypeAdapter[Any]
    """Type of what the handler returns."""
    early: TypeAdapter[Any]
    """Type of what `ctx.complete` takes: the result, or any value if the handler is annotated to
    return None."""
    is_strict: bool = False
    """Whether a part of the inputs is strict, and accepts other values from JSON than in Python."""

    def read(self, inputs: Mapping[str, Any]) -> BaseModel:
        """Validate the inputs, as JSON has them: a strict model accepts what its JSON Schema says.

        Raises:
            ValidationError: The inputs do not fit. Its errors contain the inputs: never log it.
        """
        if self.is_strict:
            data = to_json(encodable(inputs), inf_nan_mode="constants", fallback=str)
            return self.model.model_validate_json(data)
        return self.model.model_validate(inputs)

    def call(self, context: Context | SyncContext, request: BaseModel) -> Any:
        """Call the handler. If it is `async def`, the caller awaits what is returned."""
        if self.takes_model:
            return self.handler(context, request)
        return self.handler(context, **_arguments(request))

    def request(self, validated: BaseModel) -> Any:
        """Return the inputs as an author's function takes them.

        They are the author's model, or an object with the plain parameters as attributes.
        """
        return validated if self.takes_model else SimpleNamespace(**_arguments(validated))

    def input_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the inputs."""
        return self.model.model_json_schema()

    def result_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the result."""
        return self.result.json_schema(mode="serialization")


def _arguments(request: BaseModel) -> dict[str, Any]:
    """Return the plain parameters of a handler, by their names."""
    return {name.removeprefix(FIELD_PREFIX): v for name, v in request.__dict__.items()}


def read_signature(name: str, fn: Handler, namespace: Mapping[str, Any]) -> Signature:
    """Read a handler's parameters and return annotation.

    Args:
        name: Name of the block.
        fn: The handler.
        namespace: Local names where the handler is defined, for annotations that are strings.

    Raises:
        DefinitionError: The signature is invalid; the message has the file, the line and how to
            fix it.
    """
    at = f"{where(fn)}: block {name!r}"
    if reason := why_unusable(fn):
        raise DefinitionError(f"{at}: a handler must be a function, got {reason}")
    if is_generator_function(fn):
        raise DefinitionError(
            f"{at}: a handler cannot `yield`; send messages with ctx.send_message(...)"
        )
    hints = _hints(at, fn, namespace)
    parameters = _free_parameters(at, fn)
    is_async = is_coroutine_function(fn)
    if not is_async and is_coroutine_function(innermost(fn)):
        raise DefinitionError(
            f"{at}: a decorator turns the `async def` handler into a `def`; write the decorator's "
            "wrapper with `async def` and `await`"
        )
    _check_context(at, parameters[:1], hints, is_async)
    model, takes_model = _read_inputs(at, name, parameters[1:], hints)
    result = _result_type(at, hints)
    early = ANYTHING if hints.get("return") is NoneType else result
    signature = Signature(fn, is_async, model, takes_model, result, early)
    _check_schemas(at, signature)
    return replace(signature, is_strict=_is_strict(model))


def _free_parameters(at: str, fn: Handler) -> list[inspect.Parameter]:
    """Return the parameters that a call gives: without those that a partial has given."""
    function = fn.__func__ if isinstance(fn, staticmethod) else fn
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise DefinitionError(f"{at}: its parameters cannot be read: {error}") from None
    given = bound_keywords(fn)
    return [parameter for parameter in parameters if parameter.name not in given]


def _hints(at: str, fn: Handler, namespace: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return get_type_hints(annotated(fn), localns=dict(namespace), include_extras=True)
    except (NameError, TypeError, SyntaxError) as error:
        raise DefinitionError(f"{at}: an annotation cannot be evaluated: {error}") from None


def _check_context(
    at: str, first: list[inspect.Parameter], hints: Mapping[str, Any], is_async: bool
) -> None:
    kind = Context if is_async else SyncContext
    annotation = hints.get(first[0].name) if first else None
    given = get_origin(annotation) or annotation  # Context of Context[State]
    positional = first and first[0].kind in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    if not positional or (given is None and first[0].name != "ctx"):
        raise DefinitionError(f"{at}: the handler does not take ctx. {SIGNATURE_RULE}")
    if given in (Context, SyncContext) and given is not kind:
        form = "an `async def`" if is_async else "a `def`"
        raise DefinitionError(f"{at}: ctx of {form} handler must be a {kind.__name__}")
    if given not in (None, kind, Any):
        raise DefinitionError(f"{at}: the first parameter must be ctx: {kind.__name__}")


def _read_inputs(
    at: str, name: str, parameters: list[inspect.Parameter], hints: Mapping[str, Any]
) -> tuple[type[BaseModel], bool]:
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise DefinitionError(f"{at}: *{parameter.name} cannot be an input. {SIGNATURE_RULE}")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise DefinitionError(f"{at}: input {parameter.name!r} must not be positional-only")
        if parameter.name not in hints:
            raise DefinitionError(f"{at}: parameter {parameter.name!r} needs a type annotation")
        if parameter.name.startswith("_"):
            raise DefinitionError(f"{at}: input {parameter.name!r} must not start with `_`")
    types = [hints[parameter.name] for parameter in parameters]
    if len(types) == 1 and isinstance(types[0], type) and issubclass(types[0], BaseModel):
        return types[0], True
    fields: Any = {
        FIELD_PREFIX + parameter.name: (hints[parameter.name], _default(parameter))
        for parameter in parameters
    }
    config = ConfigDict(
        extra="ignore", alias_generator=lambda field_name: field_name.removeprefix(FIELD_PREFIX)
    )
    try:
        return create_model(name, __config__=config, **fields), False
    except (PydanticUserError, NameError, TypeError) as error:
        raise DefinitionError(
            f"{at}: its inputs cannot be read from JSON: {_first_line(error)}"
        ) from None


def _result_type(at: str, hints: Mapping[str, Any]) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(hints["return"]) if "return" in hints else ANYTHING
    except PydanticUserError as error:
        raise DefinitionError(
            f"{at}: its result cannot be serialised to JSON: {_first_line(error)}"
        ) from None


def _check_schemas(at: str, signature: Signature) -> None:
    for part, schema in (
        ("inputs have", signature.input_schema),
        ("result has", signature.result_schema),
    ):
        try:
            schema()
        except PydanticUserError as error:
            raise DefinitionError(
                f"{at}: its {part} no JSON Schema: {_first_line(error)}"
            ) from None


def _is_strict(model: type[BaseModel]) -> bool:
    """Check whether a model, or anything in it that JSON writes in another form, is strict."""
    return any(
        part.get("strict") is True and part.get("type") not in JSON_TYPES
        for part in parts_of(model.__pydantic_core_schema__)
    )


def _default(parameter: inspect.Parameter) -> Any:
    """Return a parameter's default as pydantic takes it: `...` for none."""
    return ... if parameter.default is parameter.empty else parameter.default


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
