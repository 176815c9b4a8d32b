"""Validation of request bodies, as strict as the document allows."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

JSON_TYPE_NAMES: dict[type, str] = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "an array",
    str: "a string",
    type(None): "null",
}
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
JSON_MEDIA_TYPE = "application/json"
FIELDS_BY_METHOD = {
    "complete": {"token", "data"},
    "send_message": {"token", "text", "typing"},
    "v2.create_and_start": {"response", "variables"},
    "v2.send": {"body"},
    "v2.goto": {"body"},
}
"""The fields of each method's body: all of these and no others."""
OPTIONAL_FIELDS = {"v2.create_and_start": {"response", "variables"}, "complete": {"data"}}
"""The fields that may be missing, by method."""
METHODS_WITH_OPTIONAL_BODY = {"v2.create_and_start"}
"""The methods whose body may be missing."""
HALF_CHARACTER = "a string with half of a character (a lone surrogate), which UTF-8 cannot encode"
BOOLEAN_FIELDS = {"typing", "response"}
GOTO_COMMAND = re.compile(r"goto [0-9]{1,18}")
"""The only command in the document."""


def validate_body(
    method: str, content_type: str | None, body: bytes
) -> tuple[Mapping[str, Any], list[str]]:
    """Parse and validate the body of a request.

    Returns:
        The fields (none if the body is not a JSON object), and a sentence for each problem.
    """
    problems = []
    if (content_type or "").partition(";")[0].strip().lower() != JSON_MEDIA_TYPE:
        problems.append(f"{method}: the content type is {content_type!r}, not {JSON_MEDIA_TYPE}")
    content, problem = parse_object(body)
    if content is None:
        return {}, [*problems, f"{method}: the body is {problem}"]
    expected = FIELDS_BY_METHOD[method]
    missing = expected - content.keys() - OPTIONAL_FIELDS.get(method, set())
    problems += [f"{method}: the field `{name}` is missing" for name in sorted(missing)]
    problems += [
        f"{method}: the body has an unknown field {name!r}; it takes {_listed(expected)} only"
        for name in sorted(content.keys() - expected)
    ]
    for name in sorted(expected & content.keys()):
        wrong_value = _value_problem(name, content[name])
        if wrong_value is not None:
            problems.append(f"{method}: `{name}` is {wrong_value}")
    if method == "v2.goto" and not problems and not GOTO_COMMAND.fullmatch(content["body"]):
        problems.append(f"{method}: `body` is not a command such as `goto 698`")
    return content, problems


def parse_object(text: bytes) -> tuple[dict[str, Any] | None, str]:
    """Parse a JSON object.

    Returns:
        The object and an empty text, or None and what the text is instead.
    """
    try:
        content = json.loads(
            text.decode(), parse_constant=_reject_constant, object_pairs_hook=_unique_fields
        )
    except (ValueError, RecursionError) as error:
        return None, f"not JSON in UTF-8 ({_reason(error)})"
    if not isinstance(content, dict):
        return None, f"{_type_name(content)}, not a JSON object"
    return content, ""


def variables_problem(text: str) -> str | None:
    """Return what variables are instead of a JSON object encoded as a string, or None."""
    if LONE_SURROGATE.search(text):
        return HALF_CHARACTER
    content, problem = parse_object(text.encode())
    if content is None:
        return f"a string that is {problem}"
    return None


def _value_problem(name: str, value: Any) -> str | None:
    problem = None
    if name in BOOLEAN_FIELDS:
        problem = None if isinstance(value, bool) else f"{_type_name(value)}, not true or false"
    elif name == "data":
        if value is not None and not isinstance(value, dict):
            problem = f"{_type_name(value)}, neither an object nor null"
    elif not isinstance(value, str):
        problem = f"{_type_name(value)}, not a string"
    elif not value:
        problem = "an empty string"
    elif LONE_SURROGATE.search(value):
        problem = HALF_CHARACTER
    elif name == "variables":
        problem = variables_problem(value)
    return problem


def _type_name(value: object) -> str:
    return JSON_TYPE_NAMES[type(value)]


def _listed(names: set[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _reason(error: Exception) -> str:
    # The decoders' own messages quote the body, and so perhaps the token.
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"at character {error.pos}: {error.msg}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("an object has the same field twice")
    return fields
