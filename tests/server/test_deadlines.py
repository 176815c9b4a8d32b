"""A client that is slow on purpose keeps a connection for seconds and delays no other client."""

import pytest

from tests.loop_time import skip
from tests.server.site import Open, chunked, get, post
from vertexkit.server.limits import LINGER_SECONDS

HEAD_SECONDS, BODY_SECONDS = 10.0, 12.0
DEADLINES = {"head_timeout": HEAD_SECONDS, "body_timeout": BODY_SECONDS}


def pass_deadlines() -> None:
    """Let every deadline pass that began before, and the next sweep find it."""
    skip(max(HEAD_SECONDS, BODY_SECONDS) + 1)


async def test_a_silent_connection_is_closed_without_a_word(site: Open) -> None:
    """A connection without a request is closed without a response."""
    async with site(**DEADLINES) as here, here.line() as line:
        await here.until(lambda: here.connections)
        pass_deadlines()
        assert await line.rest() == b""
        assert here.rejections == {"silent": 1}


@pytest.mark.parametrize("first", [b"G", b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", b"\r\n\r\n"])
async def test_a_head_has_to_come_in_time(site: Open, first: bytes) -> None:
    """Half a head is answered 408 at its deadline, and the connection is closed."""
    async with site(**DEADLINES) as here, here.line(first) as line:
        await here.has_read(len(first))
        pass_deadlines()
        assert (await line.answer()).rejection == (408, "head_timeout")
        assert await line.rest() == b""
        assert not here.asked


@pytest.mark.parametrize("first", [post(10) + b"123", post(10), chunked() + b"3\r\nabc\r\n"])
async def test_a_body_has_to_come_in_time(site: Open, first: bytes) -> None:
    """Half a body is answered 408, and the app sees that the client has disconnected."""
    async with site(**DEADLINES) as here, here.line(first) as line:
        await here.has_read(len(first))
        pass_deadlines()
        assert (await line.answer()).rejection == (408, "body_timeout")
        assert await line.rest() == b""
        await here.until(lambda: here.broken)
        assert not here.asked


async def test_a_drip_does_not_put_the_deadline_off(site: Open) -> None:
    """Single bytes do not extend the deadline: the whole body must arrive in time."""
    drop, seconds = b"1\r\nx\r\n", 4000.0  # far more than the requests between them take
    async with site(body_timeout=seconds) as here, here.line(chunked()) as line:
        await here.has_read(len(chunked()))
        for _ in range(4):
            skip(seconds / 4 + 1)
            expected = here.received + len(drop) + len(get())
            await line.send(drop)
            async with here.line(get()) as other:
                assert (await other.answer()).status == 200
            await here.has_read(expected)
        assert (await line.answer()).rejection == (408, "body_timeout")


async def test_between_two_requests_there_is_time(site: Open) -> None:
    """A connection that has been served stays open for the next request."""
    async with site(**DEADLINES) as here, here.line(get()) as kept:
        await kept.answer()
        async with here.line() as silent:
            await here.until(lambda: here.connections == 2)
            pass_deadlines()
            assert await silent.rest() == b""
        await kept.send(get())
        assert (await kept.answer()).status == 200


async def test_an_answer_may_take_its_time(site: Open) -> None:
    """The deadlines are the caller's, not the app's."""
    async with site(**DEADLINES) as here, here.line(get("/hold")) as held:
        await here.until(lambda: here.asked)
        async with here.line() as silent:
            await here.until(lambda: here.connections == 2)
            pass_deadlines()
            assert await silent.rest() == b""
        here.release.set()
        assert (await held.answer()).status == 200


async def test_what_was_asked_before_is_answered_first(site: Open) -> None:
    """An incomplete request does not prevent the response to the one before it."""
    first = get("/hold") + b"GET / HT"
    async with site(**DEADLINES) as here, here.line(first) as line:
        await here.has_read(len(first))
        pass_deadlines()
        await here.until(lambda: here.rejections["head_timeout"])
        here.release.set()
        assert (await line.answer()).status == 200
        assert await line.rest() == b""


async def test_a_body_that_nobody_wants_has_to_end_too(site: Open) -> None:
    """After an early response the rest of the body is read for a while, then the connection closes."""
    async with site() as here, here.line(post(10, path="/early")) as line:
        assert (await line.answer()).status == 200
        skip(LINGER_SECONDS + 1)
        assert await line.rest() == b""


async def test_a_caller_who_does_not_read_is_cut_off(site: Open) -> None:
    """A connection whose client does not read the response is closed, which frees its memory."""
    async with site(**DEADLINES) as here, here.line(get("/large") * 4):
        await here.until(lambda: here.is_writing_paused)
        pass_deadlines()
        await here.until(lambda: here.rejections["unread"])
