"""The fifteen methods of PLATFORM.md, row by row, asked with plain HTTP and nothing of ours."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.testing.platform_server import served
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.platform.conversation import FakeAnswer
from vertexkit.testing.platform.methods import DIALOG_METHODS

ID, GONE_ID = 500_001, 500_002
LISTED = {"id", "name", "status", "ip", "location", "updated", "duration"}
PAGINATION = {"total", "count", "per_page", "current_page", "total_pages", "links"}


@dataclass(frozen=True)
class Row:
    """One of the fifteen methods, as the page describes it."""

    number: int
    verb: str
    path: str
    status: int
    errors: tuple[int, ...]
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    malformed: dict[str, Any] = field(default_factory=dict)
    """What of the request to replace for a 400."""

    @property
    def basic(self) -> bool:
        return self.number < 14


FILTERS = {
    "BotID": 698,
    "PageNumber": 1,
    "PageCount": 3,
    "CreatedFrom": "2023-01-09",
    "CreatedTo": "2023-06-30T23:59:59+00:00",
    "UpdatedFrom": "2023-01-09T00:00:00Z",
    "UpdatedTo": "2023-12-31",
}
VARIABLES = json.dumps({"name": "Аня"}, ensure_ascii=False)
BAD_LIST = {"query": {"PageNumber": "first"}}
ROWS = [
    Row(1, "GET", "/v1/conversations", 200, (400, 401), FILTERS, malformed=BAD_LIST),
    Row(2, "GET", "/v1/conversation/{id}", 200, (401, 403, 404)),
    Row(3, "GET", "/v1/dialog/{bot}/create", 200, (401, 404), {"variables": VARIABLES}),
    Row(4, "GET", "/v1/file/{file}", 200, (401, 404)),
    Row(5, "GET", "/v2/conversations", 200, (400, 401), FILTERS, malformed=BAD_LIST),
    Row(6, "GET", "/v2/conversation/{uuid}", 200, (401, 403, 404)),
    Row(7, "GET", "/v2/dialog/{bot}/create", 200, (401, 404), {"variables": VARIABLES}),
    Row(
        8,
        "POST",
        "/v2/dialog/{bot}/create",
        200,
        (401, 404),
        body={"response": True, "variables": VARIABLES},
    ),
    Row(9, "POST", "/v2/conversation/{uuid}/stop", 204, (401, 403, 404)),
    Row(10, "POST", "/v2/conversation/{uuid}/start", 204, (401, 403, 404)),
    Row(
        11,
        "POST",
        "/v2/conversation/{uuid}/send",
        204,
        (400, 401, 403, 404),
        body={"body": "Здравствуйте!"},
        malformed={"body": {"body": 5}},
    ),
    Row(
        12,
        "POST",
        "/v2/conversation/{uuid}/command",
        200,
        (400, 401, 403, 404),
        body={"body": "goto 698"},
        malformed={"body": {"body": "jump 698"}},
    ),
    Row(13, "GET", "/v2/file/{file}", 200, (401, 404)),
    Row(
        14,
        "POST",
        "/vertex/v1/complete",
        204,
        (403,),
        body={"token": "{token}", "data": {"ok": True}},
    ),
    Row(
        15,
        "POST",
        "/vertex/v1/dialog/send_message",
        200,
        (400, 403),
        body={"token": "{token}", "text": "Привет", "typing": True},
        malformed={"body": {"token": "{token}", "text": 5, "typing": True}},
    ),
]


class Somebody:
    """Asks by the row; knows what there is on the platform."""

    def __init__(self, platform: FakePlatform, http: httpx.AsyncClient) -> None:
        self.platform, self.http = platform, http
        there = platform.conversations.add(
            1446, id=ID, city="Perm", answers=[FakeAnswer("Как вас зовут?", answer="Аня")]
        )
        gone = platform.conversations.add(1446, id=GONE_ID)
        gone.deleted = True
        self.file = platform.conversations.add_file(
            "паспорт.txt", "Это файл".encode(), "text/plain"
        )
        self.there = {"id": ID, "uuid": there.uuid, "bot": 1446, "file": self.file.id}
        self.gone = {"id": GONE_ID, "uuid": gone.uuid}
        self.nowhere = {
            "id": 999_999_999,
            "uuid": UUID(int=5),
            "bot": 999_999_999,
            "file": 999_999_999,
        }
        self.token = platform.issue("block")

    async def ask(
        self, row: Row, about: dict[str, Any], token: str | None = None, **changes: Any
    ) -> httpx.Response:
        body = changes.pop("body", row.body)
        if isinstance(body, dict) and body.get("token") == "{token}":
            body = body | {"token": token or self.token}
        auth = ("demo", "demo") if row.basic else None
        options: dict[str, Any] = {"params": row.query or None, "auth": auth} | {
            {"query": "params"}.get(name, name): value for name, value in changes.items()
        }
        if body is not None:
            options["json"] = body
        url = "/api" + row.path.format(**{**self.there, **about})
        return await self.http.request(row.verb, url, **options)


@pytest.fixture
async def somebody() -> AsyncIterator[Somebody]:
    platform = FakePlatform(seed=1)
    async with served(platform) as url, httpx.AsyncClient(base_url=url) as http:
        yield Somebody(platform, http)


def by_error(status: int) -> list[Row]:
    return [row for row in ROWS if status in row.errors]


def named(row: Row) -> str:
    return f"{row.number}-{row.verb}{row.path}"


@pytest.mark.parametrize("row", ROWS, ids=named)
async def test_success_has_the_documented_status_and_shape(row: Row, somebody: Somebody) -> None:
    """What is asked rightly is answered as the page's row says, and is no violation."""
    answer = await somebody.ask(row, {})
    assert answer.status_code == row.status
    said: Any = answer.json() if answer.content and row.number not in {4, 13} else None
    match row.number:
        case 1 | 5:
            assert set(said["meta"]["pagination"]) == PAGINATION
            assert set(said) == {"0", "1", "2", "meta"}
            for place in "012":
                assert set(said[place]) == LISTED | ({"source"} if row.number == 5 else set())
        case 2 | 6:
            assert LISTED | {"data"} <= set(said)
            assert said["data"] == [
                {
                    "question": "Как вас зовут?",
                    "type": "Text",
                    "answer": "Аня",
                    "variable": None,
                }
            ]
        case 3 | 7:
            assert set(said) == {"dialogId"}
            assert str(UUID(said["dialogId"])) == said["dialogId"]
        case 4 | 13:
            assert answer.content.decode() == "Это файл"
        case 8:
            assert set(said) == {"dialogId", "dialogUUID"}
            assert isinstance(said["dialogId"], int)
        case 12:
            assert said == {"message": "Goto command complete"}
        case 15:
            assert set(said) == {"message_id", "created_at"}
        case _:
            assert said is None
    assert somebody.platform.violations == []


