"""Names of files in `Content-Disposition`, read as browsers read them and made safe."""

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from urllib.parse import unquote_to_bytes

from pathvalidate import sanitize_filename

from vertexkit.text import replace_surrogates, sanitize

DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|con(in|out)\$)", re.IGNORECASE)
"""Names that Windows reserves for devices, whatever ending and spaces follow."""
MAX_FILENAME_BYTES = 200
"""Bytes of a name in UTF-8: with the file's id before it, it fits into common file systems."""
MAX_EXTENSION_BYTES = 16
"""A longer extension is not kept when a name is shortened."""
MAX_HEADER_NAME_CHARACTERS = 1000
"""Characters of the platform's name that are read."""
LEGACY_ENCODING = "windows-1251"
"""The encoding of a header that is not UTF-8: old servers in Russian use it."""
PARAMETER = re.compile(
    r""";\s*(?P<name>[^\s=;"]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)(?:"|\Z)|(?P<plain>[^;]*))""",
    re.DOTALL,
)
"""A parameter, with a quoted or a plain value; browsers take spaces and any letter in both."""
ESCAPED = re.compile(r'\\(["\\])')
ENCODED_WORD = re.compile(r"=\?[^?\s]+\?[bqBQ]\?[^?]*\?=")
PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
PART = re.compile(r"filename\*(\d{1,3})(\*?)")
"""The name of a part of a long value (RFC 2231): `filename*0`, `filename*1*`."""


def filename_in(header: bytes) -> str:
    """Return the file's name in a `Content-Disposition` header, sanitised.

    Args:
        header: the header's value; empty if there is none.

    Returns:
        The name: that of `filename*`, else of its parts, else of `filename`; `file` if there is
        none.
    """
    try:
        text = header.decode()
    except UnicodeDecodeError:
        text = header.decode(LEGACY_ENCODING, "replace")
    parameters: dict[str, str] = {}
    for match in PARAMETER.finditer(f";{text}" if text.startswith("filename") else text):
        quoted, plain = match["quoted"], match["plain"]
        value = plain.strip() if quoted is None else ESCAPED.sub(r"\1", quoted)
        parameters.setdefault(match["name"].lower(), value)
    name = (
        _extended(parameters.get("filename*", ""))
        or _continued(parameters)
        or _plain(parameters.get("filename", ""))
    )
    return sanitized_filename(name)


def _extended(value: str) -> str:
    """Decode `UTF-8''%D0%B0` (RFC 8187); empty if the encoding is unknown or wrong."""
    charset, quote, rest = value.partition("'")
    if not quote:
        return _plain(value)
    return _decode(rest.partition("'")[2], charset)


def _continued(parameters: dict[str, str]) -> str:
    """Join the parts of a long name; those whose parameter ends with `*` are percent-encoded."""
    parts = {
        int(match[1]): (value, bool(match[2]))
        for name, value in parameters.items()
        if (match := PART.fullmatch(name)) is not None
    }
    charset, joined = "utf-8", b""
    for number in range(len(parts)):
        if number not in parts:
            break
        value, encoded = parts[number]
        if encoded and number == 0:
            charset, _, rest = value.partition("'")
            value = rest.partition("'")[2]
        joined += unquote_to_bytes(value) if encoded else value.encode("utf-8", "replace")
    return _decoded(joined, charset)


def _plain(value: str) -> str:
    """Decode what old programs write into the plain parameter: RFC 2047 words, percent-encoding."""
    if ENCODED_WORD.search(value):
        try:
            return str(make_header(decode_header(value)))
        except (HeaderParseError, LookupError, ValueError):
            return value
    return (_decode(value, "utf-8") or value) if PERCENT.search(value) else value


def _decode(value: str, charset: str) -> str:
    return _decoded(unquote_to_bytes(value), charset)


def _decoded(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset)
    except (LookupError, ValueError):
        return ""


def sanitized_filename(name: str) -> str:
    """Return a safe file name that every operating system accepts.

    The name has no folders, no control or reserved characters, no leading dot, and at most
    `MAX_FILENAME_BYTES`.

    Args:
        name: any text; it comes from the user who uploaded the file.
    """
    base = replace_surrogates(name).replace("\\", "/").rpartition("/")[2]
    base = sanitize(base, MAX_HEADER_NAME_CHARACTERS).strip(" .")
    if len(base.encode()) > MAX_FILENAME_BYTES:
        stem, dot, extension = base.rpartition(".")
        end = dot + extension if len(extension.encode()) <= MAX_EXTENSION_BYTES else ""
        room = MAX_FILENAME_BYTES - len(end.encode())
        base = (stem if end else base).encode()[:room].decode(errors="ignore") + end
    safe = str(sanitize_filename(base)).strip(" .") or "file"
    stem, dot, rest = safe.partition(".")
    return f"{stem.strip()}_{dot}{rest}" if DEVICE.fullmatch(stem.strip()) else safe
