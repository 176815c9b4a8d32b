"""When there are too many connections, idle ones are closed so that active clients are served."""

from contextlib import AsyncExitStack

import pytest

from tests.http_connection import HttpConnection
from tests.server.site import Open, Site, chunked, get, post
from vertexkit.server.limits import RESERVED_FILES, max_connections, max_files
from vertexkit.settings import Settings

FEW = 4


async def lines(stack: AsyncExitStack, here: Site, *first: bytes) -> list[HttpConnection]:
    """Open connections one after the other, and send these bytes on each."""
    return [await stack.enter_async_context(here.line(data)) for data in first]


async def test_silent_ones_make_room(site: Open) -> None:
    """Any number of silent connections does not prevent a request from being answered."""
    async with site(clients=FEW) as here, AsyncExitStack() as stack:
        silent = await lines(stack, here, *[b""] * FEW * 10)
        assert (await here.ask(get())).status == 200
        assert await silent[0].rest() == b""
        assert here.rejections["crowded"] >= FEW * 9


async def test_half_a_head_is_as_good_as_none(site: Open) -> None:
    """Connections with an incomplete head are closed like silent ones."""
    async with site(clients=FEW) as here, AsyncExitStack() as stack:
        await lines(stack, here, *[b"GET / HTTP/1.1\r\n"] * FEW * 10)
        assert (await here.ask(get())).status == 200


async def test_those_never_heard_go_before_those_served(site: Open) -> None:
    """An idle connection that was used before is closed after those that were never used."""
    async with site(clients=FEW) as here, AsyncExitStack() as stack:
        [served] = await lines(stack, here, get())
        await served.answer()
        await lines(stack, here, *[b""] * FEW * 10)
        await served.send(get())
        assert (await served.answer()).status == 200


async def test_those_served_go_before_those_who_send(site: Open) -> None:
    """A connection that sends a body is not closed while there are idle ones."""
    async with site(clients=FEW) as here, AsyncExitStack() as stack:
        [sending, *served] = await lines(stack, here, post(4), *[get()] * (FEW - 1))
        for line in served:
            await line.answer()
        await here.has_read(len(post(4)) + (FEW - 1) * len(get()))
        [newcomer] = await lines(stack, here, get())
        assert (await newcomer.answer()).status == 200
        await sending.send(b"body")
        assert (await sending.answer()).body == b"4"


@pytest.mark.parametrize(
    "request_, rejection",
    [
        (get("/" + "x" * 2000), (431, "head_too_large")),
        (chunked() + b"1\r\nx\r\n" * 100_000, (413, "too_large")),
    ],
    ids=["head", "body"],
)
async def test_a_rejected_one_goes_first(
    site: Open, request_: bytes, rejection: tuple[int, str]
) -> None:
    """A connection that lingers after a rejection is closed before those that are in use."""
    limits = {"head_limit": 1024, "body_limit": 1000}
    async with site(clients=FEW, **limits) as here, AsyncExitStack() as stack:
        served = await lines(stack, here, *[get()] * (FEW - 1))
        for line in served:
            await line.answer()
        [rejected] = await lines(stack, here, get())
        assert (await rejected.answer()).status == 200
        await rejected.send(request_)
        assert (await rejected.answer()).rejection == rejection
        [newcomer] = await lines(stack, here, get())
        assert (await newcomer.answer()).status == 200
        assert here.rejections["crowded"] == 1
        for line in served:
            await line.send(get())
            assert (await line.answer()).status == 200


async def test_one_answered_before_its_body_goes_first(site: Open) -> None:
    """So is a connection whose request was answered before its body had arrived."""
    async with site(clients=FEW) as here, AsyncExitStack() as stack:
        served = await lines(stack, here, *[get()] * (FEW - 1))
        for line in served:
            await line.answer()
        [early] = await lines(stack, here, post(1000, path="/early"))
        assert (await early.answer()).status == 200
        [newcomer] = await lines(stack, here, get())
        assert (await newcomer.answer()).status == 200
        for line in served:
            await line.send(get())
            assert (await line.answer()).status == 200


async def test_the_one_who_sends_for_longest_is_told_why(site: Open) -> None:
    """If all connections send, the oldest one is answered 503, and the new one is served."""
    async with site(clients=FEW) as here, AsyncExitStack() as stack:
        first, *_ = await lines(stack, here, *[post(4)] * FEW)
        await here.has_read(FEW * len(post(4)))
        [newcomer] = await lines(stack, here, get())
        assert (await newcomer.answer()).status == 200
        assert (await first.answer()).rejection == (503, "crowded")
        await here.until(lambda: here.broken)


async def test_who_is_being_answered_never_goes(site: Open) -> None:
    """If all connections wait for responses, the new one is closed."""
    async with site(clients=FEW) as here, AsyncExitStack() as stack:
        held = await lines(stack, here, *[get("/hold")] * FEW)
        await here.until(lambda: len(here.asked) == FEW)
        [newcomer] = await lines(stack, here, get())
        assert await newcomer.rest() == b""
        here.release.set()
        assert [(await line.answer()).status for line in held] == [200] * FEW
        assert (await here.ask(get())).status == 200


async def test_whoever_leaves_makes_room(site: Open) -> None:
    """Closed connections are not counted."""
    async with site(clients=FEW) as here:
        for _ in range(FEW * 5):
            assert (await here.ask(get())).status == 200
        assert not here.rejections


def test_there_are_no_more_than_the_system_has_files_for() -> None:
    """A limit beyond the system's would end in errors at each accept."""
    assert max_connections(Settings.of(clients=10_000_000)) <= max_files() - RESERVED_FILES
    assert max_connections(Settings.of(clients=100)) == 100
