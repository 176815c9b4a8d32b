"""Proxies of the environment: one rule for messages, completions, dialogs and authors' requests."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from yarl import URL

from vertexkit import http_client
from vertexkit.botone.aiohttp_wire import AiohttpWire
from vertexkit.botone.client import BotOne
from vertexkit.botone.proxies import Proxies, display
from vertexkit.botone.socket_wire import SocketWire
from vertexkit.errors import Fate, PlatformUnreachable, SettingsError
from vertexkit.service import _make_wire
from vertexkit.settings import PlatformSettings

NAMES = [f"{name}_proxy" for name in ("http", "https", "all", "no")]
PAGINATION = {"total": 0, "count": 0, "per_page": 20, "current_page": 1, "total_pages": 1}
PROXY = "http://proxy.example.com:3128"
PATIENT = 60.0


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without proxies, in which only the names of this machine are known.

    What a name server answers, and when, depends on the network.
    """
    resolve = socket.getaddrinfo

    def known(host: Any, *args: Any, **options: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", known)
    for name in (*NAMES, *map(str.upper, NAMES), "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    "variables, url, expected",
    [
        ({}, "https://demo.bot.one/api", None),
        ({"HTTPS_PROXY": PROXY}, "https://demo.bot.one/api", PROXY),
        ({"https_proxy": PROXY}, "https://demo.bot.one/api", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http://demo.bot.one/api", None),
        ({"HTTP_PROXY": PROXY}, "http://demo.bot.one/api", PROXY),
        ({"HTTP_PROXY": PROXY}, "https://demo.bot.one/api", None),
        ({"ALL_PROXY": PROXY}, "https://demo.bot.one/api", PROXY),
        ({"all_proxy": PROXY}, "http://demo.bot.one/api", PROXY),
        ({"ALL_PROXY": "http://other:1", "HTTPS_PROXY": PROXY}, "https://demo.bot.one", PROXY),
        ({"HTTPS_PROXY": "http://other:1", "https_proxy": PROXY}, "https://demo.bot.one", PROXY),
        ({"HTTPS_PROXY": ""}, "https://demo.bot.one/api", None),
        ({"HTTPS_PROXY": PROXY, "https_proxy": ""}, "https://demo.bot.one/api", None),
        ({"HTTPS_PROXY": "proxy.example.com:3128"}, "https://demo.bot.one/api", PROXY),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "http://demo.bot.one/api", None),
        ({"HTTPS_PROXY": "https://proxy:3129"}, "https://demo.bot.one", "https://proxy:3129"),
        ({"HTTPS_PROXY": "http://me:p%40ss@proxy:1"}, "https://a.b", "http://me:p%40ss@proxy:1"),
        ({"ALL_PROXY": "socks5://proxy:1", "HTTPS_PROXY": PROXY}, "https://demo.bot.one", PROXY),
    ],
)
def test_the_environment_names_the_proxy(
    environment: pytest.MonkeyPatch, variables: dict[str, str], url: str, expected: str | None
) -> None:
    """A variable for the scheme, then that for all schemes; lower case before upper case."""
    for name, value in variables.items():
        environment.setenv(name, value)
    assert Proxies.from_environment().find(url) == (URL(expected) if expected else None)


@pytest.mark.parametrize(
    "exceptions, url, direct",
    [
        ("*", "https://demo.bot.one", True),
        ("bot.one", "https://demo.bot.one", True),
        ("bot.one", "https://bot.one", True),
        (".bot.one", "https://demo.bot.one", True),
        ("*.bot.one", "https://demo.bot.one", True),
        ("bot.one", "https://robot.one", False),
        ("demo.bot.one", "https://other.bot.one", False),
        ("DEMO.bot.one", "https://demo.BOT.one.", True),
        ("other, ,bot.one", "https://demo.bot.one", True),
        ("other bot.one", "https://demo.bot.one", True),
        ("bot.one:443", "https://demo.bot.one", True),
        ("bot.one:443", "https://demo.bot.one:8443", False),
        ("10.0.0.0/8", "https://10.2.3.4", True),
        ("10.0.0.0/8", "https://11.2.3.4", False),
        ("10.2.3.4", "https://10.2.3.4:8443", True),
        ("10.2.3.4:443", "https://10.2.3.4:8443", False),
        ("10.2.3.4", "https://10.2.3.45", False),
        ("*", "https://10.2.3.4", True),
        ("fd00::/8", "https://[fd00::1]", True),
        ("[fd00::1]", "https://[fd00::1]", True),
        ("[fd00::1]:443", "https://[fd00::1]", True),
        ("[fd00::1]:444", "https://[fd00::1]", False),
        ("", "https://localhost", True),
        ("", "https://app.localhost:8000", True),
        ("", "https://127.0.0.1:8000", True),
        ("", "https://127.1.2.3", True),
        ("", "https://[::1]:8000", True),
        ("", "https://localhost.example.com", False),
        (".", "https://demo.bot.one", False),
    ],
)
def test_exceptions_are_requested_directly(exceptions: str, url: str, direct: bool) -> None:
    """Names with their subdomains, addresses, networks, ports; and always this machine itself."""
    proxies = Proxies({"https": PROXY}, tuple(exceptions.replace(",", " ").split()))
    assert (proxies.find(url) is None) is direct


@pytest.mark.parametrize(
    "value", ["socks5://proxy:1080", "ftp://x", "http://", "http://a:b:c", "/"]
)
def test_a_proxy_that_cannot_be_used_is_an_error_of_its_variable(value: str) -> None:
    """The error names the variable and a right value, and contains no login."""
    with pytest.raises(SettingsError, match="HTTPS_PROXY must be the URL of a proxy"):
        Proxies({"https": value}).find("https://demo.bot.one")
    with pytest.raises(SettingsError, match="ALL_PROXY") as caught:
        Proxies({"all": "socks5://me:hush@proxy"}).find("https://demo.bot.one")
    assert "hush" not in str(caught.value)


def test_a_proxy_is_shown_without_its_login() -> None:
    """Login and password of a proxy are secrets."""
    assert display(URL("http://me:hush@proxy:3128")) == "http://proxy:3128"
    assert display(None) == ""


class ForwardProxy:
    """A proxy that answers every request itself."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.headers: list[str] = []
        self.status = "200 OK"
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(" ".join(head.split(" ")[:2]))
        self.headers.append(head.lower())
        body = json.dumps({"meta": {"pagination": PAGINATION}}).encode()
        writer.write(
            f"HTTP/1.1 {self.status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def forward_proxy() -> AsyncIterator[ForwardProxy]:
    proxy = ForwardProxy()
    async with await asyncio.start_server(proxy.handle, "127.0.0.1", 0) as server:
        proxy.url = f"http://me:hush@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield proxy


async def test_all_requests_go_through_the_proxy(environment: pytest.MonkeyPatch) -> None:
    """Messages, dialogs and an author's requests to a host that only the proxy can reach."""
    async with forward_proxy() as proxy:
        environment.setenv("HTTP_PROXY", proxy.url)
        environment.setenv("HTTPS_PROXY", proxy.url)
        wire = AiohttpWire()
        assert (await wire.post("http://platform.invalid/say", b"{}", PATIENT)).status == 200
        async with http_client() as client:
            assert (await client.get("http://other.invalid/rate?q=1")).status_code == 200
        async with BotOne("http://platform.invalid/api", "me", "hush") as bot:
            assert (await bot.v2.conversations().page()).pagination.total == 0
        assert proxy.requests[:2] == [
            "POST http://platform.invalid/say",
            "GET http://other.invalid/rate?q=1",
        ]
        assert proxy.requests[2].startswith("GET http://platform.invalid/api/")
        assert all("proxy-authorization: basic" in head for head in proxy.headers)
        # A tunnel that the proxy refuses: nothing was sent.
        proxy.status = "407 Proxy Authentication Required"
        with pytest.raises(PlatformUnreachable, match="with status 407") as caught:
            await wire.post("https://platform.invalid/say", b"{}", PATIENT)
        assert caught.value.fate is Fate.NOT_SENT
        async with http_client() as client:
            with pytest.raises(httpx.ProxyError, match="with status 407"):
                await client.get("https://other.invalid/rate")
        assert proxy.requests[-2:] == [
            "CONNECT platform.invalid:443",
            "CONNECT other.invalid:443",
        ]
        await wire.close()


async def test_a_service_uses_aiohttp_where_it_needs_a_proxy(
    environment: pytest.MonkeyPatch,
) -> None:
    """`SocketWire` knows no proxies: it is used if every address of the platform is direct."""
    url, template = "https://demo.bot.one/api", "https://{instance}.bot.one/api"
    direct = PlatformSettings(url=url)
    several = PlatformSettings(url=template, instances=("demo", "other"))
    chosen = PlatformSettings(url=url, wire="aiohttp")
    wires = [_make_wire(settings) for settings in (direct, several, chosen)]
    assert list(map(type, wires)) == [SocketWire, SocketWire, AiohttpWire]
    environment.setenv("HTTPS_PROXY", "http://proxy:3128")
    environment.setenv("NO_PROXY", "demo.bot.one")
    wires += [_make_wire(settings) for settings in (direct, several)]
    assert list(map(type, wires[3:])) == [SocketWire, AiohttpWire]
    for wire in wires:
        await wire.close()


async def test_an_author_may_choose_another_way(environment: pytest.MonkeyPatch) -> None:
    """The options `proxy` and `trust_env` of httpx mean what they mean there."""
    async with forward_proxy() as proxy, forward_proxy() as other:
        environment.setenv("ALL_PROXY", proxy.url)
        async with http_client(proxy=other.url) as client:
            assert (await client.get("http://other.invalid/")).status_code == 200
        assert (len(proxy.requests), len(other.requests)) == (0, 1)
        async with http_client(trust_env=False) as client:
            with pytest.raises(httpx.ConnectError, match=r"other\.invalid cannot be resolved"):
                await client.get("http://other.invalid/")
        assert (len(proxy.requests), len(other.requests)) == (0, 1)


async def test_this_machine_is_requested_directly(environment: pytest.MonkeyPatch) -> None:
    """A fake platform or a sidecar on the loopback address is never requested through a proxy."""
    environment.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with forward_proxy() as service:
        url = f"http://127.0.0.1:{URL(service.url).port}"
        wire = AiohttpWire()
        assert (await wire.post(f"{url}/say", b"{}", PATIENT)).status == 200
        await wire.close()
        async with http_client() as client:
            assert (await client.get(f"{url}/rate")).status_code == 200
    assert service.requests == ["POST /say", "GET /rate"]


async def test_a_wrong_variable_fails_the_request_that_needs_it(
    environment: pytest.MonkeyPatch,
) -> None:
    """Nothing is sent past a proxy that is wanted but not understood."""
    environment.setenv("ALL_PROXY", "socks5://proxy:1080")
    wire = AiohttpWire()
    with pytest.raises(PlatformUnreachable, match="ALL_PROXY"):
        await wire.post("http://platform.invalid/say", b"{}", PATIENT)
    await wire.close()
    async with http_client() as client:
        with pytest.raises(httpx.ProxyError, match="ALL_PROXY"):
            await client.get("http://other.invalid/")


async def test_a_proxy_that_is_away_is_named(environment: pytest.MonkeyPatch) -> None:
    """The error says that the proxy, not the platform, cannot be reached."""
    environment.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    wire = AiohttpWire()
    with pytest.raises(PlatformUnreachable, match=r"the proxy 127\.0\.0\.1:9 cannot be reached"):
        await wire.post("http://platform.invalid/say", b"{}", PATIENT)
    await wire.close()
    async with http_client() as client:
        with pytest.raises(httpx.ProxyError, match=r"the proxy 127\.0\.0\.1:9"):
            await client.get("http://other.invalid/")
