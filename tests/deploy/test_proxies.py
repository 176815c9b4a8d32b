"""deploy/nginx and deploy/caddy: services behind a real proxy with these configurations."""

import importlib.util
import itertools
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from signal import SIGTERM

import httpx
import pytest

from tests.cli.shell import Process, Shell
from tests.postgres_server import PostgresServer, find_programs
from tests.tools import TOOLS, reason

DEPLOY = Path(__file__).parents[2] / "deploy"
SECRET = "secret-of-the-url-25"
TOKEN = "token-of-a-dialog-4711"
NETWORK = f"127.{1 + os.getpid() // 256 % 254}.{os.getpid() % 256}"
"""The addresses of this test process start with it, so no port of theirs is in use."""
SERVICES = [f"{NETWORK}.1", f"{NETWORK}.2"]
PROXY = f"{NETWORK}.3"
ALLOWED = f"{NETWORK}.4"
"""The only address whose calls the services accept."""
READY_SECONDS = 60
NOTICED_SECONDS = 60
"""Within this time a proxy has noticed that a service has stopped. Caddy asks once a second."""
NUMBERS = itertools.count()
"""Make the tokens of each site its own: all of them share one platform."""

pytestmark = [
    pytest.mark.unmeasured,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux serves all of 127/8"),
]


class Site:
    """Two services behind a proxy.

    Args:
        services: processes by address.
        base: URL of the proxy.
        log: everything that the proxy has logged.
        verify: trusts the certificate of the proxy, if it has one.
        while_stopping: statuses other than 200 of calls while a service stops; of a proxy that
            gives such calls to another service, and logs to which, there are none.
    """

    def __init__(
        self,
        services: dict[str, Process],
        base: str,
        log: Callable[[], str],
        verify: ssl.SSLContext | bool,
        while_stopping: AbstractSet[int] = frozenset(),
    ) -> None:
        self.services = services
        self.log = log
        self.while_stopping = while_stopping
        self.number = next(NUMBERS)
        self._base = base
        self._verify = verify

    def request(
        self, method: str, path: str, caller: str = ALLOWED, body: bytes = b""
    ) -> httpx.Response:
        """Send a request from an address."""
        transport = httpx.HTTPTransport(local_address=caller, verify=self._verify)
        with httpx.Client(transport=transport, base_url=self._base, timeout=15) as client:
            headers = {"content-type": "application/json", "host": "localhost"}
            return client.request(method, path, content=body, headers=headers)

    def call(self, token: str, caller: str = ALLOWED) -> httpx.Response:
        """Call the block with a token."""
        body = f'{{"token": "{token}-{self.number}", "name": "Ada"}}'.encode()
        return self.request("POST", f"/blocks/hello?key={SECRET}", caller, body)


def read_output(process: Process) -> None:
    """Read the output of a process in a thread, so that the process never waits for its reader."""
    threading.Thread(target=process.finish, daemon=True).start()


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A folder for all processes of this file."""
    shell = Shell(tmp_path_factory.mktemp("site"))
    yield shell
    shell.close()


@pytest.fixture(scope="module")
def platform_url(shell: Shell) -> str:
    process = shell.start("platform", "--port", "0", "--typing", "0", "--json")
    process.wait_for("-H 'content-type: application/json'")
    read_output(process)
    return f"http://127.0.0.1:{process.port}/api"


@pytest.fixture
def journal(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a journal that the services share; empty without a PostgreSQL server."""
    if find_programs() is None or importlib.util.find_spec("psycopg") is None:
        yield ""
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    server.sql("CREATE DATABASE site")
    yield server.url("site")
    server.sql("DROP DATABASE site WITH (FORCE)")


@pytest.fixture
def services(
    shell: Shell, platform_url: str, journal: str, tmp_path: Path
) -> Iterator[dict[str, Process]]:
    """Two services, each at an address of its own."""
    started = {}
    for address in SERVICES:
        started[address] = shell.start(
            "run",
            "hello:app",
            host=address,
            port="8000",
            ops_port="9000",
            platform_url=platform_url,
            url_secrets=SECRET,
            journal=journal or f"sqlite:{tmp_path / address}.db",
            trusted_proxies="127.0.0.0/8",
            allow_from=ALLOWED,
        )
    for process in started.values():
        process.wait_for('"started"')
        read_output(process)
    yield started
    for process in started.values():
        process.forked.send_signal(SIGTERM)
        assert process.forked.wait(60) == 0


