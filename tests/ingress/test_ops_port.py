"""Health, metrics and the catalogue on a separate port."""

import asyncio
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.ingress.served_app import Edge, Serve
from tests.reserved_port import reserved_port
from tests.waiting import occurs, until
from vertexkit import App, Context
from vertexkit.app import asgi_app
from vertexkit.errors import SettingsError
from vertexkit.settings import Settings
from vertexkit.token import Token

PAGES = ["/healthz", "/readyz", "/metrics", "/blocks", "/openapi.json"]


@pytest.fixture
def ops_port() -> Iterator[int]:
    """A port on which nothing listens yet."""
    with reserved_port() as port:
        yield port


async def ask(edge: Edge, path: str, port: int, method: str = "GET") -> Any:
    """One request to this port."""
    main, edge.port = edge.port, port
    try:
        return await edge.ask(path, method=method)
    finally:
        edge.port = main


async def test_the_pages_move_to_a_port_of_their_own(serve: Serve, ops_port: int) -> None:
    """They are served there without a secret, and nowhere else; blocks are called on the other."""
    async with serve(ops_port=ops_port, url_secrets="sesame") as edge:
        for path in PAGES:
            assert (await ask(edge, path, ops_port)).status == 200, path
            assert (await ask(edge, f"{path}?key=sesame", edge.port)).status == 404, path
        assert (await ask(edge, "/blocks/echo?key=sesame", ops_port, "POST")).status == 404
        token = edge.platform.issue("echo")
        answer = await edge.ask(
            "/blocks/echo?key=sesame", b'{"token": "%b"}' % token.encode(), method="POST"
        )
        assert answer.status == 200
        await edge.settled(answer.execution)


async def test_operators_are_answered_while_the_service_drains(ops_port: int) -> None:
    """A handler in its grace period can be watched: alive, not ready, and counted."""
    app, begun, go_on = App(), asyncio.Event(), asyncio.Event()

    @app.block("wait")
    async def wait(ctx: Context) -> None:
        begun.set()
        await go_on.wait()

    from_inside: list[tuple[int, bytes]] = []

    async def look() -> None:
        for path in ("/healthz", "/readyz", "/metrics"):
            reader, writer = await asyncio.open_connection("127.0.0.1", ops_port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            from_inside.append((int(answer.split()[1]), answer))
            writer.close()
            await writer.wait_closed()

    app.settings = Settings.of(
        platform_url="http://127.0.0.1:9/api",
        journal="memory:",
        ops_port=ops_port,
        complete_patience=0,
    )
    messages: list[dict[str, Any]] = []
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(message: Any) -> None:
        messages.append(message)
        up.set()

    up = asyncio.Event()
    await asked.put({"type": "lifespan.startup"})
    life = asyncio.create_task(app({"type": "lifespan"}, asked.get, send))
    await occurs(up, "the lifespan has answered")
    service = asgi_app(app).service
    assert service is not None
    await service.receiver._inbox.accept("wait", Token("a-token"), {}, b"")
    await occurs(begun, "the handler has started")
    await asked.put({"type": "lifespan.shutdown"})
    await until(lambda: service.receiver.closed, "the service is stopping")
    await look()
    go_on.set()
    await life
    assert [status for status, _ in from_inside] == [200, 503, 200]
    assert b'"stopping"' in from_inside[1][1]
    assert b'vertexkit_handlers_running{block="wait"} 1.0' in from_inside[2][1]


async def test_a_loop_that_stood_still_is_not_ready(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a handler has blocked the event loop the service is not ready for a moment."""
    # Its heartbeats, several in a second, would set the attribute again.
    for is_blocked, status in ((True, 503), (False, 200)):
        monkeypatch.setattr(edge.service, "watchdog", SimpleNamespace(is_loop_blocked=is_blocked))
        answer = await edge.ask("/readyz", method="GET")
        reasons = ["event loop blocked"] if is_blocked else None
        assert (answer.status, answer.json.get("reasons")) == (status, reasons)


async def test_a_port_that_is_taken_is_said(serve: Serve) -> None:
    """The service does not start; the error names the setting and the fix."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        app = App(
            settings=Settings.of(
                platform_url="http://127.0.0.1:9/api",
                journal="memory:",
                ops_port=taken.getsockname()[1],
            )
        )
        app.block("none")(_handler)
        with pytest.raises(SettingsError, match="VERTEXKIT_OPS_PORT: cannot listen on 127"):
            async with asgi_app(app).lifespan():
                pass


async def _handler(ctx: Context) -> None:
    return None
