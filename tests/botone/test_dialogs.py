"""The client of methods 1 to 13 with the strict fake platform over sockets."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from tests.botone.fake_api import PASSWORD, client_of, last_request, platform_of, requested_methods
from vertexkit import BotOne, Conversation
from vertexkit.botone.http_client import asgi_client
from vertexkit.errors import (
    DialogUnknown,
    Forbidden,
    NotFound,
    PlatformError,
    SendOutcomeUnknown,
    ServerError,
    SettingsError,
    Unauthorized,
)
from vertexkit.testing import FakePlatform


@pytest.fixture
def platform() -> FakePlatform:
    return platform_of()


@pytest.fixture
async def bot(platform: FakePlatform) -> AsyncIterator[BotOne]:
    async with client_of(platform) as bot:
        yield bot


async def test_v1_lists_and_shows(platform: FakePlatform, bot: BotOne) -> None:
    """Methods 1 and 2: a dialog's id is a number; lists have pagination, dialogs have data."""
    page = await bot.v1.conversations(bot_id=698, page_size=5).page(2)
    assert (len(page.items), page.pagination.current_page) == (5, 2)
    first = page.items[0]
    assert isinstance(first.id, int)
    whole = await bot.v1.conversation(first.id)
    assert (whole.id, whole.name, whole.source) == (first.id, first.name, None)
    assert first.number is not None
    assert first.city in {first.location, "Unknown"}
    platform.check()


async def test_a_dialog_is_found_by_the_number_in_its_name(
    platform: FakePlatform, bot: BotOne
) -> None:
    """Both versions show it, so that a dialog of V1 is found in V2; the search ends at it."""
    listed = (await bot.v1.conversations(bot_id=698).page(1)).items[3]
    assert listed.number is not None
    found = await bot.v2.find(listed.number, bot_id=698)
    assert (found.name, found.ip, found.updated) == (listed.name, listed.ip, listed.updated)
    assert found.id == platform.conversations[int(str(listed.id))].uuid
    assert (await bot.v1.find(listed.number)).id == listed.id
    with pytest.raises(DialogUnknown, match="no dialog that you can read has the number 9999"):
        await bot.v2.find(9999)
    platform.check()


async def test_a_list_says_how_long_it_is(platform: FakePlatform, bot: BotOne) -> None:
    """The total is known after the first page, without another request."""
    listed = bot.v2.conversations(page_size=200)
    totals = [listed.total]
    async with aclosing(aiter(listed)) as dialogs:
        await anext(dialogs)
    totals.append(listed.total)
    assert totals == [None, len(platform.conversations)]
    assert len(platform.ledger) == 1


async def test_v2_lists_and_shows(platform: FakePlatform, bot: BotOne) -> None:
    """Methods 5 and 6: a dialog's id is a UUID, and dialogs have a source."""
    found = [dialog async for dialog in bot.v2.conversations(page_size=30)]
    assert len(found) == 200
    assert all(isinstance(dialog.id, UUID) and dialog.source for dialog in found)
    spoken = next(dialog for dialog in found if dialog.status == "completed")
    assert spoken.updated is not None
    assert spoken.updated.utcoffset() == timedelta(0)
    whole = await bot.v2.conversation(spoken.id)
    assert whole.data[0].question
    silent = next(dialog for dialog in found if dialog.updated is None)
    assert (await bot.v2.conversation(silent.id)).data == ()
    platform.check()


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_create_makes_a_dialog_that_waits(
    version: str, platform: FakePlatform, bot: BotOne
) -> None:
    """Methods 3 and 7: variables are a mapping, and the dialog's UUID is returned."""
    uuid = await getattr(bot, version).create(698, variables={"имя": "Аня", "n": [1, None]})
    made = platform.conversations[uuid]
    assert (made.bot_id, made.started) == (698, False)
    assert made.variables == {"имя": "Аня", "n": [1, None]}
    platform.check()


