"""Methods, media types and paths: what a block's URL answers to, and what else is there."""

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.ingress.conftest import Edge, Hold, Serve

from vertexkit import App, Context

HEAD = (
    b"POST /blocks/echo HTTP/1.1\r\nHost: a\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_block_is_called_with_post(edge: "Edge", method: str) -> None:
    """Another method on a block's URL is answered 405 with the right one in `Allow`."""
    answer = await edge.ask("/blocks/echo", method=method)
    assert answer.rejection == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/blocks", "/openapi.json", "/healthz", "/readyz"])
async def test_a_page_is_not_called_with_post(edge: "Edge", path: str) -> None:
    """A path that can only be read does not accept POST: 405."""
    answer = await edge.ask(path, b"{}")
    assert answer.rejection == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/", "/nothing", "/blocks/a/b/c", "/api/v1", "/%00", "//"])
async def test_elsewhere_there_is_nothing(edge: "Edge", path: str) -> None:
    """Any other path is a 404 with a stable code, in the same form as all rejections."""
    assert (await edge.ask(path, b"{}")).rejection == (404, "not_found")


@pytest.mark.parametrize(
    "kind",
    [None, "text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonp"],
)
async def test_another_media_type_is_rejected(edge: "Edge", kind: str | None) -> None:
    """A body declared as neither JSON nor a form is not parsed: 415."""
    token = edge.platform.issue("echo")
    answer = await edge.ask(body=b'{"token":"%b"}' % token.encode(), kind=kind)
    assert answer.rejection == (415, "unsupported_media_type")
    assert edge.untouched(token)


@pytest.mark.parametrize("charset", ["utf-16", "windows-1251", "latin-1"])
async def test_another_encoding_is_rejected(edge: "Edge", charset: str) -> None:
    """A body in another encoding than UTF-8 is rejected, not decoded wrongly: 415."""
    kind = f"application/json; charset={charset}"
    answer = await edge.ask(body=b'{"token":"t"}', kind=kind)
    assert answer.rejection == (415, "unsupported_media_type")


async def test_a_media_type_may_be_written_in_any_way(edge: "Edge") -> None:
    """Case and parameters of header and media type do not matter."""
    token = edge.platform.issue("echo")
    body = b'{"token":"%b"}' % token.encode()
    answer = await edge.ask(body=body, kind='Application/JSON ; charset="UTF-8"')
    assert answer.status == 200
    assert await edge.completed(token) == {"inputs": {}}


async def test_an_only_block_is_served_at_the_root_too(serve: "Serve") -> None:
    """An app of one block answers at `/` as at the block's own path; at `/` it is POST alone."""
    async with serve(one_block) as edge:
        for path in ("/", "/blocks/only"):
            token = edge.platform.issue("only")
            answer = await edge.ask(path, b'{"token":"%b"}' % token.encode())
            assert answer.status == 200
            assert await edge.completed(token) == {"only": True}
        assert (await edge.ask("/", method="GET")).rejection == (405, "method_not_allowed")


def one_block(hold: "Hold", **options: object) -> App:
    app = App(**options)  # type: ignore[arg-type]

    @app.block("only")
    async def only(ctx: Context) -> dict[str, bool]:
        return {"only": True}

    return app


@pytest.mark.parametrize("path", ["/blocks/echo/", "/blocks/", "/blocks/echo/key/", "/healthz/"])
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_nobody_is_sent_elsewhere(edge: "Edge", path: str, method: str) -> None:
    """A slash too many is a 404, not a redirect: that would repeat the URL and its secret."""
    answer = await edge.ask(f"{path}?key=hush", b"{}", method=method)
    assert answer.rejection == (404, "not_found")
    assert "location" not in answer.headers
    assert b"hush" not in answer.body


async def test_a_caller_who_asks_first_is_told_at_once(edge: "Edge") -> None:
    """With `Expect: 100-continue` a valid call is continued, one that is too large is rejected."""
    token = edge.platform.issue("echo")
    body = json.dumps({"token": token}).encode()
    asks = HEAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    async with edge.line() as line:
        await line.send(asks % len(body))
        assert (await line.answer()).status == 100
        await line.send(body)
        assert (await line.answer()).status == 200
    async with edge.line() as line:
        await line.send(asks % 1_000_000)
        assert (await line.answer()).rejection == (413, "too_large")
    await edge.completed(token)


async def test_rejections_are_not_kept_by_anybody_between(edge: "Edge") -> None:
    """No answer of a block's URL may be stored by a proxy, good or bad."""
    token = edge.platform.issue("echo")
    for answer in (await edge.call("echo", token), await edge.ask(body=b"{")):
        assert answer.headers["cache-control"] == "no-store"
    await edge.completed(token)


async def test_calls_follow_each_other_on_one_connection(edge: "Edge") -> None:
    """A connection stays usable after an answer of any kind, so a platform may keep it."""
    tokens = [edge.platform.issue("echo") for _ in range(2)]
    first, second = (b'{"token":"%b"}' % token.encode() for token in tokens)
    async with edge.line() as line:
        statuses = []
        for body in (b"{", first, b"[]", second):
            await line.send(HEAD % len(body) + body)
            statuses.append((await line.answer()).status)
    assert statuses == [400, 200, 400, 200]
    for token in tokens:
        await edge.completed(token)