@pytest.mark.parametrize("row", by_error(400), ids=named)
async def test_a_wrong_form_is_400(row: Row, somebody: Somebody) -> None:
    """Where the page has 400, a parameter in a wrong form gets it, and is a violation."""
    answer = await somebody.ask(row, {}, **row.malformed)
    assert answer.status_code == 400
    assert len(somebody.platform.violations) == 1


@pytest.mark.parametrize("row", by_error(401), ids=named)
@pytest.mark.parametrize("auth", [None, ("demo", "guess"), ("Demo", "demo")])
async def test_a_wrong_login_is_401(row: Row, auth: Any, somebody: Somebody) -> None:
    """Methods 1 to 13 let in one user, by HTTP Basic; nothing is done for anybody else."""
    before = len(somebody.platform.conversations)
    answer = await somebody.ask(row, {}, auth=auth)
    assert answer.status_code == 401
    assert len(somebody.platform.conversations) == before
    assert not somebody.platform.ledger[-1].processed


@pytest.mark.parametrize("row", by_error(403), ids=named)
async def test_what_cannot_be_reached_is_403(row: Row, somebody: Somebody) -> None:
    """A deleted dialog, or one that a token's block has left, is refused with 403."""
    if not row.basic:
        somebody.platform.dialog(somebody.token).deleted = True
    assert (await somebody.ask(row, somebody.gone)).status_code == 403


@pytest.mark.parametrize("row", [row for row in ROWS if row.basic], ids=named)
async def test_an_unreachable_instance_is_403(row: Row, somebody: Somebody) -> None:
    """The page has 403 for each of methods 1 to 13: a test can order it."""
    for name in DIALOG_METHODS:
        somebody.platform.fail(name, kind="gone")
    assert (await somebody.ask(row, {})).status_code == 403


@pytest.mark.parametrize("row", by_error(404), ids=named)
async def test_what_is_not_there_is_404(row: Row, somebody: Somebody) -> None:
    """An id that was never given out is no violation: it is what the page has 404 for."""
    answer = await somebody.ask(row, somebody.nowhere)
    assert answer.status_code == 404
    assert somebody.platform.violations == []


@pytest.mark.parametrize("row", ROWS, ids=named)
async def test_another_verb_or_path_is_a_violation(row: Row, somebody: Somebody) -> None:
    """Nothing else is answered, so that a client's slip shows: not a DELETE, not a longer path."""
    url = "/api" + row.path.format(**somebody.there)
    assert (await somebody.http.delete(url, auth=("demo", "demo"))).status_code == 405
    longer = await somebody.http.request(row.verb, url + "/more", auth=("demo", "demo"))
    assert longer.status_code == 404
    assert len(somebody.platform.violations) == 2
