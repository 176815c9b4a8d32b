"""The bodies of calls, sent over real sockets: every accepted shape, and what is rejected."""

import gzip
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.http_connection import HttpConnection
from tests.ingress.served_app import Edge, Serve

FORM = "application/x-www-form-urlencoded"
LIMIT = 256 * 1024
HEAD = b"POST /blocks/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def body_of(token: str, size: int) -> bytes:
    """A call of exactly this size, in bytes."""
    start, end = b'{"token":"%b","x":"' % token.encode(), b'"}'
    return start + b"a" * (size - len(start) - len(end)) + end


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def test_a_json_body_reaches_its_handler(edge: Edge) -> None:
    """A call in JSON is answered 200 with the execution's id, and its handler gets the inputs."""
    token = edge.platform.issue("echo")
    answer = await edge.call("echo", token, city="Орёл", days=[1, 2])
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {"execution": answer.execution}
    assert await edge.completed(token) == {"inputs": {"city": "Орёл", "days": [1, 2]}}


async def test_a_form_reaches_its_handler(edge: Edge) -> None:
    """A call that is a form is read the same way, its UTF-8 included."""
    token = edge.platform.issue("echo")
    body = urlencode({"token": token, "city": "Орёл", "empty": ""}).encode()
    assert (await edge.ask("/blocks/echo", body, FORM)).status == 200
    assert await edge.completed(token) == {"inputs": {"city": "Орёл", "empty": ""}}


async def test_a_forms_texts_become_what_the_block_asks_for(edge: Edge) -> None:
    """A block that asks for a number takes one from a form, where everything is a text."""
    token = edge.platform.issue("loan")
    body = urlencode({"token": token, "amount": "700", "months": "6"}).encode()
    assert (await edge.ask("/blocks/loan", body, FORM)).status == 200
    assert await edge.completed(token) == {"amount": 700, "months": 6}


async def test_the_input_may_come_inside_of_data(edge: Edge) -> None:
    """`{"token", "data": {...}}` brings the same input as its members beside the token."""
    token = edge.platform.issue("loan")
    assert (await edge.call("loan", token, data={"amount": 5})).status == 200
    assert await edge.completed(token) == {"amount": 5, "months": 12}


async def test_a_body_in_chunks_is_put_together(edge: Edge) -> None:
    """A body without a declared length is read to its end, wherever it was cut."""
    token = edge.platform.issue("echo")
    body = json.dumps({"token": token, "city": "Орёл"}, ensure_ascii=False).encode()
    async with edge.line() as line:
        await line.send(CHUNKED)
        for at in range(len(body)):
            await line.send(chunk(body[at : at + 1]))
        await line.send(b"0\r\n\r\n")
        assert (await line.answer()).status == 200
    assert await edge.completed(token) == {"inputs": {"city": "Орёл"}}


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "kind, body",
    [
        (FORM, "token=%b&city=Орёл".encode()),
        (FORM, "&token=%b&&city=Орёл&".encode()),
        (FORM + "; charset=UTF-8", "city=%b&token=%b&city=Орёл".encode()),
        (FORM, '{"token":"%b","city":"Орёл"}'.encode()),
        ("application/json", '\ufeff{"token":"%b","city":"Орёл"}'.encode()),
        ("text/json", '{"token":"%b","city":"Орёл"}'.encode()),
        ("application/vnd.x+json", '{"token":"%b","city":"Орёл"}'.encode()),
        (
            "application/json",
            '{"token":"%b","city":"Орёл"}'.encode().replace(b"{", b"\r\n{"),
        ),
        (None, '{"token":"%b","city":"Орёл"}'.encode()),
        (None, "token=%b&city=Орёл".encode()),
        (
            "multipart/form-data; boundary=b",
            (
                b"--b\r\nContent-Disposition: form-data; name=token\r\n\r\n%b\r\n"
                b"--b\r\nContent-Disposition: form-data; name=city\r\n\r\n\xd0\x9e\xd1\x80"
                b"\xd1\x91\xd0\xbb\r\n--b--\r\n"
            ),
        ),
    ],
)
async def test_what_clients_send_reaches_its_handler(
    edge: Edge, kind: str | None, body: bytes
) -> None:
    """Bodies as browsers, curl, PHP and .NET send them are read, and nothing of a text is lost."""
    token = edge.platform.issue("echo")
    answer = await edge.ask("/blocks/echo", body.replace(b"%b", token.encode()), kind)
    assert answer.status == 200
    assert await edge.completed(token) == {"inputs": {"city": "Орёл"}}


async def test_a_label_that_encodes_nothing_does_not_matter(edge: Edge) -> None:
    """`Content-Encoding: identity` says that the body is as it is."""
    token = edge.platform.issue("echo")
    body = b'{"token":"%b"}' % token.encode()
    assert (await edge.ask(body=body, content_encoding="identity")).status == 200
    assert await edge.completed(token) == {"inputs": {}}


