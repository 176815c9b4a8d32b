"""Any bytes on a connection lead to a response or its end, never to a 500, a hang or a leak."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.examples import MANY
from tests.fuzz.service import SECRET, STATUS, TOKEN, Target, call, target

# The service, in another thread, uses `random` for its back-off while inputs are generated here.
pytestmark = [
    pytest.mark.unmeasured,
    pytest.mark.filterwarnings("ignore:Do not use the `random` module"),
]

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.http"))
LEAKS = (SECRET.encode(), TOKEN.encode(), b"Traceback", b"site-packages")

WORDS = [
    b"GET ", b"POST ", b"PUT ", b"HEAD ", b"OPTIONS * ", b"CONNECT a:1 ", b"PRI * HTTP/2.0\r\n\r\n",
    b"/blocks/echo", b"/blocks/", b"/blocks/loan/", b"/openapi.json", b"/metrics", b"/%", b"//", b"/..",
    b"http://a/blocks/echo", b"?", b"?key=", b"%FF", b"%00", b"#", SECRET.encode(),
    b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b" HTTP/0.9\r\n", b" HTTP/1.1\n", b"Host: a\r\n", b"Host: \x00\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: 99999999999999999999\r\n", b"Content-Length: 5, 5\r\n",
    b"Content-Length : 5\r\n", b"Content-Length: 0x5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: identity\r\n", b"TE: trailers\r\n",
    b"Content-Encoding: gzip\r\n", b"Content-Type: application/json\r\n", b"Content-Type: \xff\r\n",
    b"Content-Type: application/x-www-form-urlencoded; charset=utf-7\r\n", b"Expect: 100-continue\r\n",
    b"Connection: close\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"traceparent: 00-0-0-0\r\n",
    b"X-Forwarded-For: ::1%eth0\r\n", b" folded\r\n", b"\r\n", b"\n", b"\r", b"\x00", b"5\r\nhello\r\n",
    b"0\r\n\r\n", b"FFFFFFFFFFFFFFFF\r\n", b'5;ext="\r\n', b"-1\r\n", b"{", b'{"token":"', b'"}', b"token=",
    TOKEN.encode(), b'{"token":["t"]}', b"\xf0\x9f\x98\x80", b"\\ud800", call(), call(b"{"), call(key="no"),
]  # fmt: skip
PIECES = st.lists(st.sampled_from(WORDS) | st.binary(max_size=40), min_size=1, max_size=14)


@pytest.fixture(scope="module")
def service() -> Iterator[Target]:
    with target() as found:
        yield found
        assert found.is_well()


def holds(received: bytes) -> None:
    """Check that a response is not a server error and contains no secret."""
    statuses = {int(status) for status in STATUS.findall(received)}
    assert not statuses & {*range(500, 503), *range(504, 600)}, received
    assert not received or received.startswith(b"HTTP/1."), received
    assert not [leak for leak in LEAKS if leak in received], received


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_was_found_once_stays_mended(path: Path, service: Target) -> None:
    """Requests that have caused errors in servers, or are likely to."""
    whole = path.read_bytes()
    holds(service.send([whole]))
    holds(service.send([whole[at : at + 1] for at in range(min(len(whole), 400))]))


def test_any_bytes_are_survived(service: Target) -> None:
    """Pieces of HTTP and noise, whole or bit by bit, several requests on a connection."""

    @MANY
    @given(PIECES)
    def throw(pieces: list[bytes]) -> None:
        holds(service.send(pieces))

    throw()


def test_a_proper_call_survives_any_neighbour(service: Target) -> None:
    """Whatever another connection sends, a call is answered 200 and its block completed."""

    @MANY
    @given(PIECES)
    def throw(pieces: list[bytes]) -> None:
        service.send(pieces)
        received = service.answer(call())
        assert received.startswith(b"HTTP/1.1 200 "), received

    throw()


def test_any_json_in_a_proper_frame_is_answered(service: Target) -> None:
    """Values of every kind and shape for the inputs and the token: 200 or a 4xx that says why."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
    names = st.sampled_from(["token", "data", "amount", "months", "x", "", "\x00"])
    values = st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner), max_leaves=9
    )  # fmt: skip

    @MANY
    @given(values, st.sampled_from(["echo", "loan", "nothing"]))
    def throw(value: object, block: str) -> None:
        received = service.answer(call({"token": "t", "x": value}, f"/blocks/{block}"))
        received += service.answer(call(value, f"/blocks/{block}"))
        holds(received)
        assert len(STATUS.findall(received)) == 4, received

    throw()
