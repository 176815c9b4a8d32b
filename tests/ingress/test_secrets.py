"""The secrets in the URLs of the blocks."""

import hmac
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
from structlog.testing import LogCapture

from tests.ingress.served_app import Edge, Serve
from vertexkit.ingress.access import AccessControl
from vertexkit.settings import Settings

OLD, NEW, ODD = "old-secret-1", "new-secret-2", "ключ/с пробелом?&"
SECRETS = [OLD, NEW, ODD]
NOTHING = b'"Not found."'


@pytest.fixture(scope="module")
async def guarded(lines: LogCapture, serve: Serve) -> AsyncIterator[Edge]:
    """A service with two secrets."""
    async with serve(url_secrets=[OLD, NEW]) as edge:
        yield edge


async def call(edge: Edge, path: str, opens: bool = True) -> None:
    """Call a block at this URL; the call is accepted or answered 404."""
    token = edge.platform.issue("echo")
    answer = await edge.ask(path, json.dumps({"token": token}).encode())
    if opens:
        assert answer.status == 200
        assert await edge.completed(token) == {"inputs": {}}
    else:
        assert answer.rejection == (404, "not_found")
        assert NOTHING in answer.body
        assert edge.untouched(token)


async def test_each_secret_opens_in_the_query_and_in_the_path(serve: Serve) -> None:
    """`?key=` and `/blocks/{name}/{key}` open with any one of the secrets.

    So one can be changed while the platform still uses the other.
    """
    async with serve(url_secrets=SECRETS) as edge:
        for secret in SECRETS:
            await call(edge, f"/blocks/echo?key={quote(secret, safe='')}")
            await call(edge, f"/blocks/echo?x=1&key={quote(secret, safe='')}&y=2")
        for secret in (OLD, NEW, quote("ключ")):
            await call(edge, f"/blocks/echo/{secret}", opens=secret in SECRETS)


@pytest.mark.parametrize(
    "path",
    [
        "/blocks/echo",
        "/blocks/echo?key=",
        "/blocks/echo?key",
        f"/blocks/echo?Key={OLD}",
        f"/blocks/echo?secret={OLD}",
        f"/blocks/echo?key={OLD[:-1]}",
        f"/blocks/echo?key={OLD}x",
        f"/blocks/echo?key={OLD.upper()}",
        f"/blocks/echo?key={OLD}%20",
        f"/blocks/echo?key={OLD}%00",
        f"/blocks/echo?key={OLD}&key=wrong",
        f"/blocks/echo?key={OLD},{NEW}",
        "/blocks/echo?key=%FF%FE",
        "/blocks/echo?key=%D0%BA%D0%BB%D1%8E%D1%87",
        "/blocks/echo/wrong",
        f"/blocks/echo/wrong?key={OLD}",
        "/blocks/echo/%FF",
        "/blocks/echo/%ED%A0%80",
        f"/blocks/nothing/{OLD[:-1]}",
    ],
)
async def test_nothing_else_opens(guarded: Edge, path: str) -> None:
    """A wrong or missing secret gets the same response as a path that does not exist."""
    await call(guarded, path, opens=False)
    assert not guarded.happened


async def test_a_wrong_secret_is_noticed_before_the_body(serve: Serve) -> None:
    """A caller without the secret is rejected before any byte of the body is read."""
    async with serve(url_secrets=SECRETS) as edge:
        for framing in ("Content-Length: 1000000", "Transfer-Encoding: chunked"):
            async with edge.line() as line:
                await line.send(
                    f"POST /blocks/echo?key=no HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode()
                )
                assert (await line.answer()).rejection == (404, "not_found")


async def test_a_wrong_secret_does_not_tell_which_blocks_there_are(serve: Serve) -> None:
    """Without the secret an existing block and a missing one answer the same, to the byte.

    And no block is completed for a caller without the secret.
    """
    async with serve(url_secrets=SECRETS) as edge:
        token = edge.platform.issue("echo")
        body = json.dumps({"token": token}).encode()
        there, nowhere = [
            await edge.ask(f"/blocks/{name}?key=no", body) for name in ("echo", "nothing")
        ]
        assert (there.status, there.body) == (nowhere.status, nowhere.body)
        assert there.headers.keys() == nowhere.headers.keys()
        assert edge.untouched(token)


@pytest.mark.parametrize("key", [OLD, NEW, ODD, OLD[:-1], "", "x" * 5000])
def test_the_time_of_a_comparison_tells_nothing(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key is compared with every secret, by digests of one length, in constant time."""
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def counted(given: bytes, secret: bytes) -> bool:
        compared.append((len(given), len(secret)))
        return compare(given, secret)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    access = AccessControl(Settings.of(url_secrets=SECRETS).access)
    query = f"key={quote(key)}".encode()
    scope = {"type": "http", "headers": [], "query_string": query, "path_params": {}}
    assert access.allows(scope) is (key in SECRETS)
    assert compared == [(32, 32)] * len(SECRETS)


async def test_basic_credentials_are_no_secret_of_the_url(serve: Serve) -> None:
    """A secret given in `Authorization` does not open: it belongs into the URL."""
    basic = b64encode(f"{OLD}:{OLD}".encode()).decode()
    async with serve(url_secrets=SECRETS) as edge:
        for header in (f"Basic {basic}", f"Bearer {OLD}"):
            answer = await edge.ask(body=b"{}", Authorization=header)
            assert answer.rejection == (404, "not_found")


async def test_without_a_secret_anybody_may_call(edge: Edge) -> None:
    """Without secrets a key in the URL is ignored."""
    for path in ("/blocks/echo", "/blocks/echo?key=any", "/blocks/echo/any"):
        await call(edge, path)


async def test_the_catalogue_asks_for_the_secret_and_health_does_not(serve: Serve) -> None:
    """The catalogue needs the secret; health does not."""
    async with serve(url_secrets=SECRETS) as edge:
        for path in ("/blocks", "/openapi.json"):
            answer = await edge.ask(path, method="GET")
            assert answer.rejection == (404, "not_found")
            assert (await edge.ask(f"{path}?key={NEW}", method="GET")).status == 200
        for path in ("/healthz", "/readyz"):
            assert (await edge.ask(path, method="GET")).status == 200


async def test_no_secret_and_no_token_is_logged(serve: Serve, lines: LogCapture) -> None:
    """Good and bad calls leave no URL secret and no token in any log line or event."""
    lines.entries.clear()
    async with serve(url_secrets=SECRETS) as edge:
        tokens = []
        for path in (f"echo?key={OLD}", f"echo/{NEW}", f"loan/{NEW}", "echo?key=guess"):
            tokens.append(edge.platform.issue(path[:4]))
            await edge.ask(f"/blocks/{path}", json.dumps({"token": tokens[-1]}).encode())
        for token in tokens[:-1]:
            await edge.completed(token)
    assert len(lines.entries) > 3
    text = repr(lines.entries)
    for secret in (*SECRETS, "guess", *tokens):
        assert secret not in text
