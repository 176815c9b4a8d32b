"""Which TLS certificates are accepted: the same ones by messages and by an author's requests."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import certifi
import httpx
import pytest

from vertexkit import http_client
from vertexkit.botone.aiohttp_wire import AiohttpWire
from vertexkit.botone.certificates import VARIABLES, context_for, tls_context
from vertexkit.botone.socket_wire import SocketWire
from vertexkit.errors import PlatformUnreachable

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
PATIENT = 60.0
CERTIFICATE = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 "
    "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out certificate.pem"
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment that names no authorities, in a process that has read none."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    context_for.cache_clear()
    yield monkeypatch
    context_for.cache_clear()


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[str]:
    """A server with a certificate that it has signed itself; the URL."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("openssl is not installed")
    command = [openssl, *CERTIFICATE.split()]
    await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(RESPONSE)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def send(url: str) -> None:
    """Send a message with each wire, and a request as an author does."""
    for wire in (SocketWire(), AiohttpWire()):
        try:
            assert (await wire.post(url, b"{}", PATIENT)).status == 200
        finally:
            await wire.close()
    async with http_client() as client:
        assert (await client.get(url)).status_code == 200


@pytest.mark.parametrize("variable", VARIABLES)
async def test_authorities_that_the_environment_names_are_trusted(
    environment: pytest.MonkeyPatch, platform: str, tmp_path: Path, variable: str
) -> None:
    """By messages and by `http_client()`."""
    file = tmp_path / "certificate.pem"
    if variable == "SSL_CERT_DIR":
        command = ["openssl", "x509", "-hash", "-noout", "-in", str(file)]
        done = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
        folder = tmp_path / "authorities"
        folder.mkdir()
        shutil.copy(file, folder / f"{done.stdout.decode().strip()}.0")
        environment.setenv(variable, str(folder))
    else:
        environment.setenv(variable, str(file))
    await send(platform)


async def test_another_certificate_is_rejected_by_both(platform: str) -> None:
    """The error names the certificate; nothing was sent."""
    for wire in (SocketWire(), AiohttpWire()):
        with pytest.raises(PlatformUnreachable, match=r"TLS certificate of 127\.0\.0\.1"):
            await wire.post(platform, b"{}", PATIENT)
        await wire.close()
    async with http_client() as client:
        with pytest.raises(httpx.ConnectError, match=r"TLS certificate of 127\.0\.0\.1"):
            await client.get(platform)
        async with http_client(verify=False) as careless:
            assert (await careless.get(platform)).status_code == 200


def test_without_authorities_in_the_system_those_of_certifi_are_trusted(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in minimal images; not if the environment names other ones."""
    paths = ssl.get_default_verify_paths()._replace(capath=None)  # pyrefly: ignore[bad-argument-type]
    environment.setattr(ssl, "get_default_verify_paths", lambda: paths)
    environment.setattr(
        ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    known = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    known.load_verify_locations(certifi.where())
    assert tls_context().get_ca_certs() == known.get_ca_certs()
    environment.setenv("SSL_CERT_DIR", str(tmp_path))
    assert tls_context().get_ca_certs() == []


def test_clients_share_one_context(environment: pytest.MonkeyPatch) -> None:
    """The authorities are read once, and again if the environment names other ones."""
    shared = tls_context()
    assert tls_context() is shared
    environment.setenv("SSL_CERT_FILE", certifi.where())
    assert tls_context() is not shared
