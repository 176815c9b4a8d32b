"""A walk through all pages of a list."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.botone.asked import asking, platform_of
from vertexkit import BotOne
from vertexkit.botone.http_client import asgi_client
from vertexkit.errors import UnexpectedResponse

Answer = Callable[[int], Any]


@asynccontextmanager
async def answering(answer: Answer, asked: list[int] | None = None) -> AsyncIterator[BotOne]:
    """A platform whose pages a test makes up."""

    async def serve(request: Request) -> JSONResponse:
        number = int(request.query_params["PageNumber"])
        if asked is not None:
            asked.append(number)
        return JSONResponse(answer(number))

    app = Starlette(routes=[Route("/v2/conversations", serve)])
    async with asgi_client(app) as client:
        yield BotOne("http://p.test", "a", "b", client=client)


def page(number: int, ids: range, total_pages: int | None) -> dict[str, Any]:
    listed: dict[str, Any] = {str(at): {"id": each, "status": "new"} for at, each in enumerate(ids)}
    pagination = {"current_page": number, "total_pages": total_pages}
    return listed | {"meta": {"pagination": {k: v for k, v in pagination.items() if v}}}


async def test_dialogs_that_appear_meanwhile_double_nothing() -> None:
    """Each new dialog pushes the others on: every old one is still given exactly once."""
    platform = platform_of(60)
    seen = []
    async with asking(platform) as bot:
        async for dialog in bot.v2.conversations(page_size=7):
            seen.append(dialog.id)
            if len(seen) % 3 == 0:
                platform.conversations.add(698)
    assert len(seen) == len(set(seen)) >= 60


async def test_few_pages_are_in_flight() -> None:
    """Ahead of the reader three pages are asked for, however long the list is."""
    asked: list[int] = []
    async with answering(lambda n: page(n, range(n * 10, n * 10 + 2), 50), asked) as bot:
        async with aclosing(aiter(bot.v2.conversations())) as walk:
            await anext(walk)
            for _ in range(50):
                await asyncio.sleep(0)
        assert max(asked) <= 4
        found = [dialog.id async for dialog in bot.v2.conversations()]
    assert found == [each for n in range(1, 51) for each in (n * 10, n * 10 + 1)]


async def test_the_end_is_found_without_being_told() -> None:
    """A platform that does not say how many pages there are is asked until one is empty."""
    asked: list[int] = []
    async with answering(
        lambda n: page(n, range(n * 10, n * 10 + (2 if n < 4 else 0)), None), asked
    ) as bot:
        assert len([dialog async for dialog in bot.v2.conversations()]) == 6
    assert asked == [1, 2, 3, 4]


async def test_a_platform_that_goes_in_circles_is_noticed() -> None:
    """The first page again, instead of the one that was asked for, is an error and no endless walk."""
    async with answering(lambda n: page(1, range(5), 100)) as bot:
        with pytest.raises(
            UnexpectedResponse, match="requested page 2, the platform returned page 1"
        ):
            [dialog async for dialog in bot.v2.conversations()]


async def test_a_failure_comes_in_its_turn_and_leaves_nothing_running() -> None:
    """What was read before it is given; the pages in flight behind it are let go."""
    broken = {"0": {"status": "no id"}, "meta": {}}
    async with answering(lambda n: broken if n == 2 else page(n, range(n, n + 1), 9)) as bot:
        before = asyncio.all_tasks()
        walk = aiter(bot.v2.conversations())
        assert (await anext(walk)).id == 1
        with pytest.raises(UnexpectedResponse, match=r"items\.0\.id"):
            await anext(walk)
        assert asyncio.all_tasks() == before


async def test_pages_are_counted_from_one() -> None:
    """Page 0 is a slip that is told before anything is asked."""
    async with answering(lambda n: {}) as bot:
        with pytest.raises(ValueError, match="at least 1, got 0"):
            await bot.v2.conversations().page(0)


async def test_dialogs_come_with_their_data_in_the_list_s_order() -> None:
    """A few are asked for at once, those that are known are left out, and none is lost."""
    platform = platform_of(60)
    async with asking(platform) as bot:
        listed = [dialog async for dialog in bot.v2.conversations(page_size=20)]
        known = {str(dialog.id) for dialog in listed[:10]}
        found = [
            dialog async for dialog in bot.v2.conversations(page_size=20).detailed(4, known=known)
        ]
    assert [dialog.id for dialog in found] == [dialog.id for dialog in listed[10:]]
    assert any(dialog.data for dialog in found)
    assert not any(dialog.unread for dialog in found)
    assert [entry.method for entry in platform.ledger].count("v2.conversation") == 50


async def test_a_dialog_that_is_deleted_meanwhile_comes_without_its_data() -> None:
    """What the list held of it is kept, and it says that the rest could not be read."""
    platform = platform_of(5)
    platform.fail("v2.conversation", status=404, after=2)
    async with asking(platform) as bot:
        found = [dialog async for dialog in bot.v2.conversations().detailed()]
    assert [dialog.unread for dialog in found].count(True) == 1
    assert len(found) == 5
    assert all(dialog.name for dialog in found)