def wait_until_served(site: Site, started: "subprocess.Popen[bytes]") -> None:
    """Wait until the proxy passes calls on."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and started.poll() is None:
        try:
            if site.request("GET", "/blocks/hello").status_code not in {502, 503}:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the proxy passes no call on:\n{site.log()}")


@pytest.fixture
def nginx(tmp_path: Path, services: dict[str, Process]) -> Iterator[Site]:
    """nginx with the configuration of deploy/nginx, at addresses of this test."""
    for name in ("nginx", "openssl"):
        if TOOLS[name].path is None:
            pytest.skip(reason(name))
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout", key),
            *("-out", certificate, "-addext", f"subjectAltName=IP:{PROXY},DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    text = "".join(path.read_text(encoding="utf-8") for path in (DEPLOY / "nginx").iterdir())
    for shipped, here in {
        "server 127.0.0.1:8001": f"server {SERVICES[0]}:8000",
        "server 127.0.0.1:8002": f"server {SERVICES[1]}:8000",
        "listen 443 ssl": f"listen {PROXY}:8443 ssl",
        "/etc/ssl/certs/blocks.example.com.pem": str(certificate),
        "/etc/ssl/private/blocks.example.com.key": str(key),
        "/var/log/nginx/": f"{tmp_path}/",
    }.items():
        assert shipped in text
        text = text.replace(shipped, here)
    (tmp_path / "vertexkit.conf").write_text(text, encoding="utf-8")
    folders = "\n".join(
        f"    {module}_temp_path {tmp_path}/{module};"
        for module in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {tmp_path}/pid;\nerror_log {tmp_path}/errors.log;\n"
        f"events {{}}\nhttp {{\n{folders}\n    include {tmp_path}/vertexkit.conf;\n}}\n",
        encoding="utf-8",
    )
    started = subprocess.Popen(
        ["nginx", "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", tmp_path / "errors.log"]
    )

    def log() -> str:
        return "".join(path.read_text(encoding="utf-8") for path in sorted(tmp_path.glob("*.log")))

    context = ssl.create_default_context(cafile=str(certificate))
    site = Site(services, f"https://{PROXY}:8443", log, context)
    try:
        wait_until_served(site, started)
        yield site
    finally:
        started.terminate()
        started.wait(60)


@pytest.fixture
def caddy(tmp_path: Path, services: dict[str, Process]) -> Iterator[Site]:
    """Caddy with deploy/caddy/Caddyfile as it is."""
    if TOOLS["caddy"].path is None:
        pytest.skip(reason("caddy"))
    path = tmp_path / "caddy.log"
    environment = os.environ | {
        "SITE_ADDRESS": "http://localhost:8080",
        "UPSTREAMS": " ".join(f"{address}:8000" for address in SERVICES),
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    text = (DEPLOY / "caddy/Caddyfile").read_text(encoding="utf-8")
    bound = text.replace("localhost} {", f"localhost}} {{\n\tbind {PROXY}", 1)
    assert bound != text
    (tmp_path / "Caddyfile").write_text(bound, encoding="utf-8")
    with path.open("wb") as output:
        started = subprocess.Popen(
            ["caddy", "run", "--adapter", "caddyfile", "--config", tmp_path / "Caddyfile"],
            env=environment,
            stdout=output,
            stderr=output,
        )

    def log() -> str:
        return path.read_text(encoding="utf-8")

    site = Site(services, f"http://{PROXY}:8080", log, verify=False, while_stopping={502, 503})
    try:
        wait_until_served(site, started)
        yield site
    finally:
        started.terminate()
        started.wait(60)


@pytest.fixture(params=["nginx", "caddy"])
def site(request: pytest.FixtureRequest) -> Site:
    """Two services behind each of the proxies."""
    site = request.getfixturevalue(request.param)
    assert isinstance(site, Site)
    return site


def assert_repeated_calls_are_recognised(site: Site) -> None:
    """Repeat a call whose execution waits: both services return the same execution."""
    body = f'{{"token": "{TOKEN}-repeated-{site.number}", "name": "later"}}'.encode()
    path = f"/blocks/hello?key={SECRET}"
    before = [site.log().count(f"{address}:8000 200") for address in SERVICES]
    answers = [site.request("POST", path, body=body) for _ in range(2 * len(SERVICES))]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["execution"] for answer in answers}) == 1
    if not site.while_stopping:  # it logs which service answered
        after = [site.log().count(f"{address}:8000 200") for address in SERVICES]
        assert all(new > old for new, old in zip(after, before, strict=True))


def test_calls_are_accepted_while_a_service_stops(site: Site, journal: str) -> None:
    """nginx gives the calls that a stopping service rejects to the other one; Caddy returns the 503.

    With a shared journal, a repeated call that arrives at the other service is recognised there.
    The services see the address of the caller. The proxy forwards blocks only, rejects what is
    larger than the limit, and logs neither the secret of the URL nor the token.
    """
    assert site.call("of-another-address", caller=f"{NETWORK}.9").status_code == 404
    assert [site.call(f"{TOKEN}-{number}").status_code for number in range(6)] == [200] * 6
    for path in ("/metrics", "/readyz", "/blocks", "/openapi.json", "/"):
        assert site.request("GET", path).status_code == 404, path
    too_large = site.request("POST", f"/blocks/hello?key={SECRET}", body=b"x" * 600_000)
    assert too_large.status_code == 413

    if journal:
        assert_repeated_calls_are_recognised(site)

    first = site.services[SERVICES[0]]
    first.forked.send_signal(SIGTERM)
    statuses: list[int] = []
    while first.forked.returncode is None:
        statuses.append(site.call(f"{TOKEN}-stopping-{len(statuses)}").status_code)
    assert set(statuses) <= {200} | site.while_stopping
    after: list[int] = []
    number_in_a_row = 10
    end = time.monotonic() + NOTICED_SECONDS
    while set(after[-number_in_a_row:]) != {200} or len(after) < number_in_a_row:
        assert time.monotonic() < end, (after[-50:], site.log()[-2000:])
        after.append(site.call(f"{TOKEN}-stopped-{len(after)}").status_code)
    assert set(after) <= {200} | site.while_stopping
    assert first.forked.wait(60) == 0

    log = site.log()
    assert re.search(r"\b200\b", log), "the proxy has logged nothing"
    assert SECRET not in log
    assert TOKEN not in log
