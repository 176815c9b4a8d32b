"""The form of a request's body, read as strictly as the document can be read."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

KINDS: dict[type, str] = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "an array",
    str: "a string",
    type(None): "null",
}
SURROGATE = re.compile("[\ud800-\udfff]")
JSON_TYPE = "application/json"
MEMBERS = {
    "complete": {"token", "data"},
    "send_message": {"token", "text", "typing"},
    "v2.create_and_start": {"response", "variables"},
    "v2.send": {"body"},
    "v2.goto": {"body"},
}
"""What the body of each method holds: all of these and nothing else."""
OPTIONAL = {"v2.create_and_start"}
"""The methods whose body may lack any of them."""
FLAGS = {"typing", "response"}
GOTO = re.compile(r"goto [0-9]{1,18}")
"""The one command that is known."""


def read_form(
    method: str, content_type: str | None, body: bytes
) -> tuple[Mapping[str, Any], list[str]]:
    """The body's members (none if it is no JSON object), and a sentence for each breach."""
    wrongs = []
    if (content_type or "").partition(";")[0].strip().lower() != JSON_TYPE:
        wrongs.append(f"{method}: the content type is {content_type!r}, not {JSON_TYPE}")
    content, instead = read_object(body)
    if content is None:
        return {}, [*wrongs, f"{method}: the body is {instead}"]
    expected = MEMBERS[method]
    missing = set() if method in OPTIONAL else expected - content.keys()
    wrongs += [f"{method}: `{name}` is missing" for name in sorted(missing)]
    wrongs += [
        f"{method}: the body has an extra member {name!r}; it holds {_listed(expected)} only"
        for name in sorted(content.keys() - expected)
    ]
    for name in sorted(expected & content.keys()):
        wrong = _wrong_value(name, content[name])
        if wrong is not None:
            wrongs.append(f"{method}: {wrong}")
    if method == "v2.goto" and not wrongs and not GOTO.fullmatch(content["body"]):
        wrongs.append(f"{method}: `body` is not a command such as `goto 698`")
    return content, wrongs


def read_object(text: bytes) -> tuple[dict[str, Any] | None, str]:
    """A JSON object, or None and what the text is instead."""
    try:
        content = json.loads(
            text.decode(), parse_constant=_no_constant, object_pairs_hook=_no_twins
        )
    except (ValueError, RecursionError) as problem:
        return None, f"not JSON in UTF-8 ({_reason(problem)})"
    if not isinstance(content, dict):
        return None, f"{_kind(content)}, not a JSON object"
    return content, ""


def wrong_variables(text: str) -> str | None:
    """What is wrong with variables, which are an object of JSON encoded as a string."""
    if SURROGATE.search(text):
        return "holds half of a character (a lone surrogate), which is not UTF-8"
    content, wrong = read_object(text.encode())
    if content is None:
        return f"is a string that is {wrong}"
    return None


def _wrong_value(name: str, value: Any) -> str | None:
    wrong = None
    if name in FLAGS:
        wrong = None if isinstance(value, bool) else f"is {_kind(value)}, not true or false"
    elif name == "data":
        if value is not None and not isinstance(value, dict):
            wrong = f"is {_kind(value)}, neither an object nor null"
    elif not isinstance(value, str):
        wrong = f"is {_kind(value)}, not a string"
    elif not value:
        wrong = "is empty"
    elif SURROGATE.search(value):
        wrong = "holds half of a character (a lone surrogate), which is not UTF-8"
    elif name == "variables":
        wrong = wrong_variables(value)
    return wrong and f"`{name}` {wrong}"


def _kind(value: object) -> str:
    return KINDS[type(value)]


def _listed(names: set[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _reason(problem: Exception) -> str:
    # The decoders' own words quote the body, and so perhaps the token.
    if isinstance(problem, UnicodeDecodeError):
        return f"byte {problem.start} is not UTF-8"
    if isinstance(problem, json.JSONDecodeError):
        return f"{problem.msg} at character {problem.pos}"
    if isinstance(problem, RecursionError):
        return "nested too deeply"
    return str(problem)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has a member twice")
    return members
