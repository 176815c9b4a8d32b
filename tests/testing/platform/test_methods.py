"""The fifteen methods, as the table of the platform's document has them, with plain httpx."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.testing.platform.method_cases import METHOD_CASES, MethodCase
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.platform.conversation import FakeAnswer
from vertexkit.testing.platform.methods import DIALOG_METHODS

ID, DELETED_ID = 500_001, 500_002
LISTED = {"id", "name", "status", "ip", "location", "updated", "duration"}
PAGINATION = {"total", "count", "per_page", "current_page", "total_pages", "links"}


class Client:
    """Sends requests by the table; knows what exists on the platform."""

    def __init__(self, platform: FakePlatform, http: httpx.AsyncClient) -> None:
        self.platform, self.http = platform, http
        there = platform.conversations.add(
            1446, id=ID, city="Perm", answers=[FakeAnswer("Как вас зовут?", answer="Аня")]
        )
        gone = platform.conversations.add(1446, id=DELETED_ID)
        gone.deleted = True
        self.file = platform.conversations.add_file(
            "паспорт.txt", "Это файл".encode(), "text/plain"
        )
        self.existing = {"id": ID, "uuid": there.uuid, "bot": 1446, "file": self.file.id}
        self.deleted = {"id": DELETED_ID, "uuid": gone.uuid}
        self.missing = {
            "id": 999_999_999,
            "uuid": UUID(int=5),
            "bot": 999_999_999,
            "file": 999_999_999,
        }
        self.token = platform.issue("block")

    async def ask(
        self, row: MethodCase, resource: dict[str, Any], token: str | None = None, **changes: Any
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
        url = "/api" + row.path.format(**{**self.existing, **resource})
        return await self.http.request(row.verb, url, **options)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    platform = FakePlatform(seed=1)
    transport = httpx.ASGITransport(platform)
    async with httpx.AsyncClient(transport=transport, base_url="http://platform.test") as http:
        yield Client(platform, http)


def by_error(status: int) -> list[MethodCase]:
    return [row for row in METHOD_CASES if status in row.errors]


def named(row: MethodCase) -> str:
    return f"{row.number}-{row.verb}{row.path}"


@pytest.mark.parametrize("row", METHOD_CASES, ids=named)
async def test_success_has_the_documented_status_and_shape(row: MethodCase, client: Client) -> None:
    """A valid request is answered as the table says, and is not a violation."""
    response = await client.ask(row, {})
    assert response.status_code == row.status
    content: Any = response.json() if response.content and row.number not in {4, 13} else None
    match row.number:
        case 1 | 5:
            assert set(content["meta"]["pagination"]) == PAGINATION
            assert set(content) == {"0", "1", "2", "meta"}
            for position in "012":
                assert set(content[position]) == LISTED | ({"source"} if row.number == 5 else set())
        case 2 | 6:
            assert LISTED | {"data"} <= set(content)
            assert content["data"] == [
                {
                    "question": "Как вас зовут?",
                    "type": "Text",
                    "answer": "Аня",
                    "variable": None,
                }
            ]
        case 3 | 7:
            assert set(content) == {"dialogId"}
            assert str(UUID(content["dialogId"])) == content["dialogId"]
        case 4 | 13:
            assert response.content.decode() == "Это файл"
        case 8:
            assert set(content) == {"dialogId", "dialogUUID"}
            assert isinstance(content["dialogId"], int)
        case 12:
            assert content == {"message": "Goto command complete"}
        case 15:
            assert set(content) == {"message_id", "created_at"}
        case _:
            assert content is None
    assert client.platform.violations == []


@pytest.mark.parametrize("row", by_error(400), ids=named)
async def test_an_invalid_request_is_400(row: MethodCase, client: Client) -> None:
    """Where the table has 400, an invalid parameter gets it, and is a violation."""
    response = await client.ask(row, {}, **row.malformed)
    assert response.status_code == 400
    assert len(client.platform.violations) == 1


@pytest.mark.parametrize("row", by_error(401), ids=named)
@pytest.mark.parametrize("auth", [None, ("demo", "guess"), ("Demo", "demo")])
async def test_a_wrong_login_is_401(row: MethodCase, auth: Any, client: Client) -> None:
    """Methods 1 to 13 accept one user, by HTTP Basic; other requests change nothing."""
    before = len(client.platform.conversations)
    response = await client.ask(row, {}, auth=auth)
    assert response.status_code == 401
    assert len(client.platform.conversations) == before
    assert not client.platform.ledger[-1].processed


@pytest.mark.parametrize("row", by_error(403), ids=named)
async def test_a_deleted_dialog_is_403(row: MethodCase, client: Client) -> None:
    """A request about a deleted dialog is rejected with 403."""
    if not row.basic:
        client.platform.dialog(client.token).deleted = True
    assert (await client.ask(row, client.deleted)).status_code == 403


@pytest.mark.parametrize("row", [row for row in METHOD_CASES if row.basic], ids=named)
async def test_an_unreachable_instance_is_403(row: MethodCase, client: Client) -> None:
    """The table has 403 for each of methods 1 to 13: a test can order it."""
    for name in DIALOG_METHODS:
        client.platform.fail(name, kind="gone")
    assert (await client.ask(row, {})).status_code == 403


@pytest.mark.parametrize("row", by_error(404), ids=named)
async def test_a_missing_object_is_404(row: MethodCase, client: Client) -> None:
    """An unknown id is not a violation: the document has 404 for it."""
    response = await client.ask(row, client.missing)
    assert response.status_code == 404
    assert client.platform.violations == []


@pytest.mark.parametrize("row", METHOD_CASES, ids=named)
async def test_another_verb_or_path_is_a_violation(row: MethodCase, client: Client) -> None:
    """Other verbs and longer paths are rejected, so that a mistake of the client is noticed."""
    url = "/api" + row.path.format(**client.existing)
    assert (await client.http.delete(url, auth=("demo", "demo"))).status_code == 405
    longer = await client.http.request(row.verb, url + "/more", auth=("demo", "demo"))
    assert longer.status_code == 404
    assert len(client.platform.violations) == 2
