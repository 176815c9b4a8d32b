"""A full queue, and a journal that cannot be written: calls are rejected for now."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import LogCapture

from tests.ingress.served_app import Edge, Serve
from vertexkit.errors import JournalUnavailable
from vertexkit.token import Token


@asynccontextmanager
async def full(serve: Serve, **settings: Any) -> AsyncIterator["tuple[Edge, list[str]]"]:
    """A service with one running execution and a full queue; yields their tokens."""
    async with serve(concurrency=1, queue=1, **settings) as edge:
        tokens = [edge.platform.issue("wait") for _ in range(2)]
        assert (await edge.call("wait", tokens[0])).status == 200
        await edge.until(lambda: edge.hold.started)
        assert (await edge.call("wait", tokens[1])).status == 200
        yield edge, tokens


async def test_a_full_queue_asks_to_come_back(serve: Serve) -> None:
    """If the queue is full, a call is answered 503 with Retry-After, and nothing of it is kept.

    The platform that comes back later is served.
    """
    async with full(serve) as (edge, tokens):
        token = edge.platform.issue("wait")
        answer = await edge.call("wait", token)
        assert answer.rejection == (503, "queue_full")
        assert int(answer.headers["retry-after"]) > 0
        assert edge.accepted() == 2
        edge.hold.release.set()
        for accepted in tokens:
            await edge.completed(accepted)
        assert edge.untouched(token)
        answer = await edge.call("wait", token)
        assert answer.status == 200
        assert await edge.completed(token) == {"inputs": {}}


async def test_a_full_queue_is_not_ready(serve: Serve) -> None:
    """`/readyz` turns off while the queue is full and on again when there is room; it is alive."""
    async with full(serve) as (edge, tokens):
        answer = await edge.ask("/readyz", method="GET")
        assert (answer.status, answer.json) == (503, {"ready": False, "reasons": ["queue full"]})
        assert (await edge.ask("/healthz", method="GET")).status == 200
        edge.hold.release.set()
        for accepted in tokens:
            await edge.completed(accepted)
        await edge.until(lambda: len([n for n, _ in edge.happened if n == "settled"]) == 2)
        assert (await edge.ask("/readyz", method="GET")).json == {"ready": True}


async def test_a_full_queue_may_fail_the_block_instead(serve: Serve) -> None:
    """With `VERTEXKIT_ON_FULL=fail` a full queue answers 200 and completes the block as failed.

    That is for a platform that does not come back.
    """
    async with full(serve, on_full="fail") as (edge, _):
        token = edge.platform.issue("wait")
        answer = await edge.call("wait", token)
        assert (answer.status, answer.json) == (200, {"execution": None})
        error = {"code": "overloaded", "message": "The service is overloaded."}
        assert await edge.completed(token) == {"ok": False, "error": error}
        assert edge.accepted() == 2
        assert edge.hold.started == 1


async def test_the_log_has_the_dialog_of_a_rejected_call(serve: Serve, lines: LogCapture) -> None:
    """The line about a call rejected for a full queue has its block and its dialog."""
    async with full(serve) as (edge, _):
        token = Token(edge.platform.issue("wait"))
        assert token.log_fields["dialog"]
        assert (await edge.call("wait", token.reveal())).status == 503
    line = [line for line in lines.entries if line["event"] == "call_rejected"][-1]
    assert line.items() >= {"block": "wait", "code": "queue_full", **token.log_fields}.items()


async def test_wrong_input_needs_no_room(serve: Serve) -> None:
    """A call with invalid inputs is rejected as such even if the queue is full."""
    async with full(serve) as (edge, _):
        token = edge.platform.issue("loan")
        assert (await edge.call("loan", token)).rejection == (422, "invalid_input")
        await edge.completed(token)


async def test_a_journal_that_cannot_write_asks_to_come_back(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that could not be written is answered 503 with Retry-After, and nothing runs."""

    async def unavailable(*_: Any) -> None:
        raise JournalUnavailable("the disk is full")

    async with serve() as edge:
        token = edge.platform.issue("echo")
        with monkeypatch.context() as patch:
            patch.setattr(edge.service.journal, "accept", unavailable)
            answer = await edge.call("echo", token)
        assert answer.rejection == (503, "journal_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert b"disk" not in answer.body
        assert edge.untouched(token)
        assert (await edge.call("echo", token)).status == 200
        assert await edge.completed(token) == {"inputs": {}}
