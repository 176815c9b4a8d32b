"""The content of a call: read from the connection up to a limit, and decompressed."""

import zlib
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from starlette.types import Receive

from vertexkit.errors import CallError
from vertexkit.ingress.body import PLAIN_CODINGS, find_token

GZIP, DEFLATE = frozenset({"gzip", "x-gzip"}), frozenset({"deflate"})
MAX_CODINGS = 2
"""Codings of one body, one inside the other."""
MAX_MEMBERS = 100
"""Parts of a body in gzip, which may be written one after the other."""
GZIP_FORMAT, ZLIB_FORMAT, RAW_FORMAT = 31, 15, -15
"""zlib's names of the formats: `deflate` is zlib's own, but some clients leave its header out."""
GZIP_MARK = b"\x1f\x8b"


class Completeness(Enum):
    """How much of a content was read."""

    WHOLE = "whole"
    TOO_LARGE = "too large"
    DAMAGED = "damaged"


class Content(NamedTuple):
    """A body without its codings: all of it, or its first part."""

    data: bytes
    completeness: Completeness = Completeness.WHOLE


class ContentReader:
    """Reads bodies of calls, and decompresses those in gzip and deflate.

    Nothing larger than the limit is kept: neither of what arrives nor of what it decompresses to.
    Of a body that is too large or damaged, the first part may contain the token.

    Args:
        limit: bytes, of the body as it arrives and after it was decompressed.
        find_tokens: whether rejected bodies have their token where `find_token` looks for it.
    """

    def __init__(self, limit: int, *, find_tokens: bool) -> None:
        self._limit = limit
        self._find_tokens = find_tokens

    async def read(self, headers: Mapping[str, str], receive: Receive) -> tuple[bytes, bool]:
        """Read a body.

        Args:
            headers: of the call, their names in lower case.
            receive: ASGI's.

        Returns:
            The content, and whether it was decompressed. A body with other codings is unchanged.

        Raises:
            CallError: 413, or 400 if the client has disconnected or the body is damaged.
        """
        declared = headers.get("content-length", "0")
        announced = declared.isdecimal() and int(declared[:20]) > self._limit
        if announced and "100-continue" in headers.get("expect", "").lower():
            raise self._rejection(Completeness.TOO_LARGE, b"")  # the client has not sent it yet
        encoding = headers.get("content-encoding", "")
        codings = _codings(encoding) if encoding else []
        body, is_whole = await self._receive(receive)
        if is_whole and not codings:  # nearly every call
            return body, False
        content = decompress(body, codings, self._limit)
        if not is_whole or content.completeness is not Completeness.WHOLE:
            problem = content.completeness if is_whole else Completeness.TOO_LARGE
            raise self._rejection(problem, content.data)
        return content.data, bool(codings)

    async def _receive(self, receive: Receive) -> tuple[bytes, bool]:
        """Return the body, and whether that is all of it: at the limit its end is not read."""
        body, more = b"", True
        chunks: list[bytes] = []
        size = 0
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise CallError(
                    400,
                    "incomplete",
                    "The client closed the connection before sending the whole body.",
                )
            body, more = message.get("body", b""), message.get("more_body", False)
            size += len(body)
            chunks.append(body)
            if size > self._limit:
                return b"".join(chunks), False
        return body if len(chunks) == 1 else b"".join(chunks), True

    def _rejection(self, completeness: Completeness, data: bytes) -> CallError:
        token = find_token(data[: self._limit]) if self._find_tokens else ""
        if completeness is Completeness.TOO_LARGE:
            detail = f"The request body is larger than {self._limit} bytes (VERTEXKIT_BODY_LIMIT)."
            return CallError(413, "too_large", detail, token)
        detail = "The request body is not complete, or not in the format of its Content-Encoding."
        return CallError(400, "malformed_encoding", detail, token)


def _codings(content_encoding: str) -> list[str]:
    """Return the codings to undo, in that order; none if there is one that cannot be undone."""
    names = [name.strip().lower() for name in content_encoding.split(",")]
    codings = [name for name in reversed(names) if name not in PLAIN_CODINGS]
    known = GZIP | DEFLATE
    return codings if len(codings) <= MAX_CODINGS and known.issuperset(codings) else []


def decompress(body: bytes, codings: list[str], limit: int) -> Content:
    """Undo codings, each up to a limit. A body that is not compressed after all stays as it is.

    Args:
        body: as it arrived.
        codings: `gzip` or `deflate`, the last one that was applied first.
        limit: bytes that are kept.
    """
    completeness = Completeness.WHOLE
    for coding in codings:
        body, state = _inflate(body, limit, is_gzip=coding in GZIP)
        if completeness is Completeness.WHOLE:
            completeness = state
    return Content(body, completeness)


def _inflate(data: bytes, limit: int, *, is_gzip: bool) -> Content:
    whole, parts, size = data, list[bytes](), 0
    for _ in range(MAX_MEMBERS):
        member = zlib.decompressobj(GZIP_FORMAT if is_gzip else _deflate_format(data))
        try:
            parts.append(member.decompress(data, limit + 1 - size))
        except zlib.error:
            # A proxy may have decompressed the body and left the header.
            plain = not size and not (is_gzip and whole.startswith(GZIP_MARK))
            return Content(whole) if plain else Content(b"".join(parts), Completeness.DAMAGED)
        size += len(parts[-1])
        if size > limit:
            return Content(b"".join(parts), Completeness.TOO_LARGE)
        if not member.eof:
            break
        data = member.unused_data.lstrip(b"\0") if is_gzip else member.unused_data
        if not data:
            return Content(b"".join(parts))
        if not is_gzip:
            break
    return Content(b"".join(parts), Completeness.DAMAGED)


def _deflate_format(data: bytes) -> int:
    has_header = data[:1] and data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
    return ZLIB_FORMAT if has_header else RAW_FORMAT
