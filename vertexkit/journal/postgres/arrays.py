"""Parameters and columns in PostgreSQL's binary format.

A statement gets all rows of a group as one array for each column, which `unnest` turns into rows
again. The format is that of the server's functions `array_recv`, `int8recv` and so on, which are
stable (https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-FORMAT-CODES).
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

BOOLEAN_OID, BYTES_OID, BIGINT_OID, TEXT_OID, DOUBLE_OID = 16, 17, 20, 25, 701
ARRAY_OIDS = {
    BOOLEAN_OID: 1000,
    BYTES_OID: 1001,
    BIGINT_OID: 1016,
    TEXT_OID: 1009,
    DOUBLE_OID: 1022,
}
"""Object ids of types, which are the same in every database, and of their arrays."""
MIN_BIGINT, MAX_BIGINT = -(1 << 63), (1 << 63) - 1
REPLACEMENT = "\ufffd".encode()
"""Takes the place of the character NUL, which no text of PostgreSQL can contain."""

_header = struct.Struct("!iiIii").pack
_length = struct.Struct("!i").pack
_null = _length(-1)
_bigint = struct.Struct("!iq").pack
_double = struct.Struct("!id").pack
_scalar_bigint = struct.Struct("!q")
_scalar_double = struct.Struct("!d")


@dataclass(frozen=True, slots=True)
class Codec:
    """How a parameter of a statement is encoded."""

    oid: int
    """Of the parameter's type."""
    encode: Callable[[Any], bytes]


def text(value: str) -> bytes:
    """Encode a text."""
    encoded = value.encode()
    return encoded.replace(b"\0", REPLACEMENT) if b"\0" in encoded else encoded


def _array(oid: int, number: int, parts: list[bytes]) -> bytes:
    if not number:
        return struct.pack("!iiI", 0, 0, oid)
    return _header(1, 0, oid, number, 1) + b"".join(parts)


def _texts(values: Sequence[str]) -> bytes:
    parts: list[bytes] = []
    for value in values:
        encoded = text(value)
        parts += (_length(len(encoded)), encoded)
    return _array(TEXT_OID, len(values), parts)


def _optional_texts(values: Sequence[str | None]) -> bytes:
    if not any(values):  # most calls have none
        parts = [_null if value is None else _length(0) for value in values]
        return _array(TEXT_OID, len(values), parts)
    return _array(TEXT_OID, len(values), [_optional_text(value) for value in values])


def _optional_text(value: str | None) -> bytes:
    if value is None:
        return _null
    encoded = text(value)
    return _length(len(encoded)) + encoded


def _binaries(values: Sequence[bytes | None]) -> bytes:
    parts: list[bytes] = []
    for value in values:
        if value is None:
            parts.append(_null)
        else:
            parts += (_length(len(value)), value)
    return _array(BYTES_OID, len(values), parts)


def _bigints(values: Sequence[int | None]) -> bytes:
    parts = [_null if value is None else _bigint(8, value) for value in values]
    return _array(BIGINT_OID, len(values), parts)


def _doubles(values: Sequence[float]) -> bytes:
    return _array(DOUBLE_OID, len(values), [_double(8, value) for value in values])


def _booleans(values: Sequence[bool]) -> bytes:
    parts = [b"\0\0\0\1\1" if value else b"\0\0\0\1\0" for value in values]
    return _array(BOOLEAN_OID, len(values), parts)


TEXT = Codec(TEXT_OID, text)
BIGINT = Codec(BIGINT_OID, _scalar_bigint.pack)
DOUBLE = Codec(DOUBLE_OID, _scalar_double.pack)
BOOLEAN = Codec(BOOLEAN_OID, lambda value: b"\1" if value else b"\0")
BYTES = Codec(BYTES_OID, bytes)
TEXTS = Codec(ARRAY_OIDS[TEXT_OID], _texts)
OPTIONAL_TEXTS = Codec(ARRAY_OIDS[TEXT_OID], _optional_texts)
BINARIES = Codec(ARRAY_OIDS[BYTES_OID], _binaries)
BIGINTS = Codec(ARRAY_OIDS[BIGINT_OID], _bigints)
DOUBLES = Codec(ARRAY_OIDS[DOUBLE_OID], _doubles)
BOOLEANS = Codec(ARRAY_OIDS[BOOLEAN_OID], _booleans)


def fits_bigint(value: int | None) -> int | None:
    """Return the number, or None if a column of type `bigint` cannot hold it."""
    return value if value is not None and MIN_BIGINT <= value <= MAX_BIGINT else None


def read_bigint(value: bytes) -> int:
    """Decode a column of type `bigint`."""
    number: int = _scalar_bigint.unpack(value)[0]
    return number


def read_double(value: bytes) -> float:
    """Decode a column of type `double precision`."""
    number: float = _scalar_double.unpack(value)[0]
    return number


def read_optional_double(value: bytes | None) -> float | None:
    """Decode a column of type `double precision` that may be NULL."""
    return None if value is None else read_double(value)


def read_boolean(value: bytes | None) -> bool:
    """Decode a column of type `boolean`; NULL is false."""
    return value == b"\1"
