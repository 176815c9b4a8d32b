"""What `check` says about the way to the platform: the proxy, and why there is no connection."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from vertexkit.cli.serve.check import check
from vertexkit.cli.serve.findings import Finding

PROXY_VARIABLES = [f"{name}_PROXY" for name in ("HTTP", "HTTPS", "ALL", "NO")]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> pytest.MonkeyPatch:
    """An empty folder, and an environment without proxies."""
    monkeypatch.chdir(str(tmp_path))
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@contextmanager
def answering(response: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Send these bytes to every client; yield the port and what clients sent."""
    received: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                received.append(connection.recv(4096))
                connection.sendall(response)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=[listener], daemon=True).start()
        yield listener.getsockname()[1], received
        listener.shutdown(socket.SHUT_RDWR)


def findings(environment: pytest.MonkeyPatch, url: str) -> dict[str, Finding]:
    """The findings of the platform whose URL this is, by subject."""
    environment.setenv("VERTEXKIT_PLATFORM_URL", url)
    return {finding.subject: finding for finding in check("no_such:app", offline=False)}


def test_the_proxy_is_shown_and_used(environment: pytest.MonkeyPatch) -> None:
    """A platform that only the proxy can reach passes; the proxy's login is not printed."""
    with answering(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n") as (port, received):
        environment.setenv("http_proxy", f"http://me:hush@127.0.0.1:{port}")
        platform = findings(environment, "http://platform.invalid/api")["platform"]
    assert platform.level == "ok"
    assert f"through the proxy http://127.0.0.1:{port}" in platform.message
    assert "hush" not in platform.message
    assert received[0].startswith(b"HEAD http://platform.invalid/api HTTP/1.1")


@pytest.mark.parametrize(
    "variable, url, subject, texts",
    [
        (("HTTPS_PROXY", "socks5://x:1"), "https://a.invalid", "proxy", ["HTTPS_PROXY must be"]),
        (
            ("HTTPS_PROXY", "http://127.0.0.1:9"),
            "https://a.invalid",
            "platform",
            ["the proxy 127.0.0.1:9 cannot be reached: Connection refused", "NO_PROXY"],
        ),
        (("NO_PROXY", "*"), "https://a.invalid", "platform", ["the host name a.invalid cannot be"]),
        (("NO_PROXY", "*"), "http://127.0.0.1:9", "platform", ["127.0.0.1:9", "refused"]),
    ],
)
def test_each_cause_has_its_words(
    environment: pytest.MonkeyPatch,
    variable: tuple[str, str],
    url: str,
    subject: str,
    texts: list[str],
) -> None:
    """A wrong variable, a proxy that is away, an unknown host and a closed port are told apart."""
    environment.setenv(*variable)
    finding = findings(environment, url)[subject]
    assert finding.level == "fail"
    for text in texts:
        assert text in f"{finding.message} {finding.fix}"


def test_a_platform_without_tls_is_named(environment: pytest.MonkeyPatch) -> None:
    """`https://` to a port that speaks plain HTTP is not called a missing connection."""
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (port, _):
        platform = findings(environment, f"https://127.0.0.1:{port}")["platform"]
    assert "the server does not use TLS on this port" in platform.message
    assert "https://" in platform.fix
