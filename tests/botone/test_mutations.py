"""The client with arbitrary responses."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from vertexkit import BotOne, PlatformError
from vertexkit.botone.conversation_page import ConversationPage
from vertexkit.botone.http_client import asgi_client
from vertexkit.botone.models import ConversationDetails
from vertexkit.clock import Clock

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
DIALOG = {
    "id": 341,
    "name": "#318 Meppel",
    "status": "completed",
    "ip": "192.0.2.1",
    "location": "Meppel",
    "updated": "2023-05-11T08:25:26+00:00",
    "duration": 13,
    "source": "web",
    "data": [{"question": "?", "type": "Text", "answer": "/web/file/7", "variable": None}],
}
PAGE: dict[str, Any] = {
    "0": DIALOG,
    "meta": {"pagination": {"total": 1, "current_page": 1, "total_pages": 1, "links": {}}},
}
STARTED = {"dialogId": 371, "dialogUUID": str(UUID(int=7))}
RIGHT = [
    PAGE,
    DIALOG,
    STARTED,
    {"dialogId": str(UUID(int=7))},
    {"message": "Goto command complete"},
]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A valid response in which one value, at any depth, is replaced or removed."""
    answer = json.loads(json.dumps(draw(st.sampled_from(RIGHT))))
    at = answer
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return answer
        key = draw(st.sampled_from(keys))
        if isinstance(at[key], (dict, list)) and at[key] and draw(st.booleans()):
            at = at[key]
            continue
        if draw(st.booleans()):
            at[key] = draw(JSON)
        else:
            del at[key]
        return answer


BODIES = (
    st.one_of(mutated(), JSON).map(lambda it: json.dumps(it).encode())
    | st.binary(max_size=64)
    | st.sampled_from(
        [b"[" * 5000, b'{"0": {"id": 1e999}}', b'{"0":{"id":1,"updated":"9999999-01-01"}}']
    )
)


class NoPauses(Clock):
    """Real time without pauses: nothing else waits here, so that none has to be ordered."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


async def call_all_methods(status: int, body: bytes, headers: dict[str, str]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Request(scope, receive).body()
        await Response(body, status, headers)(scope, receive, send)

    uuid = UUID(int=7)
    async with asgi_client(app) as client:
        bot = BotOne("http://p.test", "a", "b", client=client, clock=NoPauses())
        calls: list[Callable[[], Awaitable[Any]]] = [
            bot.v1.conversations().page,
            bot.v2.conversations().page,
            lambda: bot.v1.conversation(1),
            lambda: bot.v2.conversation(uuid),
            lambda: bot.v1.create(1),
            lambda: bot.v2.create_and_start(1),
            lambda: bot.v2.stop(uuid),
            lambda: bot.v2.goto(uuid, 1),
        ]
        for call in calls:
            try:
                found = await call()
            except PlatformError as error:
                assert len(str(error)) < 2000  # noqa: PT017 - the response may be valid
            else:
                use(found)


def use(found: Any) -> None:
    """Use everything that was read: properties and JSON."""
    for dialog in found.items if isinstance(found, ConversationPage) else [found]:
        if isinstance(dialog, ConversationDetails):
            assert all(isinstance(file, int) for file in dialog.files)
        if hasattr(dialog, "updated"):
            assert (dialog.number, dialog.city) is not None
            assert dialog.updated is None or dialog.updated.tzinfo is not None
        if hasattr(dialog, "model_dump_json"):
            assert dialog.model_dump_json()


@pytest.mark.unmeasured
@settings(max_examples=60, deadline=None)
@given(
    status=st.sampled_from([200, 200, 200, 200, 204, 299, 301, 400, 418, 429, 503, 599]),
    body=BODIES,
    headers=st.sampled_from(
        [{}, {"retry-after": "soon"}, {"content-encoding": "gzip"}, {"content-type": "text/html"}]
    ),
)
def test_any_response_is_a_value_or_a_platform_error(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    """For any status and body, every method returns its value or raises a PlatformError."""
    anyio.run(call_all_methods, status, body, headers)


def test_documented_forms_are_read() -> None:
    """Numeric keys in any order, missing dates, data as text, nulls, unknown fields and statuses."""
    page = ConversationPage.read(
        {
            "10": {"id": 3, "status": None},
            "9": {"id": 2, "status": "on-hold", "updated": "", "extra": "kept"},
            "meta": {"pagination": None},
        }
    )
    assert [dialog.id for dialog in page.items] == [2, 3]
    held = page.items[0]
    assert (held.status, held.updated) == ("on-hold", None)
    assert held.model_extra == {"extra": "kept"}
    assert ConversationPage.read({"meta": {}}).items == ()
    assert ConversationPage.read([{"id": 1}]).items[0].id == 1
    empty: tuple[Any, ...] = ("[]", "", None, [])
    for data in empty:
        assert ConversationDetails.read({"id": 1, "data": data}).data == ()
    whole = ConversationDetails.read(DIALOG)
    assert (whole.files, whole.number, whole.city) == ((7,), 318, "Meppel")
    assert whole.updated == datetime(2023, 5, 11, 8, 25, 26, tzinfo=UTC)
    with pytest.raises(TypeError):
        ConversationPage.read("[]")