async def test_create_and_start_lets_the_bot_begin(platform: FakePlatform, bot: BotOne) -> None:
    """Method 8: both ids are returned, or None if they are not requested."""
    started = await bot.v2.create_and_start(1446, variables={"name": "User"})
    assert started is not None
    assert platform.conversations[started.dialog_uuid].id == started.dialog_id
    assert platform.conversations[started.dialog_uuid].variables == {"name": "User"}
    assert await bot.v2.create_and_start(1446, response=False) is None
    assert len(platform.conversations) == 202
    platform.check()


async def test_a_dialog_is_managed(platform: FakePlatform, bot: BotOne) -> None:
    """Methods 9 to 12: stop, send, start and goto change the dialog; a UUID may be a text."""
    started = await bot.v2.create_and_start(1446)
    assert started is not None
    uuid = started.dialog_uuid
    there = platform.conversations[uuid]
    await bot.v2.stop(uuid)
    assert there.status == "operator"
    await bot.v2.send(str(uuid), "Здравствуйте! 👋")
    assert [message.text for message in there.operator_messages] == ["Здравствуйте! 👋"]
    await bot.v2.start(uuid)
    await bot.v2.goto(uuid, 698)
    assert (there.status, there.bot_id) == ("in-process", 698)
    platform.check()


async def test_filters_go_out_as_the_platform_reads_them(
    platform: FakePlatform, bot: BotOne
) -> None:
    """A date, a datetime with a time zone and an ISO 8601 text are sent as the platform expects."""
    east = timezone(timedelta(hours=5))
    found = bot.v2.conversations(
        created_from=date(2023, 3, 1),
        created_to=datetime(2023, 3, 31, 23, 59, 59, tzinfo=east),
        updated_from="2023-03-01",
        updated_to="2023-04-30T00:00:00+03:00",
    )
    dialogs = [dialog async for dialog in found]
    assert 0 < len(dialogs) < 200
    assert (
        "CreatedFrom=2023-03-01&CreatedTo=2023-03-31T23:59:59%2B05:00"
        in last_request(platform).query
    )
    platform.check()


@pytest.mark.parametrize(
    "filters",
    [
        {"created_from": datetime(2023, 3, 1)},  # noqa: DTZ001 - that is the mistake
        {"updated_to": "1 March"},
        {"updated_from": 1_677_628_800},
        {"page_size": 0},
        {"bot_id": "698"},
        {"bot_id": True},
    ],
)
async def test_an_invalid_filter_is_an_error_before_the_request(
    filters: dict[str, Any], platform: FakePlatform, bot: BotOne
) -> None:
    """An invalid filter raises a ValueError that names the argument."""
    with pytest.raises(ValueError, match=next(iter(filters))):
        bot.v2.conversations(**filters)
    assert platform.ledger == []


async def test_an_id_of_the_other_version_is_an_error(bot: BotOne) -> None:
    """V1 expects a number and V2 a UUID; the error names the other version."""
    with pytest.raises(ValueError, match=r"use bot\.v2"):
        await bot.v1.conversation(UUID(int=1))
    with pytest.raises(ValueError, match=r"use bot\.v1"):
        await bot.v2.conversation(332)
    for call in (bot.v1.conversation("../file/1"), bot.v2.stop("x"), bot.v1.conversation(-1)):
        with pytest.raises(ValueError, match="expects a"):
            await call
    with pytest.raises(ValueError, match="1 character"):
        await bot.v2.send(UUID(int=1), "")
    with pytest.raises(TypeError, match="JSON"):
        await bot.v1.create(698, variables={"when": datetime.now(UTC)})


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "kind", [{"status": 503}, {"status": 429, "retry_after": 3}, {"kind": "cut"}, {"kind": "half"}]
)
async def test_reading_requests_are_retried(
    kind: dict[str, Any], platform: FakePlatform, bot: BotOne
) -> None:
    """A GET that changes nothing is retried after 429, 5xx and broken connections."""
    platform.fail("v2.conversations", times=4, **kind)
    assert len((await bot.v2.conversations().page()).items) == 100
    assert len(platform.ledger) == 5