@pytest.mark.parametrize(
    "kind, body, rejection",
    [
        ("application/json", b'{"token":"%b"', (400, "malformed_json")),
        ("application/json", b"token=%b", (400, "malformed_json")),
        ("application/json", b'{"token":"%b","x":"\xff\xfe"}', (400, "malformed_json")),
        ("application/json", b'{"token":"%b","x":"\xcf\xf0\xe8"}', (400, "malformed_json")),
        ("application/json", b'{"token":"%b","x":NaN}', (400, "malformed_json")),
        ("application/json", b'{"token":"%b","x":1e999}', (400, "malformed_json")),
        ("application/json", b'{"token":"%b","x":' + b"9" * 5000 + b"}", (400, "malformed_json")),
        (
            "application/json",
            b'{"token":"%b","x":' + b"[" * 99 + b"]" * 99 + b"}",
            (400, "too_deep"),
        ),
        (FORM, b"token=%b&x=%%FF%%FE", (400, "malformed_form")),
        (FORM, b"token=%b&x=\xce\xd0", (400, "malformed_form")),
        (FORM, b"token=%b" + b"&x=1" * 1000, (400, "malformed_form")),
        ("text/plain", b"token=%b", (415, "unsupported_media_type")),
    ],
)
async def test_the_block_of_a_malformed_body_is_completed_as_failed(
    edge: Edge, kind: str, body: bytes, rejection: tuple[int, str]
) -> None:
    """What cannot be read is rejected and starts nothing, and its dialog continues if the token can."""
    token = edge.platform.issue("echo")
    before = edge.accepted()
    assert (await edge.ask("/blocks/echo", body % token.encode(), kind)).rejection == rejection
    assert (await edge.completed(token))["error"]["code"] == "invalid_input"
    assert edge.accepted() == before


@pytest.mark.parametrize(
    "kind, body, code",
    [
        ("application/json", b"", "malformed_json"),
        ("application/json", b'["%b"]', "malformed_json"),
        ("application/json", b'{"x":{"token":"%b"},}', "malformed_json"),
        (FORM, b"x=%%FF&tokens=%b", "malformed_form"),
        (FORM, b'{"x":"%b"', "missing_token"),
    ],
)
async def test_a_body_without_a_token_is_rejected(
    edge: Edge, kind: str, body: bytes, code: str
) -> None:
    """If there is no token to be read, the call is answered 400, and the service continues."""
    token = edge.platform.issue("echo")
    before = edge.accepted()
    if b"%b" in body:
        body = body % token.encode()
    assert (await edge.ask("/blocks/echo", body, kind)).rejection == (400, code)
    assert edge.accepted() == before
    assert edge.untouched(token)


async def test_a_rejected_body_shows_the_platform_no_foreign_token(serve: Serve) -> None:
    """Only a token that a call could have is used: one that the platform has signed."""
    async with serve(token_keys="key", strict=False) as edge:
        token = edge.platform.issue("echo")
        body = b'{"token":"%b",}' % token.encode()
        assert (await edge.ask(body=body)).rejection == (400, "malformed_json")
    assert edge.untouched(token)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 120_000,
        b'{"x":' + b"[" * 120_000 + b"]" * 120_000 + b"}",
        b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    ],
)
async def test_no_depth_brings_the_service_down(edge: Edge, body: bytes) -> None:
    """A body of a hundred thousand levels is a 400 like any other."""
    status, code = (await edge.ask("/blocks/echo", body)).rejection
    assert (status, code) == (400, "malformed_json")
    token = edge.platform.issue("echo")
    assert (await edge.call("echo", token)).status == 200
    assert await edge.completed(token) == {"inputs": {}}


async def test_the_largest_body_that_is_taken(edge: Edge) -> None:
    """A body of just the limit's size, 256 KiB, is read."""
    token = edge.platform.issue("loan")
    body = body_of(token, LIMIT).replace(b'"x"', b'"amount":1,"x"', 1)
    shrunk = body.replace(b"a" * 11, b"", 1)
    assert len(shrunk) == LIMIT
    assert (await edge.ask("/blocks/loan", shrunk)).status == 200
    assert await edge.completed(token) == {"amount": 1, "months": 12}


@pytest.mark.parametrize("late", [False, True])
async def test_a_byte_more_is_too_large(edge: Edge, late: bool) -> None:
    """One byte above the limit is rejected: 413. A token at its end is not read."""
    token = edge.platform.issue("echo")
    body = body_of(token, LIMIT + 1)
    if late:
        body = b'{"x":"%b","token":"%b"}' % (b"a" * LIMIT, token.encode())
    before = edge.accepted()
    assert (await edge.ask(body=body)).rejection == (413, "too_large")
    assert edge.accepted() == before
    assert edge.untouched(token) is late or await edge.completed(token)


