"""Methods, media types and paths: what a block's URL answers to, and what else is there."""

import json

import pytest

from tests.ingress.served_app import Edge, Hold, Serve
from vertexkit import App, Context

HEAD = (
    b"POST /blocks/echo HTTP/1.1\r\nHost: a\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_block_is_called_with_post(edge: Edge, method: str) -> None:
    """Another method on a block's URL is answered 405 with the right one in `Allow`."""
    answer = await edge.ask("/blocks/echo", method=method)
    assert answer.rejection == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/blocks", "/openapi.json", "/healthz", "/readyz"])
async def test_a_page_is_not_called_with_post(edge: Edge, path: str) -> None:
    """A path that can only be read does not accept POST: 405."""
    answer = await edge.ask(path, b"{}")
    assert answer.rejection == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/blocks/a/b/c", "/api/v1", "/%00", "//", "/nothing/"]
)
async def test_elsewhere_there_is_nothing(edge: Edge, path: str) -> None:
    """Any other path is a 404 with a stable code, in the same form as all rejections."""
    assert (await edge.ask(path, b"{}")).rejection == (404, "not_found")


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/jsonp"])
async def test_another_media_type_is_rejected(edge: Edge, kind: str) -> None:
    """A body that is neither JSON nor declared as a form is rejected: 415."""
    answer = await edge.ask(body=b"<token>t</token>", kind=kind)
    assert answer.rejection == (415, "unsupported_media_type")


async def test_a_media_type_may_be_written_in_any_way(edge: Edge) -> None:
    """Case and parameters of header and media type do not matter."""
    token = edge.platform.issue("echo")
    body = b'{"token":"%b"}' % token.encode()
    answer = await edge.ask(body=body, kind='Application/JSON ; charset="UTF-8"')
    assert answer.status == 200
    assert await edge.completed(token) == {"inputs": {}}


async def test_an_only_block_is_served_at_the_root_too(serve: Serve) -> None:
    """An app of one block answers at `/` as at the block's own path; at `/` it is POST alone."""
    async with serve(one_block) as edge:
        for path in ("/", "/blocks/only"):
            token = edge.platform.issue("only")
            answer = await edge.ask(path, b'{"token":"%b"}' % token.encode())
            assert answer.status == 200
            assert await edge.completed(token) == {"only": True}
        assert (await edge.ask("/", method="GET")).rejection == (405, "method_not_allowed")


def one_block(hold: Hold, **options: object) -> App:
    app = App(**options)  # pyrefly: ignore[bad-argument-type]

    @app.block("only")
    async def only(ctx: Context) -> dict[str, bool]:
        return {"only": True}

    return app


@pytest.mark.parametrize(
    "path", ["/blocks/echo/", "//blocks/echo", "/blocks//echo", "/blocks/echo//", "///blocks/echo/"]
)
async def test_a_slash_too_many_does_not_matter(edge: Edge, path: str) -> None:
    """Slashes that are doubled or at the end name the same block, without a redirect."""
    token = edge.platform.issue("echo")
    answer = await edge.ask(path, b'{"token":"%b"}' % token.encode())
    assert answer.status == 200
    assert await edge.completed(token) == {"inputs": {}}


@pytest.mark.parametrize("page", ["healthz", "readyz", "metrics", "blocks", "openapi.json"])
async def test_a_page_with_a_slash_too_many_is_the_page(edge: Edge, page: str) -> None:
    """Monitoring and load balancers write the path with slashes at its end or doubled."""
    plain = await edge.ask(f"/{page}", method="GET")
    for path in (f"/{page}/", f"//{page}", f"//{page}//"):
        answer = await edge.ask(path, method="GET")
        assert answer.status == plain.status == 200
        assert answer.headers["content-type"] == plain.headers["content-type"]
        async with edge.line() as line:
            await line.send(
                f"HEAD {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
            )
            head, _, body = (await line.rest()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert body == b""


async def test_the_secret_may_be_followed_by_a_slash(serve: Serve) -> None:
    """The secret in the path is found with a slash at the end, and is not in a redirect."""
    async with serve(url_secrets="hush") as edge:
        for path in ("/blocks/echo/hush/", "/blocks/echo/?key=hush", "/blocks//echo//hush"):
            token = edge.platform.issue("echo")
            assert (await edge.ask(path, b'{"token":"%b"}' % token.encode())).status == 200
            await edge.completed(token)


@pytest.mark.parametrize(
    "path", ["/blocks%2fecho", "/blocks%2Fecho", "/%2fblocks/echo", "/blocks/echo%2f"]
)
async def test_an_encoded_slash_separates_nothing(edge: Edge, path: str) -> None:
    """`%2f` is a character of a name, as RFC 3986 says: there is no such path."""
    body = b'{"token":"%b"}' % edge.platform.issue("echo").encode()
    answer = await edge.ask(path, body)
    assert answer.rejection in {(404, "not_found"), (404, "unknown_block")}


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "path",
    ["/blocks/echo", "/blocks/nothing", "/blocks", "/blocks/echo/key", "/openapi.json", "/metrics"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
async def test_a_client_without_the_secret_cannot_tell_what_is_served(
    serve: Serve, path: str, method: str
) -> None:
    """With a wrong secret every path and method is answered like a path that does not exist."""
    async with serve(url_secrets="hush") as edge:
        nothing = await edge.ask("/nothing?key=guess", b"{}", method=method)
        answer = await edge.ask(f"{path}?key=guess", b"{}", method=method)
        assert answer.status == nothing.status == 404
        assert (answer.body, set(answer.headers)) == (nothing.body, set(nothing.headers))


async def test_a_caller_who_asks_first_is_told_at_once(edge: Edge) -> None:
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


async def test_rejections_are_not_kept_by_anybody_between(edge: Edge) -> None:
    """No answer of a block's URL may be stored by a proxy, good or bad."""
    token = edge.platform.issue("echo")
    for answer in (await edge.call("echo", token), await edge.ask(body=b"{")):
        assert answer.headers["cache-control"] == "no-store"
    await edge.completed(token)


async def test_calls_follow_each_other_on_one_connection(edge: Edge) -> None:
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