async def test_the_fifth_failure_is_final(platform: FakePlatform, bot: BotOne) -> None:
    """After five attempts the error of the last one is raised."""
    platform.fail("v1.conversation", status=502, times=9)
    with pytest.raises(ServerError):
        await bot.v1.conversation(30)
    assert len(platform.ledger) == 5


async def test_changing_requests_are_retried_only_if_not_processed(
    platform: FakePlatform, bot: BotOne
) -> None:
    """They are retried after 429, but not after a lost response: it may have been processed."""
    platform.fail("v2.create_and_start", status=429, retry_after=1, times=2)
    await bot.v2.create_and_start(698)
    platform.fail("v2.create_and_start", kind="half")
    with pytest.raises(SendOutcomeUnknown):
        await bot.v2.create_and_start(698)
    platform.fail("v1.create", kind="half")
    with pytest.raises(SendOutcomeUnknown):
        await bot.v1.create(698)
    assert requested_methods(platform) == [*["v2.create_and_start"] * 4, "v1.create"]
    assert len(platform.conversations) == 203


async def test_stop_is_idempotent(platform: FakePlatform, bot: BotOne) -> None:
    """Of the changing requests only `stop` is retried after a lost response."""
    uuid = platform.conversations.add(698).uuid
    platform.fail("v2.stop", kind="half")
    await bot.v2.stop(uuid)
    assert requested_methods(platform) == ["v2.stop", "v2.stop"]


@pytest.mark.parametrize(
    "status, kind", [(401, Unauthorized), (403, Forbidden), (404, NotFound), (500, ServerError)]
)
async def test_each_status_has_its_error(
    status: int, kind: type[PlatformError], platform: FakePlatform, bot: BotOne
) -> None:
    """The error has method, path, status and the body's first 2 KB, and no credentials."""
    platform.fail("v2.goto", status=status, body=f"the password is {PASSWORD} " + "x" * 5000)
    uuid = platform.conversations.add(698).uuid
    with pytest.raises(kind) as caught:
        await bot.v2.goto(uuid, 698)
    error = caught.value
    assert (error.method, error.path) == ("POST", f"/v2/conversation/{uuid}/command")
    assert (error.status, len(error.body)) == (status, 2048)
    assert PASSWORD not in error.body


async def test_a_wrong_password_is_in_no_text(platform: FakePlatform) -> None:
    """Neither the error nor the client's repr contains the password."""
    async with client_of(platform) as bot:
        wrong = BotOne(bot._requests._url, "anna@example.com", "wrong-one")
        with pytest.raises(Unauthorized) as caught:
            await wrong.v1.conversation(30)
        await wrong.close()
        for text in (repr(wrong), str(caught.value), repr(caught.value), caught.value.body):
            assert "wrong-one" not in text


@pytest.mark.parametrize(
    "given",
    [
        ("demo.bot.one/api", "anna", "x"),
        ("https://{instance}.bot.one/api", "anna", "x"),
        ("https://anna:secret@demo.bot.one/api", "anna", "x"),
        ("https://demo.bot.one/api", "", "x"),
        ("https://demo.bot.one/api", "an:na", "x"),
    ],
)
def test_an_invalid_url_or_login_is_an_error(given: tuple[str, str, str]) -> None:
    """The client is not created, and the error says what is allowed."""
    with pytest.raises(SettingsError, match=r"URL|login") as caught:
        BotOne(*given)
    assert "secret" not in str(caught.value)


async def test_a_given_client_is_used_and_not_closed(platform: FakePlatform) -> None:
    """A client that was passed in is used for the requests and stays open."""
    client = asgi_client(platform)
    async with BotOne("http://p.test/api", "anna@example.com", PASSWORD, client=client) as bot:
        found: list[Conversation] = [dialog async for dialog in bot.v1.conversations(bot_id=1619)]
    assert found
    assert not client.is_closed
    await client.aclose()
