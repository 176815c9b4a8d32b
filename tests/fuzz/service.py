"""A service in a separate thread, so that a test may block and misbehave."""

import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass

from tests.context.threads import in_thread
from tests.ingress.served_app import Edge, served
from vertexkit.testing import FakePlatform

SECRET = "Canary-secret-of-the-url"
TOKEN = "canary-token-of-a-dialog"
PATIENCE = 60.0
TRIES = 3
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@dataclass(frozen=True)
class Target:
    """A running service: where it listens, and its state."""

    port: int
    edge: Edge

    def send(self, pieces: list[bytes]) -> bytes:
        """Send these one after the other on one connection; returns all bytes received.

        A connection that neither answers nor closes fails the test.
        """
        output = b""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as line:
            try:
                for piece in pieces:
                    line.sendall(piece)
                # Answered after all that came before it; and who reads it closes.
                line.sendall(
                    b"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                )
            except ConnectionError:
                pass
            try:
                while received := line.recv(65_536):
                    output += received
            except ConnectionError:
                pass
        return output

    def answer(self, request: bytes) -> bytes:
        """Send a valid request; returns its response, and that to the request after it.

        The deadlines of the service are short. If this process was stopped for longer between the
        connection and the request, the service has closed the connection, and the request is sent again.
        """
        received = b""
        for _ in range(TRIES):
            received = self.send([request])
            statuses = STATUS.findall(received)
            if len(statuses) == 2 and b"408" not in statuses:
                break
        return received

    def is_well(self) -> bool:
        """Whether it still answers a valid request."""
        response = self.answer(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        return response.startswith(b"HTTP/1.1 200 ") and b'{"ready":true}' in response


def target() -> AbstractContextManager[Target]:
    """A service with a secret, its deadlines short so that incomplete requests end soon."""
    return in_thread(_serving())


@asynccontextmanager
async def _serving() -> AsyncIterator[Target]:
    async with served(
        platform=FakePlatform(tokens="any"),
        strict=False,
        head_timeout=1.0,
        body_timeout=1.0,
        url_secrets=[SECRET],
    ) as edge:
        yield Target(edge.port, edge)
        edge.service.skip_drain_phase()  # tokens are reused, and rejected calls are retried


def call(body: object = None, path: str = "/blocks/echo", key: str = SECRET) -> bytes:
    """A valid call."""
    content = body if isinstance(body, bytes) else json.dumps(body or {"token": TOKEN}).encode()
    return (
        f"POST {path}?key={key} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    ).encode() + content
