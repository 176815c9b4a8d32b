"""An app that reads the platform's call in its own way."""

import json
from typing import Any

import pytest
from structlog.testing import LogCapture

from tests.ingress.served_app import Serve
from vertexkit import Call, CallError, RawCall


async def test_an_app_reads_the_call_in_its_own_way(serve: Serve) -> None:
    """With `App(read_call=...)` token and inputs come from wherever that function finds them.

    Headers in lower case, the query, the path, a body of any media type.
    """

    def read(raw: RawCall) -> Call:
        inputs = {"path": raw.path, "city": raw.query["city"], "body": raw.body.decode()}
        return Call(raw.headers["x-token"], inputs)

    async with serve(options={"read_call": read}) as edge:
        token = edge.platform.issue("echo")
        answer = await edge.ask(
            "/blocks/echo?city=%D0%9E%D1%80%D1%91%D0%BB", b"<hello/>", "text/xml", X_Token=token
        )
        assert answer.status == 200
        expected = {"path": "/blocks/echo", "city": "Орёл", "body": "<hello/>"}
        assert await edge.completed(token) == {"inputs": expected}


async def test_its_rejection_is_answered_as_it_says(serve: Serve) -> None:
    """A reader's `CallError` decides status, code and sentence of the answer."""

    def read(raw: RawCall) -> Call:
        raise CallError(402, "no_credit", "Send money.")

    async with serve(options={"read_call": read}) as edge:
        answer = await edge.ask(body=b"{}")
        assert answer.rejection == (402, "no_credit")
        assert answer.json["detail"] == "Send money."


async def test_half_an_emoji_in_its_rejection_is_answered(serve: Serve) -> None:
    """It becomes U+FFFD."""

    def read(raw: RawCall) -> Call:
        raise CallError(402, "no\ud83d", "Send \ud83d.")

    async with serve(options={"read_call": read}) as edge:
        answer = await edge.ask(body=b"{}")
        assert answer.rejection == (402, "no\ufffd")
        assert answer.json["detail"] == "Send \ufffd."


def misses_a_key(raw: RawCall) -> Call:
    return Call(json.loads(raw.body)["integration"]["token"], {})


def speaks_of_the_token(raw: RawCall) -> Call:
    raise ValueError(f"what is this: {raw.body!r}")


def gives_nothing(raw: RawCall) -> Call:
    return None  # pyrefly: ignore[bad-return]


@pytest.mark.parametrize("reader", [misses_a_key, speaks_of_the_token, gives_nothing])
@pytest.mark.parametrize("body", [b'{"token":"hush"}', b"[]", b"hush"])
async def test_a_reader_that_breaks_down_rejects_the_call(
    serve: Serve, lines: LogCapture, reader: Any, body: bytes
) -> None:
    """Any other error of a reader is a 400, and a log line says which and where it was raised.

    Without the error's text: that may hold the token.
    """
    lines.entries.clear()
    async with serve(options={"read_call": reader}) as edge:
        answer = await edge.ask(body=body)
        assert answer.rejection == (400, "unreadable")
        assert b"hush" not in answer.body
    [line] = [entry for entry in lines.entries if entry["event"] == "read_call_failed"]
    assert line["log_level"] == "error"
    if reader is not gives_nothing:
        assert line["at"].startswith(__file__)
    assert "hush" not in repr(lines.entries)


@pytest.mark.parametrize("token", [None, 7, "", "two words"])
async def test_its_token_has_to_be_one(serve: Serve, token: Any) -> None:
    """A token from an author's reader is checked like any other: 400 `malformed_token`."""
    async with serve(options={"read_call": lambda raw: Call(token, {})}) as edge:
        assert (await edge.ask(body=b"")).rejection == (400, "malformed_token")


async def test_its_body_has_the_same_limit(serve: Serve) -> None:
    """A reader never sees a body above the limit."""
    seen: list[RawCall] = []

    def read(raw: RawCall) -> Call:
        seen.append(raw)
        return Call("t", {})

    async with serve(options={"read_call": read}, body_limit=10) as edge:
        assert (await edge.ask(body=b"a" * 11)).rejection == (413, "too_large")
    assert not seen
