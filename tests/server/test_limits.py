"""However much a client sends, little is kept in memory, and the response arrives."""

import asyncio

import pytest

from tests.http_connection import HttpConnection
from tests.server.site import Open, chunked, get, post
from tests.waiting import PATIENCE_SECONDS
from vertexkit.server.limits import LINGER_BYTES, MAX_PIPELINED_REQUESTS


async def pour(line: HttpConnection, megabytes: int) -> None:
    for _ in range(megabytes):
        await line.send(b"x" * 1_000_000)


@pytest.mark.parametrize(
    "request_",
    [
        get("/", "X: " + "x" * 1024),
        get("/" + "x" * 1024),
        get("/", *(f"X-{n}: {n:05}" for n in range(90))),
        b"GET / HTTP/1.1\r\nX: " + b"x" * 300_000,
        b"GET /" + b"x" * 300_000,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000,
        b"\r\n" * 200_000,
    ],
    ids=["field", "url", "fields", "endless-field", "endless-url", "endless-fields", "newlines"],
)
async def test_a_head_has_a_limit(site: Open, request_: bytes) -> None:
    """A head over it is answered 431, however it came to that, and the connection closes."""
    async with site(head_limit=1024) as here, here.line(request_) as line:
        assert (await line.answer()).rejection == (431, "head_too_large")
        assert await line.rest() == b""
        assert not here.asked


async def test_a_head_has_at_most_a_hundred_fields(site: Open) -> None:
    """A field costs more than its bytes."""
    async with site() as here:
        whole = await here.ask(get("/", *(f"X-{n}: 1" for n in range(99))))
        assert (whole.status, whole.headers["x-fields"]) == (200, "100")
        answer = await here.ask(get("/", *(f"X-{n}: 1" for n in range(100))))
        assert answer.rejection == (431, "head_too_large")


async def test_many_requests_in_one_piece_are_no_large_head(site: Open) -> None:
    """The limit is for one request, not for others that arrive in the same piece."""
    async with site(head_limit=1024) as here, here.line(get() * 32 + b"GET / HT") as line:
        assert [(await line.answer()).status for _ in range(32)] == [200] * 32
        await line.send(b"TP/1.1\r\nHost: a\r\n\r\n")
        assert (await line.answer()).status == 200


async def test_only_so_many_requests_may_wait(site: Open) -> None:
    """Of a thousand in one piece the first ones are answered, and the connection closes."""
    async with site() as here, here.line(get() * 1000) as line:
        for _ in range(MAX_PIPELINED_REQUESTS + 1):
            assert (await line.answer()).status == 200
        await here.until(lambda: here.rejections["pipelined"])
        assert len(await line.rest()) < 1000
        assert len(here.asked) <= MAX_PIPELINED_REQUESTS + 2


async def test_trailers_are_not_kept(site: Open) -> None:
    """Trailers are ignored; endless ones are rejected."""
    async with site(body_limit=1000) as here:
        some = await here.ask(chunked() + b"3\r\nabc\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n")
        assert (some.status, some.body, some.headers["x-fields"]) == (200, b"3", "2")
        async with here.line(chunked() + b"0\r\n" + b"X: " + b"y" * 400_000) as line:
            assert (await line.answer()).rejection == (413, "too_large")
            assert await line.rest() == b""


async def test_small_chunks_are_taken(site: Open) -> None:
    """A body may arrive byte by byte: the limit allows for the framing."""
    async with site(body_limit=100_000) as here:
        answer = await here.ask(chunked() + b"1\r\nx\r\n" * 30_000 + b"0\r\n\r\n")
        assert (answer.status, answer.body) == (200, b"30000")


async def test_chunks_that_nobody_wants_are_not_looked_at(site: Open) -> None:
    """After an early answer to a body in chunks, nothing more is understood on the connection."""
    async with site() as here, here.line(chunked("/early")) as line:
        assert (await line.answer()).status == 200
        await line.send(b"0\r\n\r\n" + get())
        await line.end()
        assert await line.rest() == b""
        assert here.asked == [("/early", 0)]


