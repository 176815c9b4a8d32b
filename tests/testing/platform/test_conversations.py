"""The fake platform's dialogs: what is seeded, filtered, paged and changed."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.platform.conversation import FakeAnswer


class Reader:
    """Reads the platform's dialogs with plain HTTP."""

    def __init__(self, platform: FakePlatform) -> None:
        self.platform = platform
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(platform),
            base_url="http://demo.test/api",
            auth=("demo", "demo"),
        )

    async def ask(self, verb: str, path: str, **options: Any) -> Any:
        answer = await self.http.request(verb, path, **options)
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def page(self, version: int = 2, **query: Any) -> tuple[list[Any], dict[str, Any]]:
        said = await self.ask("GET", f"/v{version}/conversations", params=query)
        meta = said.pop("meta")["pagination"]
        assert list(said) == [str(place) for place in range(len(said))]
        return list(said.values()), meta

    async def all(self, **query: Any) -> list[Any]:
        found, meta = await self.page(**query)
        for number in range(2, meta["total_pages"] + 1):
            found += (await self.page(**query, PageNumber=number))[0]
        assert len(found) == meta["total"]
        return found


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    reader = Reader(FakePlatform(seed=1, clock=VirtualClock()))
    async with reader.http:
        yield reader
    reader.platform.check()


async def test_the_seeded_dialogs_are_of_many_kinds(reader: Reader) -> None:
    """Several bots, cities, sources and statuses; files; dialogs in which nothing was said."""
    dialogs = await reader.all(PageCount=50)
    assert len(dialogs) == 200
    for member, kinds in (("location", 8), ("source", 4), ("status", 4)):
        assert len({dialog[member] for dialog in dialogs}) >= kinds, member
    assert {"", *()} < {dialog["updated"] for dialog in dialogs}
    whole = [await reader.ask("GET", f"/v2/conversation/{each['id']}") for each in dialogs[:60]]
    assert "[]" in [dialog["data"] for dialog in whole]
    types = Counter(
        answer["type"] for each in whole if each["data"] != "[]" for answer in each["data"]
    )
    assert {"Text", "Number", "Buttons", "File"} <= set(types)


async def test_a_seed_says_what_there_is() -> None:
    """The same seed gives the same dialogs, another one others."""

    async def of(seed: int) -> list[Any]:
        reader = Reader(FakePlatform(seed=seed, dialogs=30))
        async with reader.http:
            return await reader.all()

    assert await of(1) == await of(1) != await of(2)


async def test_pages_divide_a_list_without_gaps_or_doubles(reader: Reader) -> None:
    """Each dialog is on one page; beyond the last there is none, and the pagination stays true."""
    ids = [dialog["id"] for dialog in await reader.all(PageCount=7)]
    assert len(ids) == len(set(ids)) == 200
    beyond, meta = await reader.page(PageCount=7, PageNumber=99)
    assert beyond == []
    assert (meta["total"], meta["count"], meta["current_page"]) == (200, 0, 99)
    first, meta = await reader.page()
    assert (len(first), meta["per_page"], meta["total_pages"]) == (40, 40, 5)


async def test_filters_by_update_really_filter(reader: Reader) -> None:
    """Each dialog of the period is there, and none from outside it or without a date."""
    everything = await reader.all()
    wanted = {
        each["id"] for each in everything if "2023-03-01" <= each["updated"][:10] <= "2023-03-31"
    }
    found = await reader.all(UpdatedFrom="2023-03-01", UpdatedTo="2023-03-31")
    assert {each["id"] for each in found} == wanted
    assert 0 < len(wanted) < 200


async def test_filters_by_bot_and_creation_really_filter(reader: Reader) -> None:
    """Of two bots' dialogs each is in one list alone; a period ends with its last second."""
    bots = [await reader.all(BotID=bot) for bot in (1446, 698)]
    one, other = ({each["id"] for each in dialogs} for dialogs in bots)
    assert one
    assert other
    assert not one & other
    created = reader.platform.conversations.add(698, created=1_700_000_000)
    second = "2023-11-14T22:13:{}+00:00"
    hit = await reader.all(CreatedFrom=second.format(20), CreatedTo=second.format(20))
    assert [each["id"] for each in hit] == [str(created.uuid)]
    assert not await reader.all(CreatedFrom=second.format(21))


async def test_a_dialogs_state_follows_what_is_done_with_it(reader: Reader) -> None:
    """Stopped it is the operator's, started in process, moved with another bot, completed closed."""
    platform = reader.platform
    created = await reader.ask("POST", "/v2/dialog/1446/create", json={"response": True})
    uuid, number = created["dialogUUID"], created["dialogId"]

    async def status() -> str:
        return str((await reader.ask("GET", f"/v2/conversation/{uuid}"))["status"])

    assert await status() == "in-process"
    await reader.ask("POST", f"/v2/conversation/{uuid}/stop")
    assert await status() == "operator"
    await reader.ask("POST", f"/v2/conversation/{uuid}/send", json={"body": "Я оператор"})
    assert [each.text for each in platform.conversations[uuid].operator_messages] == ["Я оператор"]
    await reader.ask("POST", f"/v2/conversation/{uuid}/start")
    assert await status() == "in-process"
    await reader.ask("POST", f"/v2/conversation/{uuid}/command", json={"body": "goto 698"})
    assert platform.conversations[uuid].bot_id == 698
    token = platform.issue("block", dialog_id=number)
    await reader.ask("POST", "/vertex/v1/complete", json={"token": token, "data": {"a": 1}})
    assert await status() == "completed"
    refused = await reader.http.post(f"/v2/conversation/{uuid}/stop")
    assert refused.status_code == 403


async def test_what_is_created_brings_its_variables(reader: Reader) -> None:
    """Variables come as an object encoded in a text, by query or body; the dialog is there after."""
    made = await reader.ask("GET", "/v1/dialog/698/create", params={"variables": '{"имя": "Аня"}'})
    conversation = reader.platform.conversations[made["dialogId"]]
    assert (conversation.variables, conversation.started) == ({"имя": "Аня"}, False)
    assert (await reader.page(1, PageCount=1))[0][0]["id"] == conversation.id


async def test_a_file_is_found_by_its_answers_link(reader: Reader) -> None:
    """The link of an answer ends in the id by which either version gives the bytes and the name."""
    file = reader.platform.conversations.add_file("отчёт №1.pdf", b"%PDF", "application/pdf")
    there = reader.platform.conversations.add(
        698, answers=[FakeAnswer("Файл", "File", file=file.id)]
    )
    dialog = await reader.ask("GET", f"/v1/conversation/{there.id}")
    link = dialog["data"][0]["answer"]
    assert link == f"http://demo.test/web/file/{file.id}"
    for version in (1, 2):
        answer = await reader.http.get(f"/v{version}/file/{file.id}")
        assert (answer.content, answer.headers["content-type"]) == (b"%PDF", "application/pdf")
        assert "%D0%BE%D1%82%D1%87" in answer.headers["content-disposition"]


async def test_ordered_faults_hit_these_methods_too(reader: Reader) -> None:
    """A status with Retry-After, or a deleted dialog, by the client's name of the method."""
    reader.platform.fail("v2.conversations", status=429, retry_after=2)
    answer = await reader.http.get("/v2/conversations")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert (await reader.http.get("/v2/conversations")).status_code == 200
