"""The formats of a call's body: JSON and forms, as browsers, curl, PHP and .NET send them.

A body is read if the parsers of the standards read it (RFC 8259 for JSON, the URL Standard and
RFC 7578 for forms) and nothing is lost. Anything else is rejected: a guess would change what a
person has written.
"""

import json
import math
import re
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from pydantic_core import from_json

from vertexkit.errors import CallError
from vertexkit.text import replace_surrogates

MAX_DEPTH = 64
"""Levels of nesting in a body."""
MAX_VALUES = 10_000
"""Values in a body, at all levels: checking more takes longer than a call is worth."""
SIMPLE_TYPES = frozenset({str, int, bool, type(None)})
"""Types of values that contain no others and are finite."""
MAX_FORM_FIELDS = 1000
JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"
MULTIPART_TYPE = "multipart/form-data"
BOM = "\ufeff".encode()
BEFORE_JSON = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n"
"""Bytes of byte order marks and of white space, which may precede a JSON text."""
CHARSETS = {
    **{f"windows-125{number}": f"cp125{number}" for number in range(9)},
    **{f"cp125{number}": f"cp125{number}" for number in range(9)},
    **{f"iso-8859-{number}": f"iso8859-{number}" for number in (*range(1, 12), 13, 14, 15, 16)},
    **dict.fromkeys(("cp866", "ibm866"), "cp866"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis"), "shift_jis"),
    **{name: name for name in ("koi8-r", "koi8-u", "latin1", "gb2312", "gbk", "gb18030", "big5")},
    **{name: name for name in ("euc-jp", "euc-kr")},
}
"""Encodings of texts that are not UTF-8, by the names that clients give them, each with Python's."""
CHARSET = re.compile(r"charset=[\"']?([\w-]+)", re.IGNORECASE)
BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s";]+))', re.IGNORECASE)
"""Parameters of a content type."""
PLAIN_CODINGS = frozenset({"", "identity", "none", "binary", "8bit", "utf-8", "utf8"})
"""Values of Content-Encoding that clients send with bodies that are not encoded."""
ESCAPES = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
"""In JSON: an escaped backslash or a surrogate pair, which are kept; or a lone surrogate."""
STRINGS = re.compile(rb'"(?:[^"\\]|\\.?)*+(?:"|\Z)', re.DOTALL)
"""Strings of JSON, terminated or not. The pattern never backtracks, whatever the text."""
ESCAPED_NAME = re.compile(rb"%(?:22|0[DA])")
DISPOSITION = re.compile(
    rb"^content-disposition:[ \t]*form-data[ \t]*(;[^\r\n]*)", re.IGNORECASE | re.MULTILINE
)
"""In the head of a part: its parameters."""
PART_NAME = re.compile(rb';[ \t]*name=(?:"([^"]*)"|([^\s";]+))', re.IGNORECASE)
PART_TYPE = re.compile(rb"^content-type:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
TRANSFER_ENCODED = re.compile(
    rb"^content-transfer-encoding:[ \t]*(?:base64|quoted-printable)", re.IGNORECASE | re.MULTILINE
)
JSON_TOKEN = re.compile(r'\{\s*"token"\s*:\s*"([^"\\]+)"')
FORM_TOKEN = re.compile(r"(?:^|&)token=([^&\s]+)")
PART_TOKEN = re.compile(
    r';[ \t]*name="?token"?[^\r\n]{0,20}(?:\r\n[^\r\n]{1,80}){0,3}\r\n\r\n([^\r\n]+)', re.IGNORECASE
)
"""The token in a body that cannot be parsed: in JSON if it is the first field, in forms anywhere."""


def read_body(body: bytes, content_type: str) -> dict[str, Any]:
    """Read a body whose type is declared, wrongly declared or not declared.

    A body that is a JSON object is read as one whatever its type. Without a type, another body is
    read as a form.

    Args:
        body: the body.
        content_type: the header's value; empty if there is none.

    Returns:
        The fields of the object or of the form.

    Raises:
        CallError: 400: the body is malformed; 415: it is neither JSON nor a form.
    """
    kind, charset, boundary = _parse_content_type(content_type)
    if kind == MULTIPART_TYPE:
        return read_multipart(body, boundary, charset)
    if _is_json_type(kind):
        return read_json(body, charset)
    if body.lstrip(BEFORE_JSON).startswith(b"{"):
        try:
            return read_json(body, charset)
        except CallError as error:
            if kind != FORM_TYPE or error.code != "malformed_json":
                raise
    if kind not in ("", FORM_TYPE):
        raise CallError(415, "unsupported_media_type", f"Send {JSON_TYPE} or {FORM_TYPE}.")
    return read_form(body, charset)


def read_json(body: bytes, charset: str = "") -> dict[str, Any]:
    """Read a body that is a JSON object.

    The encoding is UTF-8, or UTF-16 or UTF-32 if the first bytes say so, with or without byte order
    marks; otherwise the declared one. A lone surrogate, which a truncated emoji leaves behind, is
    read as U+FFFD, so that the dialog continues.

    Args:
        body: at most 64 levels deep and with at most 10,000 values.
        charset: Python's name of the declared encoding; empty if none is.

    Returns:
        The object.

    Raises:
        CallError: 400 `malformed_json`, `too_deep` or `too_many_values`.
    """
    try:
        body = _in_utf8(body)
        # Checked before parsing: counting commas is faster than making thousands of values.
        if body.count(b",") > MAX_VALUES and STRINGS.sub(b"", body).count(b",") > MAX_VALUES:
            raise _too_many_values()
        value = _from_json(body, charset)
    except ValueError:
        raise CallError(
            400, "malformed_json", "The body is not valid JSON in UTF-8, UTF-16 or UTF-32."
        ) from None
    if not isinstance(value, dict):
        raise CallError(400, "malformed_json", "The body must be a JSON object.")
    _check_values(value)
    return value


def _in_utf8(body: bytes) -> bytes:
    if body.startswith(b"{") and body[1:2] != b"\0":  # nearly every call
        return body
    encoding = json.detect_encoding(body)
    if encoding == "utf-8":
        return body
    if encoding == "utf-8-sig":
        while body.startswith(BOM):
            body = body[len(BOM) :]
        return body
    return replace_surrogates(body.decode(encoding, "surrogatepass").lstrip("\ufeff")).encode()


def _from_json(body: bytes, charset: str) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        repaired = (
            ESCAPES.sub(lambda found: found[1] or rb"\ufffd", body) if rb"\u" in body else body
        )
        if charset and not _is_utf8(repaired):
            repaired = repaired.decode(charset).encode()
        if repaired == body:
            raise
        return from_json(repaired, allow_inf_nan=False)


def read_form(body: bytes, charset: str = "") -> dict[str, Any]:
    """Read a body that is a form, as the URL Standard's parser does.

    Its texts are in UTF-8, percent-encoded or as they are; if they are not, in the declared
    encoding. Empty fields between two `&` are skipped, and a name without `=` has an empty value.

    Args:
        body: with at most 1,000 fields.
        charset: Python's name of the declared encoding; empty if none is.

    Returns:
        The fields. Of several with one name the last one is kept.

    Raises:
        CallError: 400 `malformed_form`.
    """
    while body.startswith(BOM):
        body = body[len(BOM) :]
    fields = [field for field in body.split(b"&") if field]
    if len(fields) > MAX_FORM_FIELDS:
        raise _malformed_form()
    if fields and fields[-1].startswith(b"token="):
        # `curl --data-binary @file` also sends the line break at the end of the file.
        fields[-1] = fields[-1].rstrip(b"\r\n")
    pairs = [field.replace(b"+", b" ").partition(b"=") for field in fields]
    return _decode(
        [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs], charset
    )


def read_multipart(body: bytes, boundary: str, charset: str = "") -> dict[str, Any]:
    """Read a body that is a form in parts (`multipart/form-data`).

    Every part is a text, also that of a file.

    Args:
        body: with at most 1,000 parts.
        boundary: from the content type.
        charset: Python's name of the declared encoding; empty if none is.

    Returns:
        The fields. Of several with one name the last one is kept.

    Raises:
        CallError: 400 `malformed_form`.
    """
    delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
    _, *parts = (b"\r\n" + body).split(delimiter, MAX_FORM_FIELDS + 2)
    if (
        not boundary
        or not 0 < len(parts) <= MAX_FORM_FIELDS + 1
        or not parts.pop().startswith(b"--")
    ):
        raise _malformed_form()
    fields: dict[str, Any] = {}
    for part in parts:
        head, separator, value = part.partition(b"\r\n\r\n")
        parameters = DISPOSITION.search(head)
        name = PART_NAME.search(parameters[1]) if parameters else None
        follows_boundary = head.lstrip(b" \t").startswith(b"\r\n")
        if not separator or name is None or not follows_boundary or TRANSFER_ENCODED.search(head):
            raise _malformed_form()
        declared = PART_TYPE.search(head)
        own = _parse_content_type(declared[1].decode("latin-1"))[1] if declared else ""
        # Browsers write `"` and line breaks in a name in this way.
        key = ESCAPED_NAME.sub(lambda found: unquote_to_bytes(found[0]), name[1] or name[2] or b"")
        fields |= _decode([(key, value)], own or charset)
    return fields


def find_token(body: bytes) -> str:
    """Find the token in a body that was rejected, so that its block can be completed as failed.

    Args:
        body: of any format.

    Returns:
        The token; empty if there is none, or none that can be told apart from other texts.
    """
    try:
        text = _in_utf8(body).decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    except ValueError:
        text = body.decode("utf-8", "replace")
    if text.startswith(("{", "[", '"')):
        return _find_json_token(text)
    if text.startswith("--"):
        found = PART_TOKEN.search(text)
        return found[1].strip() if found else ""
    tokens = FORM_TOKEN.findall(text)
    return unquote(tokens[-1]) if tokens else ""


def _find_json_token(text: str) -> str:
    try:
        value = from_json(text, allow_partial=True)
        if isinstance(value, str):  # JSON in a string of JSON
            value = from_json(value, allow_partial=True)
        if isinstance(value, list) and len(value) == 1:
            [value] = value
        token = value.get("token") if isinstance(value, dict) else ""
    except ValueError:
        found = JSON_TOKEN.match(text)
        token = found[1] if found else ""
    return token if isinstance(token, str) else ""


def is_encoded(content_encoding: str) -> bool:
    """Whether a value of the header Content-Encoding says that the body has to be decoded."""
    codings = {coding.strip().lower() for coding in content_encoding.split(",")}
    return not codings <= PLAIN_CODINGS


def _parse_content_type(content_type: str) -> tuple[str, str, str]:
    """Return the media type in lower case, Python's name of its encoding, and its boundary."""
    kind, _, parameters = content_type.partition(";")
    charset = boundary = None
    if parameters:
        charset, boundary = CHARSET.search(parameters), BOUNDARY.search(parameters)
    return (
        kind.strip().lower(),
        CHARSETS.get(charset[1].lower(), "") if charset else "",
        boundary[1] or boundary[2] if boundary else "",
    )


def _is_json_type(kind: str) -> bool:
    return kind in (JSON_TYPE, "text/json") or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decode(fields: list[tuple[bytes, bytes]], charset: str) -> dict[str, Any]:
    """Decode all fields by one encoding."""
    for encoding in filter(None, ("utf-8", charset)):
        try:
            return {name.decode(encoding): value.decode(encoding) for name, value in fields}
        except UnicodeDecodeError:
            continue
    raise _malformed_form()


def _check_values(value: dict[str, Any]) -> None:
    """Check what the parser accepts: depth, number of values, and 1e999, which it reads as infinity."""
    if len(value) <= MAX_VALUES and SIMPLE_TYPES.issuperset(map(type, value.values())):
        return  # nearly every call
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
        level = [item for item in items if isinstance(item, (dict, list))]
        if not level:
            return
    raise CallError(400, "too_deep", f"The body is more than {MAX_DEPTH} levels deep.")


def _too_many_values() -> CallError:
    return CallError(400, "too_many_values", f"The body has more than {MAX_VALUES} values.")


def _malformed_form() -> CallError:
    return CallError(
        400,
        "malformed_form",
        f"The body is not a form in UTF-8 with at most {MAX_FORM_FIELDS} fields.",
    )
