"""`SocketWire` over TLS, on both event loops."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.botone.scripted_server import HOST, SocketServer
from tests.reserved_port import reserved_port
from vertexkit.botone.response import Response
from vertexkit.botone.socket_wire import SocketWire
from vertexkit.errors import PlatformError, PlatformUnreachable, SendOutcomeUnknown

PATIENT, SHORT = 60.0, 0.05
pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the certificate of the test is made with openssl"
)


@pytest.fixture(
    params=[
        pytest.param(False, id="asyncio"),
        pytest.param(True, id="uvloop", marks=pytest.mark.unmeasured),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Run each test on the loop of asyncio and on the one that `vertexkit run` uses."""
    return "asyncio", {"use_uvloop": request.param}


async def post(platform: SocketServer) -> Response:
    return await platform.wire.post(f"{platform.url}/say", b'{"token":"t"}', PATIENT)


async def fail(platform: SocketServer, timeout: float = PATIENT) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await platform.wire.post(f"{platform.url}/say", b'{"token":"t"}', timeout)
    return caught.value


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and its certificate for `localhost`."""
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", file, "-out", file.with_suffix(".crt")),
        ],
        check=True,
        capture_output=True,
        timeout=100,
    )
    file.write_bytes(file.read_bytes() + file.with_suffix(".crt").read_bytes())
    return file


@asynccontextmanager
async def over_tls(certificate: Path) -> AsyncIterator[SocketServer]:
    server = SocketServer("", SocketWire())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with await asyncio.start_server(server.serve, HOST, 0, ssl=context) as listener:
        server.url = f"https://localhost:{listener.sockets[0].getsockname()[1]}/api"
        yield server
        await server.wire.close()
        server.abandon()


async def test_tls_trusts_the_certificates_of_ssl_cert_file(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A response over TLS is read, and the connection is used again."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with over_tls(certificate) as platform:
        platform.will(200, b"x" * 300_000)
        for _ in range(3):
            assert (await post(platform)).body == b"x" * 300_000
        assert platform.connections == 1
        platform.will(None, then="hang")
        await post(platform)
        assert type(await fail(platform, SHORT)) is SendOutcomeUnknown
        await platform.left.wait()


@pytest.mark.parametrize(
    "host, reason", [("localhost", "self-signed certificate"), (HOST, "IP address mismatch")]
)
async def test_a_certificate_that_is_not_trusted_sent_nothing(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, host: str, reason: str
) -> None:
    """A certificate of another authority or of another host ends the handshake."""
    if host == HOST:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    else:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    async with over_tls(certificate) as platform:
        platform.url = platform.url.replace("localhost", host)
        error = await fail(platform)
        assert type(error) is PlatformUnreachable
        assert f"no connection: the TLS certificate of {host}:" in str(error)
        assert reason in str(error)
        assert not platform.requests


@pytest.fixture
def port() -> Iterator[int]:
    """A port that no other process gets, where openssl may listen."""
    with reserved_port() as held:
        yield held


async def test_a_renegotiation_is_refused(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    """A server that wants to renegotiate TLS 1.2 in the middle of a request gets no handshake."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    command = f"openssl s_server -tls1_2 -accept {HOST}:{port} -cert {certificate}"
    server = await asyncio.create_subprocess_exec(
        *command.split(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        await server.stdout.readuntil(b"ACCEPT\n")
        wire = SocketWire()
        url = f"https://localhost:{port}/api"
        task = asyncio.create_task(wire.post(url, b"{}", PATIENT))
        await server.stdout.readuntil(b"Content-Length")
        server.stdin.write(b"R\n")  # renegotiate
        with pytest.raises(SendOutcomeUnknown):
            await task
        await wire.close()
        shown = await server.stdout.readuntil(b"no renegotiation")
        assert b"no renegotiation" in shown
    finally:
        server.kill()
        await server.communicate()
