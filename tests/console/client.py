"""A client of the console in the same process: requests as the page makes them."""

import json
from contextlib import nullcontext
from typing import Any

from tests.http_connection import HttpResponse
from vertexkit.console.mount import ConsoleMount
from vertexkit.console.source import ConsoleSource
from vertexkit.journal.protocol import JournalAdmin
from vertexkit.settings import AccessSettings
from vertexkit.telemetry.log_tail import LogTail
from vertexkit.text import encodable

PAGE = {"x-vertexkit-console": "1", "content-type": "application/json"}
"""Headers with which the page asks for an action."""
HOST = "127.0.0.1:9001"
PROXY, PROXIES = "10.1.2.3", "10.0.0.0/8"
"""A trusted proxy, and its network."""
FORWARDED = {"x_forwarded_for": "192.0.2.7", "x_forwarded_user": "olga", "host": "ops.example.com"}
"""Headers that the proxy sets."""


class ConsoleClient:
    """Asks a console over a journal, from an address of its own.

    Args:
        journal: open; or the app of a console.
        writable: whether the console may change the journal.
        proxies: networks of trusted proxies, separated by commas.
        client: address of the client.
        local_user: of direct connections.
        log_tail: lines of the log.
    """

    def __init__(
        self,
        journal: JournalAdmin | ConsoleMount,
        *,
        writable: bool = False,
        proxies: str = "",
        client: str = "127.0.0.1",
        local_user: str = "",
        log_tail: LogTail | None = None,
    ) -> None:
        self.client = client
        if isinstance(journal, ConsoleMount):
            self.app = journal
            self.app.load()
            return
        source = ConsoleSource(lambda: nullcontext(journal), "memory:", None, writable, log_tail)
        networks = AccessSettings.model_validate({"trusted_proxies": proxies}).trusted_proxies
        self.app = ConsoleMount(_elsewhere, source, networks, local_user)
        self.app.load()  # here: while a thread imports it, a virtual clock would advance

    async def get(self, path: str, query: str = "", **headers: str) -> HttpResponse:
        """Request something from the console; a path without `/` at its start is of the API."""
        return await self._request("GET", path, query, b"", headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """Ask for an action as the page does; headers with an empty value are left out."""
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        return await self._request("POST", path, "", content, PAGE | _named(headers))

    async def _request(
        self, method: str, path: str, query: str, body: bytes, headers: dict[str, str]
    ) -> HttpResponse:
        path = path if path.startswith("/") else f"/console/api/{path}"
        named = {"host": HOST} | _named(headers)
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        received: dict[str, Any] = {"headers": {}, "body": b""}

        async def receive() -> Any:
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                received["status"] = message["status"]
                received["headers"] = {n.decode(): v.decode() for n, v in message["headers"]}
            received["body"] += message.get("body", b"")

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "headers": [(n.encode(), encodable(v).encode()) for n, v in named.items() if v],
            "client": (self.client, 50_000) if self.client else None,
        }
        await self.app(scope, receive, send)
        return HttpResponse(received["status"], received["headers"], received["body"])


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


async def _elsewhere(_: Any, __: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b""})
