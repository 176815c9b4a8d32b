"""The types of events that handlers wait for, read from the source of their modules."""

import ast
import inspect
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import to_json

from vertexkit.blocks.registry import Block
from vertexkit.callables import innermost
from vertexkit.serialization import ANYTHING

METHOD = "wait_for"


def event_problem(block: Block, event: str, data: Any) -> str | None:
    """Return why the current code rejects the data of an event; empty if it accepts it.

    Args:
        block: that waits for the event.
        event: its name.
        data: JSON.

    Returns:
        None if the type is not known: the call of `ctx.wait_for` is not in the handler's module,
        or its arguments are computed.
    """
    shapes = list(_shapes(block, event))
    if not shapes:
        return None
    problem = ""
    for shape in shapes:
        try:
            shape.validate_json(to_json(data))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            problem = f"event {event}: {f'{place}: ' if place else ''}{first['msg']}"
        else:
            return ""
    return problem


def _shapes(block: Block, event: str) -> Iterator[TypeAdapter[Any]]:
    """Yield the types with which the module of a handler waits for an event of this name."""
    module = sys.modules.get(innermost(block.signature.handler).__module__)
    if module is None:
        return
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):  # it has no file
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == METHOD:
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant) and name.value == event:
                shape = _shape(node, module)
                if shape is not None:
                    yield shape


def _shape(call: ast.Call, module: ModuleType) -> TypeAdapter[Any] | None:
    """Return the type of a call; None if it is not a name that the module has."""
    given = [call.args[1]] if len(call.args) > 1 else []
    given += [keyword.value for keyword in call.keywords if keyword.arg == "type"]
    if not given:
        return ANYTHING
    value: Any = module
    for part in ast.unparse(given[0]).split("."):
        builtins = vars(module).get("__builtins__", {})
        default = builtins.get(part) if isinstance(builtins, dict) else None
        value = getattr(value, part, default if value is module else None)
    try:
        return None if value is None else TypeAdapter(value)
    except PydanticUserError:
        return None