async def test_the_answer_to_a_large_request_is_seen(site: Open) -> None:
    """The rest of a rejected request is read, so that the client receives the response."""
    async with site(head_limit=1024) as here:
        answer = await here.ask(get("/", "X: " + "x" * 2_000_000))
        assert answer.rejection == (431, "head_too_large")


async def test_a_client_that_the_app_has_not_read_sees_its_rejection(site: Open) -> None:
    """A client that has to wait before it may send the rest can send it, and gets the response."""
    body = 8_000_000  # more than the buffers of a connection, less than is read and discarded
    async with site(body_timeout=0.5) as here, here.line(post(body, path="/late")) as line:
        sending = asyncio.create_task(pour(line, body // 1_000_000))
        assert (await line.answer()).rejection == (408, "body_timeout")
        assert not here.asked
        async with asyncio.timeout(PATIENCE_SECONDS):
            await sending


async def test_after_an_early_answer_the_connection_goes_on(site: Open) -> None:
    """After an early response and the rest of the body the connection can be used again."""
    async with site() as here, here.line(post(1_000_000, path="/early")) as line:
        assert (await line.answer()).status == 200
        await line.send(b"x" * 1_000_000 + get())
        assert (await line.answer()).status == 200
        assert here.asked == [("/early", 0), ("/", 0)]


async def test_what_nobody_wants_is_not_read_for_ever(site: Open) -> None:
    """Some megabytes after an early response the connection is closed."""
    async with site() as here, here.line(post(LINGER_BYTES * 4, path="/early")) as line:
        assert (await line.answer()).status == 200
        with pytest.raises(ConnectionError):
            await pour(line, LINGER_BYTES * 4 // 1_000_000)


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nBad Field: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        chunked() + b"zz\r\n",
        chunked() + b"FFFFFFFFFFFFFFFFFF\r\n",
    ],
    ids=[
        *("tls", "version", "http2", "connect", "field", "lengths", "both", "minus", "no-host"),
        *("two-hosts", "old-two-hosts", "no-version", "too-old", "too-new", "hex", "huge"),
    ],
)
async def test_what_is_not_http_is_told_so(site: Open, request_: bytes) -> None:
    """Garbage, and framing that two parsers could read differently, is answered 400."""
    async with site() as here, here.line(request_) as line:
        assert (await line.answer()).rejection == (400, "malformed_request")
        assert await line.rest() == b""
        assert here.rejections == {"malformed_request": 1}


@pytest.mark.parametrize(
    "request_", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", get()]
)
async def test_http_1_0_needs_no_host(site: Open, request_: bytes) -> None:
    """A probe in HTTP/1.0 need not name the host; other requests name it once."""
    async with site() as here, here.line(request_) as line:
        assert (await line.answer()).status == 200


async def test_garbage_behind_a_request_does_not_cost_its_answer(site: Open) -> None:
    """The response in progress is sent, and then the connection closes."""
    async with site() as here, here.line(get("/hold") + b"\x00garbage\r\n\r\n") as line:
        await here.until(lambda: here.rejections)
        here.release.set()
        assert (await line.answer()).status == 200
        assert await line.rest() == b""


async def test_a_wish_for_another_protocol_is_passed_over(site: Open) -> None:
    """A request to upgrade to WebSockets or HTTP/2 is answered as HTTP/1.1, then closed."""
    async with site() as here:
        for protocol in ("websocket", "h2c"):
            fields = (f"Upgrade: {protocol}", "Connection: Upgrade")
            chunks = "\r\n".join([*fields, "", "4", "body", "0", "", ""]).encode()
            for request in (
                get("/", *fields),
                post(4, *fields) + b"body",
                chunked()[:-2] + chunks,
            ):
                async with here.line(request + get()) as line:
                    answer = await line.answer()
                    assert (answer.status, answer.headers["connection"]) == (200, "close")
                    assert await line.rest() == b""
        assert here.asked == [("/", 0), ("/", 4), ("/", 4)] * 2
