"""The rest of a list, after an iteration that was interrupted."""

import asyncio
import random
from contextlib import aclosing
from typing import Any
from uuid import UUID

import pytest

from tests.botone.quirky_list import client_of, quirky
from tests.botone.quirky_server import QuirkyServer
from vertexkit import BotOne

Start = tuple[list[int | UUID], int]


async def interrupted(bot: BotOne, count: int, page_size: int = 20) -> Start:
    """Read the first dialogs of a list: their ids, and the total at that time."""
    conversations = bot.v2.conversations(page_size=page_size)
    found: list[int | UUID] = []
    async with aclosing(aiter(conversations)) as dialogs:
        async for dialog in dialogs:
            found.append(dialog.id)
            if len(found) == count:
                break
    assert conversations.total_at_start is not None
    return found, conversations.total_at_start


async def rest_after(bot: BotOne, start: Start, page_size: int = 20) -> list[int | UUID]:
    """The ids that a later iteration returns."""
    conversations = bot.v2.conversations(page_size=page_size)
    conversations.resume_after(*start)
    found = [dialog.id async for dialog in conversations]
    assert conversations.problems == ()
    assert len(found) == len(set(found))
    return found


def keys(numbers: range) -> list[UUID]:
    return [UUID(int=number) for number in numbers]


async def requested_after(
    server: QuirkyServer, count: int, grown: int = 0
) -> tuple[Any, list[int]]:
    """What is returned after an interruption, and the pages that are requested for it."""
    async with client_of(server) as bot:
        start = await interrupted(bot, count)
    later = QuirkyServer(list(server.dialogs))  # requests of the first iteration do not reach it
    for _ in range(grown):
        later.grow()
    async with client_of(later) as bot:
        return await rest_after(bot, start), later.requested


async def test_pages_that_were_read_are_not_read_again() -> None:
    """Only the first page, for new dialogs, and what follows are requested."""
    found, requested = await requested_after(quirky(200), 105)
    assert found == keys(range(95, 0, -1))
    assert requested == [1, 5, 6, 7, 8, 9, 10]


async def test_dialogs_that_began_meanwhile_are_returned_too() -> None:
    """They are at the front, over several pages; the rest has moved by as many places."""
    found, requested = await requested_after(quirky(200), 105, grown=45)
    assert found == keys(range(245, 200, -1)) + keys(range(95, 0, -1))
    assert requested == [1, 2, 3, 7, 8, 9, 10, 11, 12, 13]


async def test_a_list_that_was_read_to_its_end_takes_one_request() -> None:
    """Nothing is returned, and no other page is requested."""
    assert await requested_after(quirky(200), 200) == ([], [1])


async def test_a_list_that_has_changed_otherwise_is_read_again() -> None:
    """If dialogs were deleted or moved, it is unknown on which pages the others are now."""
    for change in (
        lambda server: server.dialogs.pop(3),
        lambda server: server.dialogs.pop(150),
        lambda server: server.bump(190),
        lambda server: (server.grow(), server.dialogs.pop(3)),
    ):
        server = quirky(200)
        async with client_of(server) as bot:
            start = await interrupted(bot, 105)
            change(server)
            found = await rest_after(bot, start)
        assert {UUID(dialog["id"]) for dialog in server.dialogs} <= {*start[0], *found}
        assert len(found) > 150


@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("change", ["grow", "shrink", "bump", "both"])
async def test_nothing_is_lost_whatever_changes(change: str, seed: int) -> None:
    """Between the two iterations and during them: what was there all the time is returned."""
    chance = random.Random(f"{change} {seed}")
    server = quirky(160)
    deleted: set[str] = set()

    def disturb() -> None:
        if change in ("grow", "both"):
            server.grow()
        if change in ("shrink", "both"):
            deleted.add(server.dialogs.pop(chance.randrange(len(server.dialogs)))["id"])
        if change == "bump":
            server.bump(chance.randrange(len(server.dialogs)))

    async def before(_: int) -> None:
        for _ in range(chance.randrange(5)):
            await asyncio.sleep(0)
        if chance.random() < 0.4 and len(server.requested) < 25:
            disturb()

    server.before_page = before
    async with client_of(server) as bot:
        start = await interrupted(bot, chance.randrange(1, 150), page_size=10)
        for _ in range(chance.randrange(4)):
            disturb()
        server.requested.clear()
        found = await rest_after(bot, start, page_size=10)
    alive = {UUID(int=n) for n in range(1, 161)} - set(map(UUID, deleted))
    assert alive <= {*start[0], *found}


async def test_a_platform_without_totals_is_read_again() -> None:
    """Without them it is unknown what has changed."""
    server = QuirkyServer(quirky(60).dialogs)
    async with client_of(server) as bot:
        start = await interrupted(bot, 30)
        server.wrong["total"] = None
        assert len(await rest_after(bot, start)) == 60
