"""Pages for people and monitoring: however often they are requested, they are rendered rarely."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.responses import Response

from vertexkit.botone.http_client import asgi_client
from vertexkit.ingress import information
from vertexkit.ingress.information import SHARED_SECONDS, InformationEndpoint, json_endpoint


class Page:
    """Counts how often it is rendered, and fails on request."""

    def __init__(self) -> None:
        self.rendered = 0
        self.broken = False

    async def render(self) -> Response:
        self.rendered += 1
        await asyncio.sleep(0)  # as the metrics of other processes are waited for
        if self.broken:
            raise RuntimeError("broken")
        return Response(str(self.rendered))


async def get(endpoint: Any, times: int = 1) -> list[str]:
    async with asgi_client(endpoint) as client:
        answers = await asyncio.gather(*(client.get("http://app/page") for _ in range(times)))
    return [answer.text for answer in answers]


def stopped_time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Stop the time of the endpoints; the test advances it."""
    now = [0.0]
    monkeypatch.setattr(information, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


async def test_requests_at_once_share_one_page() -> None:
    """A hundred requests within a second cost one page."""
    page = Page()
    endpoint = InformationEndpoint(page.render, shared_seconds=60)
    assert await get(endpoint, 100) == ["1"] * 100
    assert await get(endpoint, 100) == ["1"] * 100
    assert page.rendered == 1


async def test_an_old_page_is_rendered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time a page is not sent any more, so that monitoring sees what is now."""
    page, now = Page(), stopped_time(monkeypatch)
    endpoint = InformationEndpoint(page.render, shared_seconds=SHARED_SECONDS)
    assert await get(endpoint) == ["1"]
    now[0] += SHARED_SECONDS / 2
    assert await get(endpoint) == ["1"]
    now[0] += SHARED_SECONDS
    assert await get(endpoint, 3) == ["2"] * 3


async def test_a_page_that_fails_is_not_shared() -> None:
    """The next request tries again."""
    page = Page()
    page.broken = True
    endpoint = InformationEndpoint(page.render, shared_seconds=60)
    with pytest.raises(RuntimeError):
        await get(endpoint)
    page.broken = False
    assert await get(endpoint) == ["2"]


async def test_readiness_is_never_old() -> None:
    """Without a time to share, each request has a response of its own."""
    states = iter(range(3))
    endpoint = json_endpoint(lambda: (200, next(states)))
    assert [await get(endpoint) for _ in range(3)] == [["0"], ["1"], ["2"]]


async def test_metrics_and_catalogue_are_shared(edge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What grows with the number of blocks is rendered once a second at most."""
    stopped_time(monkeypatch)
    for path in ("/metrics", "/blocks", "/openapi.json"):
        first, second = [await edge.ask(path, method="GET") for _ in range(2)]
        assert first.body == second.body
