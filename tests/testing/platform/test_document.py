"""Every parameter and every status of the vendor's document, against the fake platform."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.testing.vertex_client import COMPLETE, SEND
from vertexkit.botone.http_client import asgi_client
from vertexkit.testing import FakePlatform

UUID_OF_NONE = "00000000-0000-4000-8000-000000000000"
BOT = 698


@pytest.fixture
def platform() -> FakePlatform:
    return FakePlatform(seed=1, dialogs=60)


@pytest.fixture
async def http(platform: FakePlatform) -> AsyncIterator[httpx.AsyncClient]:
    async with asgi_client(platform) as client:
        client.base_url = httpx.URL("http://p.test/api")
        client.auth = httpx.BasicAuth("demo", "demo")
        yield client


async def listed(http: httpx.AsyncClient, version: int = 2, **query: Any) -> list[dict[str, Any]]:
    answer = await http.get(f"/v{version}/conversations", params=query)
    assert answer.status_code == 200
    return [item for key, item in answer.json().items() if key != "meta"]


PARAMETERS: dict[str, tuple[str, str]] = {
    "BotID": ("698", "many"),
    "PageNumber": ("2", "0"),
    "PageCount": ("5", "-1"),
    "CreatedFrom": ("2023-05-01", "May"),
    "CreatedTo": ("2023-05-01T10:00:00+03:00", "2023-02-31"),
    "UpdatedFrom": ("2023-05-01", "01.05.2023"),
    "UpdatedTo": ("2023-05-01", ""),
}
"""Of each parameter of methods 1 and 5 a right and a wrong value."""


@pytest.mark.unmeasured
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", PARAMETERS)
async def test_each_parameter_of_the_list(name: str, version: int, http: httpx.AsyncClient) -> None:
    """It changes the list, and another form than the documented one is a 400."""
    right, wrong = PARAMETERS[name]
    everything = await listed(http, version, PageCount=100)
    some = await listed(http, version, **{"PageCount": 100} | {name: right})
    assert len(some) < len(everything)
    answer = await http.get(f"/v{version}/conversations", params={name: wrong})
    assert answer.status_code == 400


FIELDS_V1 = ["id", "name", "status", "ip", "location", "updated", "duration"]


@pytest.mark.parametrize("version, fields", [(1, FIELDS_V1), (2, [*FIELDS_V1, "source"])])
async def test_each_field_of_a_dialog(
    version: int, fields: list[str], http: httpx.AsyncClient
) -> None:
    """The list and the dialog have the documented fields, and the dialog also `data`."""
    (first, *_) = await listed(http, version, PageCount=100)
    assert list(first) == fields
    whole = (await http.get(f"/v{version}/conversation/{first['id']}")).json()
    assert list(whole) == [*fields, "data"]


METHODS: dict[str, tuple[str, str, Any]] = {
    "v1.conversation": ("GET", "/v1/conversation/30", None),
    "v1.create": ("GET", f"/v1/dialog/{BOT}/create", None),
    "v1.file": ("GET", "/v1/file/{file}", None),
    "v2.conversation": ("GET", "/v2/conversation/{uuid}", None),
    "v2.create": ("GET", f"/v2/dialog/{BOT}/create", None),
    "v2.create_and_start": ("POST", f"/v2/dialog/{BOT}/create", {"response": True}),
    "v2.stop": ("POST", "/v2/conversation/{uuid}/stop", None),
    "v2.start": ("POST", "/v2/conversation/{uuid}/start", None),
    "v2.send": ("POST", "/v2/conversation/{uuid}/send", {"body": "text"}),
    "v2.command": ("POST", "/v2/conversation/{uuid}/command", {"body": "goto 1446"}),
    "v2.file": ("GET", "/v2/file/{file}", None),
}
SUCCESS = {"v2.stop": 204, "v2.start": 204, "v2.send": 204}
MISSING = {"30": "999999", "{uuid}": UUID_OF_NONE, "{file}": "999999", str(BOT): "999999"}


@pytest.mark.parametrize("name", METHODS)
async def test_each_status_of_a_method(
    name: str, platform: FakePlatform, http: httpx.AsyncClient
) -> None:
    """Success, 401 for a wrong password, 404 for an unknown object, 403 for a deleted dialog."""
    verb, path, body = METHODS[name]
    dialog = platform.conversations.add(BOT, status="in-process")
    file = platform.conversations.add_file("a.txt", b"abc")
    known = path.replace("{uuid}", str(dialog.uuid)).replace("{file}", str(file.id))
    answer = await http.request(verb, known, json=body)
    assert answer.status_code == SUCCESS.get(name, 200)
    wrong = await http.request(verb, known, json=body, auth=("demo", "wrong"))
    assert wrong.status_code == 401
    for part, other in MISSING.items():
        path = path.replace(part, other)
    assert (await http.request(verb, path, json=body)).status_code == 404
    if "{uuid}" in METHODS[name][1]:
        dialog.deleted = True
        assert (await http.request(verb, known, json=body)).status_code == 403
    else:
        platform.fail(name.replace("file", "download"), status=403)
        assert (await http.request(verb, known, json=body)).status_code == 403


@pytest.mark.parametrize("name, body", [("send", {"text": "a"}), ("command", {"body": "stop"})])
async def test_a_wrong_body_is_400_where_the_document_has_it(
    name: str, body: Any, platform: FakePlatform, http: httpx.AsyncClient
) -> None:
    """Methods 11 and 12 know 400."""
    dialog = platform.conversations.add(BOT, status="in-process")
    answer = await http.post(f"/v2/conversation/{dialog.uuid}/{name}", json=body)
    assert answer.status_code == 400


async def test_complete_needs_a_token_alone(
    platform: FakePlatform, http: httpx.AsyncClient
) -> None:
    """Without `data` it is null, and a body that cannot be read is a 403, its only error."""
    token = platform.issue()
    path = COMPLETE.removeprefix("/api")
    assert (await http.post(path, content=b"nonsense")).status_code == 403
    assert (await http.post(path, json={"data": {}})).status_code == 403
    assert (await http.post(path, json={"token": token})).status_code == 204
    assert platform.dialogs[-1].completions[0].data is None
    assert (await http.post(path, json={"token": token})).status_code == 403


async def test_send_message_answers_with_an_id_and_a_time(
    platform: FakePlatform, http: httpx.AsyncClient
) -> None:
    """200 with whole Unix seconds; 400 for a wrong body; 403 for a token that is not valid."""
    path = SEND.removeprefix("/api")
    message = {"token": platform.issue(), "text": "a", "typing": False}
    answer = await http.post(path, json=message)
    assert answer.status_code == 200
    assert {name: type(value) for name, value in answer.json().items()} == {
        "message_id": int,
        "created_at": int,
    }
    assert (await http.post(path, json={"token": message["token"]})).status_code == 400
    assert (await http.post(path, json=message | {"token": "not-issued"})).status_code == 403


@pytest.mark.parametrize("updated_by, found", [("user", 0), ("anybody", 1)])
async def test_whose_message_moves_the_filter_by_update(updated_by: Any, found: int) -> None:
    """An operator's message moves `updated`; the filter only in the reading of section 5."""
    platform = FakePlatform(seed=1, dialogs=5, updated_by=updated_by)
    async with asgi_client(platform) as http:
        http.base_url, http.auth = httpx.URL("http://p.test/api"), httpx.BasicAuth("demo", "demo")
        dialog = platform.conversations.add(
            BOT, created=1_680_000_000, last_message_at=1_680_000_100, status="operator"
        )
        before = (await listed(http))[0]["updated"]
        sent = await http.post(f"/v2/conversation/{dialog.uuid}/send", json={"body": "hello"})
        assert sent.status_code == 204
        assert (await listed(http))[0]["updated"] > before
        recent = await listed(http, UpdatedFrom="2024-01-01")
        assert len(recent) == found
        assert (
            len(await listed(http, UpdatedFrom="2023-03-28", UpdatedTo="2023-03-29")) == 1 - found
        )


async def test_a_dialog_that_the_api_started_has_no_message_of_its_user(
    platform: FakePlatform, http: httpx.AsyncClient
) -> None:
    """Filters by update do not find it until its user writes."""
    created = await http.post(f"/v2/dialog/{BOT}/create", json={"response": True})
    assert created.json()["dialogUUID"] not in [
        item["id"] for item in await listed(http, UpdatedFrom="2020-01-01", PageCount=100)
    ]
