"""Iteration over all pages of a list."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.botone.fake_api import client_of, platform_of
from vertexkit import BotOne
from vertexkit.botone.http_client import asgi_client

PageContent = Callable[[int], Any]


@asynccontextmanager
async def client_of_pages(
    content: PageContent, requested: list[int] | None = None
) -> AsyncIterator[BotOne]:
    """Return the client of a platform with these pages; their numbers are recorded."""

    async def serve(request: Request) -> JSONResponse:
        number = int(request.query_params["PageNumber"])
        if requested is not None:
            requested.append(number)
        return JSONResponse(content(number))

    app = Starlette(routes=[Route("/v2/conversations", serve)])
    async with asgi_client(app) as client:
        yield BotOne("http://p.test", "a", "b", client=client)


def page(number: int, ids: range, total_pages: int | None) -> dict[str, Any]:
    listed: dict[str, Any] = {
        str(index): {"id": dialog_id, "status": "new"} for index, dialog_id in enumerate(ids)
    }
    pagination = {"current_page": number, "total_pages": total_pages}
    return listed | {"meta": {"pagination": {k: v for k, v in pagination.items() if v}}}


async def test_new_dialogs_cause_no_repetitions() -> None:
    """Although each new dialog shifts the others, every old one is returned exactly once."""
    platform = platform_of(60)
    seen = []
    async with client_of(platform) as bot:
        async for dialog in bot.v2.conversations(page_size=7):
            seen.append(dialog.id)
            if len(seen) % 3 == 0:
                platform.conversations.add(698)
    assert len(seen) == len(set(seen)) >= 60


async def test_the_dialogs_of_a_page_come_together() -> None:
    """`batches` returns the dialogs of the iteration, in lists of one page each."""
    async with client_of(platform_of(60)) as bot:
        dialogs = [dialog async for dialog in bot.v2.conversations(page_size=25)]
        batches = [batch async for batch in bot.v2.conversations(page_size=25).batches()]
    assert list(map(len, batches)) == [25, 25, 10]
    assert [dialog for batch in batches for dialog in batch] == dialogs


async def test_few_pages_are_requested_in_advance() -> None:
    """Three pages are requested in advance, however long the list is."""
    requested: list[int] = []
    async with client_of_pages(lambda n: page(n, range(n * 10, n * 10 + 2), 50), requested) as bot:
        async with aclosing(aiter(bot.v2.conversations())) as dialogs:
            await anext(dialogs)
            for _ in range(50):
                await asyncio.sleep(0)
        assert max(requested) <= 4
        found = [dialog.id async for dialog in bot.v2.conversations()]
    assert found == [dialog for n in range(1, 51) for dialog in (n * 10, n * 10 + 1)]


async def test_the_end_is_found_without_total_pages() -> None:
    """If the number of pages is unknown, pages are requested until one is empty."""
    requested: list[int] = []
    async with client_of_pages(
        lambda n: page(n, range(n * 10, n * 10 + (2 if n < 4 else 0)), None), requested
    ) as bot:
        assert len([dialog async for dialog in bot.v2.conversations()]) == 6
    assert requested == [1, 2, 3, 4]


async def test_a_page_that_is_repeated_ends_a_list_of_unknown_length() -> None:
    """A platform that ignores the page's number and does not report it is not asked again and again."""
    requested: list[int] = []
    async with client_of_pages(lambda n: {"0": {"id": 1}, "meta": {}}, requested) as bot:
        assert [dialog.id async for dialog in bot.v2.conversations()] == [1]
    assert requested == [1, 2]


async def test_a_cut_emoji_hides_nothing() -> None:
    """Half of a character in a text becomes U+FFFD, as JSON with an escape and as cut UTF-8."""
    bodies = [
        rb'{"0": {"id": 1, "name": "#1 \ud83d"}, "1": {"id": 2, "name": "#2 \\ud83d"}, "meta": {}}',
        b'{"0": {"id": 1, "name": "#1 \xf0\x9f\x91"}, "1": {"id": 2, "name": "ok"}, "meta": {}}',
        b'\xef\xbb\xbf{"0": {"id": 1, "name": "#1 \\udc4d"}, "1": {"id": 2}, "meta": {}}',
    ]

    async def serve(request: Request) -> Response:
        return Response(bodies[0], media_type="application/json")

    app = Starlette(routes=[Route("/v2/conversations", serve)])
    async with asgi_client(app) as client:
        bot = BotOne("http://p.test", "a", "b", client=client)
        while bodies:
            page = await bot.v2.conversations().page()
            assert page.items[0].name == "#1 \ufffd"
            assert len(page.items) == 2
            if len(bodies) == 3:
                assert page.items[1].name == r"#2 \ud83d"
            bodies.pop(0)


async def test_unfinished_requests_are_cancelled() -> None:
    """An iteration that ends early leaves no task behind."""
    async with client_of_pages(lambda n: page(n, range(n, n + 1), 9)) as bot:
        before = asyncio.all_tasks()
        async with aclosing(aiter(bot.v2.conversations())) as dialogs:
            assert (await anext(dialogs)).id == 1
        assert asyncio.all_tasks() == before


async def test_page_numbers_start_at_one() -> None:
    """Page 0 is an error, and nothing is requested."""
    async with client_of_pages(lambda n: {}) as bot:
        with pytest.raises(ValueError, match="at least 1, got 0"):
            await bot.v2.conversations().page(0)


async def test_dialogs_come_with_their_data_in_the_list_s_order() -> None:
    """Some are requested at the same time, known ones are skipped, and the order is kept."""
    platform = platform_of(60)
    async with client_of(platform) as bot:
        listed = [dialog async for dialog in bot.v2.conversations(page_size=20)]
        known = {str(dialog.id) for dialog in listed[:10]}
        found = [
            dialog
            async for dialog in bot.v2.conversations(page_size=20).detailed(
                4, skip=lambda dialog: str(dialog.id) in known
            )
        ]
    assert [dialog.id for dialog in found] == [dialog.id for dialog in listed[10:]]
    assert any(dialog.data for dialog in found)
    assert not any(dialog.unread for dialog in found)
    assert [entry.method for entry in platform.ledger].count("v2.conversation") == 50


@pytest.mark.parametrize("status", [403, 404])
async def test_a_deleted_dialog_is_returned_without_data(status: int) -> None:
    """A dialog deleted after it was listed keeps the list's fields and is marked as unread.

    So is one that the account may not read any more: the others are still returned.
    """
    platform = platform_of(5)
    platform.fail("v2.conversation", status=status, after=2)
    async with client_of(platform) as bot:
        found = [dialog async for dialog in bot.v2.conversations().detailed()]
    assert [dialog.unread for dialog in found].count(True) == 1
    assert len(found) == 5
    assert all(dialog.name for dialog in found)
