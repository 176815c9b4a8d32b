"""The walk over a list that changes, or whose pagination is wrong, against an independent server."""

import asyncio
import random
import warnings
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.botone.quirky_list import client_of, quirky
from tests.botone.quirky_server import HTML, QuirkyServer
from vertexkit import IncompleteListWarning
from vertexkit.botone.pages import Conversations
from vertexkit.errors import ServerError, Unauthorized, UnexpectedResponse


async def numbers_of(conversations: Conversations) -> list[int]:
    found = [dialog.id async for dialog in conversations]
    return [number.int for number in found if isinstance(number, UUID)]


async def walked(server: QuirkyServer, page_size: int = 40) -> tuple[list[int], tuple[str, ...]]:
    """The numbers of the dialogs that a walk returned, and its problems."""
    async with client_of(server) as bot:
        conversations = bot.v2.conversations(page_size=page_size)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = await numbers_of(conversations)
        texts = [str(one.message) for one in caught if one.category is IncompleteListWarning]
        assert len(texts) == bool(conversations.problems)
        assert all(problem in texts[0] for problem in conversations.problems)
    return found, conversations.problems


def assert_complete(found: list[int], count: int) -> None:
    """All dialogs that were there from the start were returned, and none twice."""
    assert set(range(1, count + 1)) - set(found) == set()
    assert len(found) == len(set(found))


async def test_a_dialog_that_begins_between_two_pages() -> None:
    """The platform answers page 4 before page 3, and a dialog begins in between: none is lost."""
    server = quirky()
    fourth = asyncio.Event()

    async def before(number: int) -> None:
        if number == 3 and not fourth.is_set():
            await fourth.wait()
            server.grow()

    async def after(number: int) -> None:
        if number == 4:
            fourth.set()

    server.before_page, server.after_page = before, after
    found, problems = await walked(server)
    assert_complete(found, 200)
    assert problems == ()


async def test_a_dialog_that_is_deleted_between_two_pages() -> None:
    """The others move to earlier pages, and none of them is lost."""
    server = quirky()

    async def before(number: int) -> None:
        if number == 3 and len(server.dialogs) == 200:
            del server.dialogs[5]

    server.before_page = before
    found, problems = await walked(server)
    assert_complete(found, 200)
    assert problems == ()


@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("change", ["grow", "shrink", "bump", "both"])
async def test_a_list_that_changes_all_the_time(change: str, seed: int) -> None:
    """Pages come in any order, and the list changes between them: what was there stays there."""
    chance = random.Random(f"{change} {seed}")
    server = quirky(150)
    deleted: set[str] = set()

    async def before(_: int) -> None:
        for _ in range(chance.randrange(5)):
            await asyncio.sleep(0)
        if chance.random() < 0.5 and len(server.requested) < 25:
            if change in ("grow", "both"):
                server.grow()
            if change in ("shrink", "both"):
                deleted.add(server.dialogs.pop(chance.randrange(len(server.dialogs)))["id"])
            if change == "bump":
                server.bump(chance.randrange(len(server.dialogs)))

    server.before_page = before
    found, problems = await walked(server, page_size=10)
    expected = {n for n in range(1, 151) if str(UUID(int=n)) not in deleted}
    assert expected - set(found) == set()
    assert len(found) == len(set(found))
    assert problems == ()


QUIRKS: dict[str, Callable[[QuirkyServer], Any]] = {
    "too few pages": lambda server: server.wrong.update(total_pages=3),
    "no pages": lambda server: server.wrong.update(total_pages=0),
    "unknown pages": lambda server: server.wrong.update(total_pages=None),
    "too many pages": lambda server: server.wrong.update(total_pages=10_000),
    "texts": lambda server: server.wrong.update(total="200", total_pages="5", per_page="40"),
    "unknown total": lambda server: server.wrong.update(total=None),
    "nothing known": lambda server: server.wrong.update(total=None, total_pages=None),
    "too low total": lambda server: server.wrong.update(total=7),
    "no page size": lambda server: server.wrong.update(per_page=0),
    "shorter pages": lambda server: setattr(server, "page_limit", 13),
    "shorter than said": lambda server: vars(server).update(page_limit=13, per_page=40),
    "one empty page": lambda server: server.empty_pages.update({3: 1}),
    "a failing page": lambda server: server.page_answers.update({3: [500, 502, HTML, HTML]}),
    "cut pages": lambda server: server.page_answers.update({1: [HTML], 5: [b'{"0": {"id": "c']}),
    "oldest first": lambda server: server.dialogs.reverse(),
}


@pytest.mark.parametrize("quirk", QUIRKS.values(), ids=QUIRKS)
async def test_a_wrong_pagination_loses_nothing(quirk: Callable[[QuirkyServer], Any]) -> None:
    """Whatever the pagination says, all 200 dialogs are returned, and few pages are requested."""
    server = quirky()
    quirk(server)
    found, problems = await walked(server)
    assert sorted(found) == list(range(1, 201))
    assert problems == ()
    assert len(server.requested) < 30


