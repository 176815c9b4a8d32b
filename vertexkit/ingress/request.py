"""The platform's raw call of a block, and the readers for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

from vertexkit.errors import CallError
from vertexkit.ingress.body import find_token, is_encoded, read_body


@dataclass(frozen=True, slots=True)
class RawCall:
    """One HTTP request to a block's URL, unparsed."""

    path: str
    body: bytes = field(repr=False)
    """Decompressed if it came in gzip or deflate; the headers that said so are left out then."""
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
        CallError: 400: the body is malformed; 415: it is neither JSON nor a form. It has the
            token if the body has one that can be read.
    """
    encoding = raw.headers.get("content-encoding", "")
    if encoding and is_encoded(encoding):
        raise CallError(
            415,
            "unsupported_encoding",
            "Send the body without Content-Encoding, or in gzip or deflate.",
        )
    try:
        fields = read_body(raw.body, raw.headers.get("content-type", ""))
    except CallError as error:
        error.token = find_token(raw.body)
        raise
    token = fields.pop("token", None)
    if not isinstance(token, str) or not token:
        raise CallError(400, "missing_token", "The body must have a field `token` with a string.")
    if len(fields) == 1 and isinstance(data := fields.get("data"), dict):
        fields = data
    return Call(token, fields)


def has_token_field(reader: ReadCall) -> bool:
    """Return whether the calls of a reader have the token in a field `token` of the body."""
    return reader is read_call
