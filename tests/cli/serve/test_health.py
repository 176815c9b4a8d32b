"""`vertexkit health`: a health check from inside a container."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from vertexkit.cli.serve.health import check_health
from vertexkit.errors import SettingsError


@contextmanager
def service(responses: dict[str, tuple[int, bytes]]) -> Iterator[str]:
    """Run an HTTP server with these responses; yields its URL."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = responses[self.path]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - as in the base class
            pass

    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_state_is_reported_with_reasons() -> None:
    """200 is healthy; for another status the service's own reasons are printed."""
    pages = {
        "/healthz": (200, b'{"alive":true}'),
        "/readyz": (503, b'{"ready":false,"reasons":["stopping","queue full"]}'),
        "/odd/healthz": (500, b"<html>"),
    }
    with service(pages) as url:
        assert check_health(url, "healthz") == (f"{url} is alive", True)
        assert check_health(f"{url}/", "readyz") == (
            f"{url} is not ready: stopping, queue full",
            False,
        )
        assert check_health(f"{url}/odd", "healthz") == (
            f"{url}/odd is not alive: it responded with status 500",
            False,
        )


def test_the_url_comes_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that listens on 0.0.0.0 is checked on 127.0.0.1."""
    with service({"/healthz": (200, b"{}")}) as url:
        monkeypatch.setenv("VERTEXKIT_HOST", "0.0.0.0")
        monkeypatch.setenv("VERTEXKIT_PORT", url.rpartition(":")[2])
        assert check_health(None, "healthz") == (f"{url} is alive", True)


def test_the_port_for_operators_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """If health has a separate port, the check uses that port."""
    with service({"/readyz": (200, b"{}")}) as url:
        monkeypatch.setenv("VERTEXKIT_PORT", "9")
        monkeypatch.setenv("VERTEXKIT_OPS_PORT", url.rpartition(":")[2])
        assert check_health(None, "readyz") == (f"{url} is ready", True)


def test_an_unreachable_service_is_not_healthy() -> None:
    """A refused connection is reported in a sentence, not a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        sentence, healthy = check_health(url, "healthz")
    assert not healthy
    assert sentence.startswith(f"{url} does not respond: ")


def test_an_invalid_url_is_an_error() -> None:
    """The error shows a valid example."""
    with pytest.raises(SettingsError, match="for example http://"):
        check_health("localhost:8000", "healthz")