LOSSES: dict[str, tuple[Callable[[QuirkyServer], Any], int, str]] = {
    "an empty page": (
        lambda server: server.empty_pages.update({3: 99}),
        40,
        "reports 200 dialogs, and 160 could be read",
    ),
    "a repeated page": (
        lambda server: server.other_pages.update({4: 3}),
        40,
        "reports 200 dialogs, and 160 could be read",
    ),
    "a wrong total": (
        lambda server: server.wrong.update(total=250),
        0,
        "reports 250 dialogs, and 200 could be read",
    ),
    "a failing page": (
        lambda server: server.page_answers.update({2: [500] * 99}),
        40,
        "page 2 of the list could not be read: GET /v2/conversations: answered 500",
    ),
    "no dialog": (
        lambda server: server.dialogs.insert(50, {"id": None}),
        0,
        "1 entries of the list are not dialogs",
    ),
    "one page only": (
        lambda server: server.other_pages.update(dict.fromkeys(range(2, 9), 1)),
        160,
        "reports 200 dialogs, and 40 could be read",
    ),
}


@pytest.mark.parametrize("quirk, lost, sentence", LOSSES.values(), ids=LOSSES)
async def test_what_cannot_be_made_good_is_said(
    quirk: Callable[[QuirkyServer], Any], lost: int, sentence: str
) -> None:
    """The other dialogs are returned, and a warning says what is missing."""
    server = quirky()
    quirk(server)
    found, problems = await walked(server)
    assert len(found) == len(set(found)) == 200 - lost
    assert sentence in " ".join(problems)
    assert len(server.requested) < 70


async def test_an_unchanged_list_costs_nothing_more() -> None:
    """Each page is requested once, three of them ahead."""
    server = quirky()
    assert (await walked(server))[1] == ()
    assert sorted(server.requested) == [1, 2, 3, 4, 5]


async def test_an_empty_list() -> None:
    """One page is requested."""
    server = quirky(0)
    assert await walked(server) == ([], ())
    assert server.requested == [1]


async def test_a_broken_platform_ends_the_walk() -> None:
    """Not one page in a row but several fail: the error is raised, and the rest not asked for."""
    server = quirky(4000)
    for number in range(4, 101):
        server.page_answers[number] = [500] * 99
    async with client_of(server) as bot:
        with pytest.raises(ServerError, match="answered 500"):
            [dialog async for dialog in bot.v2.conversations(page_size=40)]
    assert len(set(server.requested)) < 12


@pytest.mark.parametrize("answer, error", [(401, Unauthorized), (301, UnexpectedResponse)])
async def test_the_first_page_must_be_read(answer: int, error: type[Exception]) -> None:
    """Without the first page there is no list."""
    server = quirky()
    server.page_answers[1] = [answer] * 9
    async with client_of(server) as bot:
        with pytest.raises(error):
            [dialog async for dialog in bot.v2.conversations()]


async def test_one_odd_dialog_harms_nobody() -> None:
    """Dialogs whose data cannot be read keep the list's members and their error; others are read."""
    server = quirky(60)
    keys = [dialog["id"] for dialog in server.dialogs]
    server.answers.update(
        {
            keys[3]: [500] * 99,
            keys[5]: [HTML] * 99,
            keys[7]: [HTML],
            keys[9]: [403],
            keys[11]: [404],
        }
    )
    server.data.update({keys[20]: b'{"id": 5', keys[30]: "nonsense", keys[40]: [{"answer": "a"}]})
    async with client_of(server) as bot:
        conversations = bot.v2.conversations()
        with pytest.warns(IncompleteListWarning, match="3"):
            found = [dialog async for dialog in conversations.detailed()]
    failed = {str(dialog.id): dialog.error for dialog in found if dialog.unread}
    assert [str(dialog.id) for dialog in found] == keys
    assert failed.keys() == {keys[index] for index in (3, 5, 9, 11, 20)}
    assert all(dialog.name and dialog.status == "completed" for dialog in found)
    assert found[30].unreadable == {"data": "nonsense"}
    assert found[40].data[0].answer == "a"
    assert len(conversations.problems) == 3
    assert f"the data of dialog {keys[3]} could not be read" in conversations.problems[0]


async def test_a_platform_that_breaks_ends_the_reading_of_data() -> None:
    """If the data of ten dialogs in a row cannot be read, the error is raised."""
    server = quirky(60)
    server.answers.update({dialog["id"]: [500] * 99 for dialog in server.dialogs[20:]})
    async with client_of(server) as bot:
        details = bot.v2.conversations().detailed()
        found = [await anext(details) for _ in range(29)]
        with pytest.raises(ServerError):
            await anext(details)
    assert [dialog.unread for dialog in found] == [False] * 20 + [True] * 9


async def test_a_create_without_an_answer_says_that_the_dialog_may_exist() -> None:
    """An empty response with status 200 is an error that is not tried again."""
    server = quirky()
    async with client_of(server) as bot:
        with pytest.raises(
            UnexpectedResponse, match="the dialog may have been created, and its bot"
        ):
            await bot.v2.create_and_start(698)
        with pytest.raises(UnexpectedResponse, match="the dialog may have been created"):
            await bot.v1.create(698)
        assert await bot.v2.create_and_start(698, response=False) is None
