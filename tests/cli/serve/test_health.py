"""`vertexkit health`: a container's question to its own service."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from vertexkit.cli.serve.health import ask
from vertexkit.errors import SettingsError


@contextmanager
def service(answers: dict[str, tuple[int, bytes]]) -> Iterator[str]:
    """An HTTP server with these pages; gives its URL."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[self.path]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_service_is_alive_or_ready_or_says_why_not() -> None:
    """200 is well; anything else is told with the service's own reasons."""
    pages = {
        "/healthz": (200, b'{"alive":true}'),
        "/readyz": (503, b'{"ready":false,"reasons":["stopping","queue full"]}'),
        "/odd/healthz": (500, b"<html>"),
    }
    with service(pages) as url:
        assert ask(url, "healthz") == (f"{url} is alive", True)
        assert ask(f"{url}/", "readyz") == (f"{url} is not ready: stopping, queue full", False)
        assert ask(f"{url}/odd", "healthz") == (f"{url}/odd is not alive: it answered 500", False)


def test_the_settings_say_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container it listens on 0.0.0.0, and is asked on 127.0.0.1."""
    with service({"/healthz": (200, b"{}")}) as url:
        monkeypatch.setenv("VERTEXKIT_HOST", "0.0.0.0")
        monkeypatch.setenv("VERTEXKIT_PORT", url.rpartition(":")[2])
        assert ask(None, "healthz") == (f"{url} is alive", True)


def test_it_asks_at_the_port_for_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where health has a port of its own, that is where it is asked for."""
    with service({"/readyz": (200, b"{}")}) as url:
        monkeypatch.setenv("VERTEXKIT_PORT", "9")
        monkeypatch.setenv("VERTEXKIT_OPS_PORT", url.rpartition(":")[2])
        assert ask(None, "readyz") == (f"{url} is ready", True)


def test_nobody_there_is_not_well() -> None:
    """A refused connection is a sentence and not a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        said, well = ask(url, "healthz")
    assert not well
    assert said.startswith(f"{url} does not answer: ")


def test_a_url_that_is_none_is_refused() -> None:
    """The sentence shows one that is."""
    with pytest.raises(SettingsError, match="for example http://"):
        ask("localhost:8000", "healthz")
