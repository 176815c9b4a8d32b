"""The platform's raw call of a block, and how it is read."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

from pydantic_core import from_json

from vertexkit.errors import CallError

DEPTH = 64
NODES = 10_000
"""Values in a body, of all depths: more take longer to walk through than a call is worth."""
FIELDS = 1000
JSON_TYPE = "application/json"
ESCAPES = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
"""Of JSON: an escaped backslash or a whole surrogate pair, kept; or half a pair."""
STRINGS = re.compile(rb'"(?:[^"\\]|\\.?)*+(?:"|\Z)', re.DOTALL)
"""Of JSON, also one that never ends: there is no text at which this takes more than one look."""
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class RawCall:
    """One HTTP request to a block's URL, as it came."""

    path: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Their names in lower case; the last one of a name wins."""
    query_string: str = field(default="", repr=False)

    @property
    def query(self) -> Mapping[str, str]:
        """The query's parameters; the last one of a name wins."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))


class Call(NamedTuple):
    """What a raw call says: who speaks, and the block's input."""

    token: str
    inputs: dict[str, Any]


ReadCall: TypeAlias = Callable[[RawCall], Call]
"""From the raw call to the token and the inputs. An author may bring another.

It raises `CallError` for a call that it refuses.
"""


def read_call(raw: RawCall) -> Call:
    """Read a call as vertexkit takes the platform to make it.

    A JSON object (or a form) with a string member `token`; everything else in it is the block's
    input. If the only other member is an object named `data`, the input is that object.

    Raises:
        CallError: 400 malformed, 415 not JSON and not a form.
    """
    kind, _, parameters = raw.headers.get("content-type", "").partition(";")
    if "content-encoding" in raw.headers:
        raise CallError(415, "unsupported_encoding", "Send the body without Content-Encoding.")
    read = READERS.get(kind.strip().lower())
    if read is None or not _is_utf8(parameters):
        raise CallError(
            415, "unsupported_media_type", f"Send {JSON_TYPE} or {FORM_TYPE}, in UTF-8."
        )
    members = read(raw.body)
    token = members.pop("token", None)
    if not isinstance(token, str) or not token:
        raise CallError(400, "missing_token", "The body needs a member `token`: a string.")
    if len(members) == 1 and isinstance(data := members.get("data"), dict):
        members = data
    return Call(token, members)


def read_json(body: bytes) -> dict[str, Any]:
    """A body that is one JSON object, in UTF-8, of at most 64 levels and 10,000 values.

    Half of a surrogate pair, as a cut emoji leaves it, is read as U+FFFD: a dialog must not hang
    for it.

    Raises:
        CallError: 400 `malformed_json`, `too_deep` or `too_many_values`.
    """
    # Before they are read, for making ten thousands of values takes longer than to count them.
    if body.count(b",") > NODES and STRINGS.sub(b"", body).count(b",") > NODES:
        raise _too_many()
    try:
        value = _from_json(body)
    except ValueError:
        raise CallError(400, "malformed_json", "The body is not JSON in UTF-8.") from None
    if not isinstance(value, dict):
        raise CallError(400, "malformed_json", "The body has to be a JSON object.")
    _check_values(value)
    return value


def _from_json(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        mended = ESCAPES.sub(lambda found: found[1] or rb"\ufffd", body) if rb"\u" in body else body
        if mended == body:
            raise
        return from_json(mended, allow_inf_nan=False)


def read_form(body: bytes) -> dict[str, Any]:
    """A body that is a form, in UTF-8; the last field of a name wins.

    Raises:
        CallError: 400 `malformed_form`.
    """
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=FIELDS,
        )
    except ValueError:
        raise CallError(
            400, "malformed_form", f"The body is not a form in UTF-8 with up to {FIELDS} fields."
        ) from None
    return dict(fields)


READERS = {JSON_TYPE: read_json, FORM_TYPE: read_form}


def _is_utf8(parameters: str) -> bool:
    _, given, charset = parameters.lower().partition("charset=")
    return not given or charset.partition(";")[0].strip().strip('"') in ("utf-8", "utf8")


def _check_values(value: dict[str, Any]) -> None:
    """Refuse what the JSON reader lets through: depth, number, and 1e999 read as infinity."""
    level: list[Any] = [value]
    nodes = 0
    for _ in range(DEPTH):
        nodes += sum(map(len, level))
        if nodes > NODES:
            raise _too_many()
        items = [
            item for each in level for item in (each.values() if isinstance(each, dict) else each)
        ]
        if any(isinstance(item, float) and math.isinf(item) for item in items):
            raise CallError(400, "malformed_json", "A number in the body is too large.")
        level = [item for item in items if isinstance(item, dict | list)]
        if not level:
            return
    raise CallError(400, "too_deep", f"The body is more than {DEPTH} levels deep.")


def _too_many() -> CallError:
    return CallError(400, "too_many_values", f"The body has more than {NODES} values.")