@pytest.mark.parametrize("length", [LIMIT + 1, 200_000_000, 10**18])
async def test_a_declared_size_is_rejected_before_a_byte_of_it(edge: Edge, length: int) -> None:
    """A caller that asks before it sends a body that is too large is answered at once."""
    async with edge.line() as line:
        await line.send(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length)
        assert (await line.answer()).rejection == (413, "too_large")


@pytest.mark.parametrize("length", [LIMIT + 1, 200_000_000, 10**18])
async def test_the_block_of_a_body_that_is_too_large_is_completed_as_failed(
    edge: Edge, length: int
) -> None:
    """If its first part has the token. The rest is neither kept nor awaited."""
    token = edge.platform.issue("echo")
    async with edge.line() as line:
        await line.send(HEAD + b"Content-Length: %d\r\n\r\n" % length)
        await line.send(body_of(token, LIMIT + 1))
        assert (await line.answer()).rejection == (413, "too_large")
    assert (await edge.completed(token))["error"]["code"] == "invalid_input"


async def stream_until_rejected(line: "HttpConnection", size: int) -> Any:
    """Send chunks without an end; returns the response that arrives anyway."""
    await line.send(CHUNKED)
    for _ in range(LIMIT // size + 1):
        await line.send(chunk(b"a" * size))
    return await line.answer()


@pytest.mark.parametrize("size", [512, 65_536])
async def test_a_stream_without_end_is_rejected_at_the_limit(edge: Edge, size: int) -> None:
    """A body that never ends is rejected at the limit: bytes are counted as they arrive."""
    async with edge.line() as line:
        assert (await stream_until_rejected(line, size)).rejection == (413, "too_large")


async def test_a_body_in_another_coding_is_rejected(edge: Edge) -> None:
    """Bodies are decompressed from gzip and deflate only: 415."""
    answer = await edge.ask(body=b"\x1f\x8b\x08\x00", content_encoding="br")
    assert answer.rejection == (415, "unsupported_encoding")
    assert "gzip or deflate" in answer.json["detail"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_compressed_call_reaches_its_handler(edge: Edge, chunked: bool) -> None:
    """In gzip, declared or in chunks."""
    token = edge.platform.issue("echo")
    body = gzip.compress(body_of(token, 5000).replace(b"a" * 100, "привет".encode()))
    async with edge.line() as line:
        if chunked:
            await line.send(CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"))
            for start in range(0, len(body), 10):
                await line.send(chunk(body[start : start + 10]))
            await line.send(chunk(b""))
        else:
            fields = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
            await line.send(HEAD + fields + body)
        assert (await line.answer()).status == 200
    assert "привет" in (await edge.completed(token))["inputs"]["x"]


@pytest.mark.parametrize("damage", ["too large", "cut off"])
async def test_the_block_of_a_compressed_body_that_cannot_be_read_is_completed_as_failed(
    edge: Edge, damage: str
) -> None:
    """A bomb is not decompressed beyond the limit; the token in its first part is read."""
    token = edge.platform.issue("echo")
    size = 50_000_000 if damage == "too large" else 200_000
    body = gzip.compress(body_of(token, size), 1 if damage == "too large" else 0)
    if damage == "cut off":
        body = body[: len(body) // 2]
    answer = await edge.ask(body=body, content_encoding="gzip")
    if damage == "too large":
        assert answer.rejection == (413, "too_large")
    else:
        assert answer.rejection == (400, "malformed_encoding")
    assert (await edge.completed(token))["error"]["code"] == "invalid_input"


async def test_the_limit_is_a_setting(serve: Serve) -> None:
    """`VERTEXKIT_BODY_LIMIT` changes the limit, and the response names it."""
    async with serve(body_limit=100) as edge:
        answer = await edge.ask(body=b" " * 101)
        assert answer.rejection == (413, "too_large")
        assert "100 bytes (VERTEXKIT_BODY_LIMIT)" in answer.json["detail"]
        async with edge.line() as line:
            await line.send(CHUNKED + chunk(b" " * 101))
            assert (await line.answer()).rejection == (413, "too_large")
        assert (await edge.ask(body=b" " * 100)).rejection == (400, "malformed_json")


@pytest.mark.parametrize("whole", [True, False])
async def test_a_caller_who_leaves_in_the_middle_starts_nothing(serve: Serve, whole: bool) -> None:
    """An incomplete body starts nothing, even if its beginning could be read."""
    async with serve() as edge:
        token = edge.platform.issue("echo")
        body = b'{"token":"%b"}' % token.encode()
        async with edge.line() as line:
            await line.send(HEAD + b"Content-Length: %d\r\n\r\n" % (len(body) + 10))
            await line.send(body if whole else body[:-1])
        async with edge.line() as line:
            await line.send(CHUNKED + chunk(body))
        assert (await edge.call("echo", edge.platform.issue("echo"))).status == 200
        await edge.until(edge.accepted)
    assert edge.accepted() == 1
    assert edge.untouched(token)
