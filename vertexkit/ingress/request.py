"""The platform's raw call of a block, and the readers for it."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

from pydantic_core import from_json

from vertexkit.errors import CallError

MAX_DEPTH = 64
"""Levels of nesting in a body."""
MAX_VALUES = 10_000
"""Values in a body, at all levels: checking more takes longer than a call is worth."""
MAX_FORM_FIELDS = 1000
JSON_TYPE = "application/json"
ESCAPES = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
"""In JSON: an escaped backslash or a surrogate pair, which are kept; or a lone surrogate."""
STRINGS = re.compile(rb'"(?:[^"\\]|\\.?)*+(?:"|\Z)', re.DOTALL)
"""Strings of JSON, terminated or not. The pattern never backtracks, whatever the text."""
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class RawCall:
    """One HTTP request to a block's URL, unparsed."""

    path: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names are in lower case. Of several headers with one name the last one is kept."""
    query_string: str = field(default="", repr=False)

    @property
    def query(self) -> Mapping[str, str]:
        """The query's parameters. Of several with one name the last one is kept."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))


class Call(NamedTuple):
    """What was read from a raw call."""

    token: str
    """The integration token."""
    inputs: dict[str, Any]
    """The block's inputs, before validation."""


ReadCall: TypeAlias = Callable[[RawCall], Call]
"""Reads the token and the inputs from a raw call. An author may write another one than `read_call`.

It raises `CallError` to reject a call.
"""


def read_call(raw: RawCall) -> Call:
    """Read a call in the format that the platform is assumed to use.

    The body is a JSON object or a form with a string field `token`. The other fields are the
    block's inputs. If the only other field is an object named `data`, that object is the inputs.

    Args:
        raw: the request.

    Returns:
        Token and inputs.

    Raises:
        CallError: 400: the body is malformed; 415: it is neither JSON nor a form.
    """
    kind, _, parameters = raw.headers.get("content-type", "").partition(";")
    if "content-encoding" in raw.headers:
        raise CallError(415, "unsupported_encoding", "Send the body without Content-Encoding.")
    read = READERS.get(kind.strip().lower())
    if read is None or not _is_utf8(parameters):
        raise CallError(415, "unsupported_media_type", f"Send {JSON_TYPE} or {FORM_TYPE} in UTF-8.")
    fields = read(raw.body)
    token = fields.pop("token", None)
    if not isinstance(token, str) or not token:
        raise CallError(400, "missing_token", "The body must have a field `token` with a string.")
    if len(fields) == 1 and isinstance(data := fields.get("data"), dict):
        fields = data
    return Call(token, fields)


def read_json(body: bytes) -> dict[str, Any]:
    """Read a body that is a JSON object in UTF-8.

    A lone surrogate, which a truncated emoji leaves behind, is read as U+FFFD, so that the dialog
    continues.

    Args:
        body: at most 64 levels deep and with at most 10,000 values.

    Returns:
        The object.

    Raises:
        CallError: 400 `malformed_json`, `too_deep` or `too_many_values`.
    """
    # Checked before parsing: counting commas is faster than making tens of thousands of values.
    if body.count(b",") > MAX_VALUES and STRINGS.sub(b"", body).count(b",") > MAX_VALUES:
        raise _too_many_values()
    try:
        value = _from_json(body)
    except ValueError:
        raise CallError(400, "malformed_json", "The body is not valid JSON in UTF-8.") from None
    if not isinstance(value, dict):
        raise CallError(400, "malformed_json", "The body must be a JSON object.")
    _check_values(value)
    return value


def _from_json(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        repaired = (
            ESCAPES.sub(lambda found: found[1] or rb"\ufffd", body) if rb"\u" in body else body
        )
        if repaired == body:
            raise
        return from_json(repaired, allow_inf_nan=False)


def read_form(body: bytes) -> dict[str, Any]:
    """Read a body that is a form in UTF-8.

    Args:
        body: with at most 1,000 fields.

    Returns:
        The fields. Of several with one name the last one is kept.

    Raises:
        CallError: 400 `malformed_form`.
    """
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MAX_FORM_FIELDS,
        )
    except ValueError:
        raise CallError(
            400,
            "malformed_form",
            f"The body is not a form in UTF-8 with at most {MAX_FORM_FIELDS} fields.",
        ) from None
    return dict(fields)


READERS = {JSON_TYPE: read_json, FORM_TYPE: read_form}


def _is_utf8(parameters: str) -> bool:
    _, has_charset, charset = parameters.lower().partition("charset=")
    return not has_charset or charset.partition(";")[0].strip().strip('"') in ("utf-8", "utf8")


def _check_values(value: dict[str, Any]) -> None:
    """Check what the parser accepts: depth, number of values, and 1e999, which it reads as infinity."""
    level: list[Any] = [value]
    count = 0
    for _ in range(MAX_DEPTH):
        count += sum(map(len, level))
        if count > MAX_VALUES:
            raise _too_many_values()
        items = [
            item
            for parent in level
            for item in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if any(isinstance(item, float) and math.isinf(item) for item in items):
            raise CallError(400, "malformed_json", "A number in the body is too large.")
        level = [item for item in items if isinstance(item, dict | list)]
        if not level:
            return
    raise CallError(400, "too_deep", f"The body is more than {MAX_DEPTH} levels deep.")


def _too_many_values() -> CallError:
    return CallError(400, "too_many_values", f"The body has more than {MAX_VALUES} values.")
