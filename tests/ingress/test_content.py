"""Decompressing bodies: what the standards say, what clients do, and never beyond the limit."""

import gzip
import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertexkit.ingress.content import MAX_MEMBERS, Completeness, decompress

LIMIT = 10_000
BODY = b'{"token":"t","x":"' + bytes(random.Random(1).choices(range(97, 123), k=3000)) + b'"}'
RAW = zlib.compressobj(wbits=-15)
IN_RAW_DEFLATE = RAW.compress(BODY) + RAW.flush()
MEMBERS = b"".join(gzip.compress(BODY[start : start + 100]) for start in range(0, len(BODY), 100))
FORMS = {
    "gzip": (gzip.compress(BODY), ["gzip"]),
    "gzip, stored": (gzip.compress(BODY, 0), ["x-gzip"]),
    "gzip, several members": (MEMBERS, ["gzip"]),
    "gzip, padded": (gzip.compress(BODY) + bytes(512), ["gzip"]),
    "deflate": (zlib.compress(BODY), ["deflate"]),
    "deflate, fast": (zlib.compress(BODY, 1), ["deflate"]),
    "deflate, without zlib's header": (IN_RAW_DEFLATE, ["deflate"]),
    "two codings": (gzip.compress(zlib.compress(BODY)), ["gzip", "deflate"]),
    "no coding": (BODY, []),
    "a label alone": (BODY, ["gzip"]),
    "another label alone": (BODY, ["deflate"]),
    "two labels alone": (BODY, ["gzip", "gzip"]),
}


@pytest.mark.parametrize("body, codings", FORMS.values(), ids=FORMS)
def test_a_body_is_decompressed(body: bytes, codings: list[str]) -> None:
    """In every form of gzip and deflate; a body that is not compressed is not changed."""
    content = decompress(body, codings, LIMIT)
    assert content.completeness is Completeness.WHOLE
    assert content.data == BODY


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("more", [0, 1])
def test_the_limit_is_that_of_the_decompressed_body(coding: str, more: int) -> None:
    """A body as large as the limit is whole; with one more byte it is too large."""
    body = b"{" + b" " * (LIMIT - 1 + more)
    packed = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    content = decompress(packed, [coding], LIMIT)
    assert content.completeness is (Completeness.TOO_LARGE if more else Completeness.WHOLE)
    assert content.data == body


BOMB_BYTES = 3_000_000
"""Much more than `LIMIT`; each process that collects the tests compresses it."""
BOMBS = {
    "gzip": (gzip.compress(b"{" * BOMB_BYTES), ["gzip"]),
    "deflate": (zlib.compress(b"{" * BOMB_BYTES), ["deflate"]),
    "twice": (gzip.compress(gzip.compress(b"{" * BOMB_BYTES)), ["gzip", "gzip"]),
    "members": (gzip.compress(b"{" * 9000) * 50, ["gzip"]),
}


@pytest.mark.parametrize("bomb, codings", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_not_decompressed_beyond_the_limit(bomb: bytes, codings: list[str]) -> None:
    """Memory stays below a few times the limit; the first part is there."""
    tracemalloc.start()
    try:
        content = decompress(bomb, codings, LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert content.completeness is Completeness.TOO_LARGE
    assert content.data == b"{" * (LIMIT + 1)
    assert peak < 20 * LIMIT


DAMAGED = {
    "cut off": (gzip.compress(BODY, 0)[:-2000], ["gzip"]),
    "without the checksum": (gzip.compress(BODY)[:-8], ["gzip"]),
    "a wrong checksum": (gzip.compress(BODY)[:-8] + bytes(8), ["gzip"]),
    "only the mark": (b"\x1f\x8b", ["gzip"]),
    "more behind it": (zlib.compress(BODY) + b"more", ["deflate"]),
    "empty": (b"", ["gzip"]),
    "too many members": (gzip.compress(b"") * (MAX_MEMBERS + 1), ["gzip"]),
}


@pytest.mark.parametrize("body, codings", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_body_is_not_whole(body: bytes, codings: list[str]) -> None:
    """What could be read of it is its first part."""
    content = decompress(body, codings, LIMIT)
    assert content.completeness is Completeness.DAMAGED
    assert BODY.startswith(content.data)


@given(
    body=st.binary(max_size=200), codings=st.lists(st.sampled_from(["gzip", "deflate"]), max_size=2)
)
def test_any_bytes_are_decompressed_or_damaged(body: bytes, codings: list[str]) -> None:
    """No bytes raise an error."""
    assert len(decompress(body, codings, LIMIT).data) <= LIMIT + 1
