"""Acceptances wait for executions that end, and for nothing else."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.waiting import until
from tests.worker.running import StoppedClock
from vertexkit import App, Context
from vertexkit.asgi import http_app
from vertexkit.botone.response import Response
from vertexkit.ingress.pacing import ENOUGH_WAITING, MAX_WAIT_SECONDS, STALL_SECONDS, Pacing
from vertexkit.service import running_service
from vertexkit.settings import Settings
from vertexkit.testing import VirtualClock

QUEUE = 1000
SETTINGS = Settings(platform={"url": "http://127.0.0.1:9/api"}, journal={"url": "memory:"})


class InstantWire:
    """A platform that answers at the loop's next turn."""

    async def post(self, url: str, _: bytes, __: float) -> Response:
        await asyncio.sleep(0)
        return Response(204) if url.endswith("complete") else Response(200, b"{}")

    async def close(self) -> None:
        """There is nothing to close."""


class FrozenClock(VirtualClock):
    """A virtual clock on which no real time passes: `advance` alone makes it later."""

    def now(self) -> float:
        return self.skipped


class Queue:
    """A backlog whose length a test sets."""

    def __init__(self) -> None:
        self.waiting = 0
        self.clock = FrozenClock()
        self.pacing = Pacing(lambda: self.waiting, QUEUE, self.clock)

    def wait(self) -> asyncio.Future[None]:
        """Return the wait of an acceptance that has to wait."""
        turn = self.pacing.turn()
        assert turn is not None
        return turn


@pytest.fixture
async def busy() -> Queue:
    """A service that has just ended an execution, while many wait."""
    queue = Queue()
    queue.waiting = ENOUGH_WAITING
    queue.pacing.execution_ended()
    return queue


def caller(served: Any, name: str) -> Callable[[int], Awaitable[None]]:
    """Return a function that calls a block and expects an acknowledgement."""

    async def call(number: int) -> None:
        body = json.dumps({"token": f"token-{number}"}).encode()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            assert message.get("status", 200) == 200

        scope = {"type": "http", "method": "POST", "path": f"/blocks/{name}", "query_string": b""}
        headers = [(b"content-type", b"application/json")]
        await served(scope | {"headers": headers, "client": ("127.0.0.1", 1)}, receive, send)

    return call


@pytest.mark.unmeasured
async def test_calls_do_not_outrun_the_executions() -> None:
    """16 callers that call again at once keep few executions waiting, and all are completed."""
    app, waiting = App(), []

    @app.block("greet")
    async def greet(ctx: Context) -> None:
        await ctx.send_message("hello")

    # For the service no time passes: however slow the machine is, executions end all the time.
    clock = StoppedClock()
    async with running_service(app, SETTINGS, wire=InstantWire(), clock=clock) as service:
        call = caller(http_app(service), "greet")

        async def keep_calling(start: int) -> None:
            for number in range(60):
                await asyncio.sleep(0)  # in which a server reads the request
                await call(start * 60 + number)
                waiting.append(service.journal.backlog())

        await asyncio.gather(*(keep_calling(start) for start in range(16)))
        await until(lambda: not service.dispatcher.held, "all executions have ended")
    assert len(waiting) == 16 * 60
    # The first calls of all callers arrive before an execution has ended.
    assert max(waiting[-16 * 10 :]) <= 3 * ENOUGH_WAITING


async def test_long_handlers_delay_no_call() -> None:
    """Executions that wait for a handler, and not for the processor, delay no acceptance."""
    app, released = App(), asyncio.Event()

    @app.block("think", concurrency=1)
    async def think(_: Context) -> None:
        await released.wait()

    clock = VirtualClock()
    async with running_service(app, SETTINGS, wire=InstantWire(), clock=clock) as service:
        call = caller(http_app(service), "think")
        for number in range(3 * ENOUGH_WAITING):
            await call(number)
        assert service.journal.backlog() == 3 * ENOUGH_WAITING
        assert clock.skipped == 0
        released.set()


async def test_below_the_limit_nothing_waits(busy: Queue) -> None:
    """Few waiting executions, or a queue that is full, make no acceptance wait."""
    busy.waiting = ENOUGH_WAITING - 1
    assert busy.pacing.turn() is None
    busy.waiting = QUEUE
    assert busy.pacing.turn() is None


async def test_each_end_lets_one_acceptance_continue(busy: Queue) -> None:
    """They continue in their order; two at once if few executions wait."""
    turns = [busy.wait() for _ in range(4)]
    busy.pacing.execution_ended()
    assert [turn.done() for turn in turns] == [True, False, False, False]
    busy.waiting = 1
    busy.pacing.execution_ended()
    assert [turn.done() for turn in turns] == [True, True, True, False]


async def test_a_cancelled_acceptance_takes_no_turn(busy: Queue) -> None:
    """The connection was closed: the next acceptance continues in its place."""
    first, second = busy.wait(), busy.wait()
    first.cancel()
    busy.pacing.execution_ended()
    assert second.done()


async def test_without_an_end_all_continue(busy: Queue) -> None:
    """If executions stop to end, the acceptances do not wait for them any more."""
    turns = [busy.wait() for _ in range(3)]
    await busy.clock.advance(STALL_SECONDS / 2)
    assert not any(turn.done() for turn in turns)
    await busy.clock.advance(STALL_SECONDS)
    assert all(turn.done() for turn in turns)
    assert busy.pacing.turn() is None


async def test_a_wait_has_a_limit(busy: Queue) -> None:
    """An acceptance behind many others continues although executions end slowly."""
    turns = [busy.wait() for _ in range(100)]
    started = busy.clock.now()
    while not turns[-1].done():
        await busy.clock.advance(STALL_SECONDS / 2)
        busy.pacing.execution_ended()
    assert busy.clock.now() - started <= MAX_WAIT_SECONDS + 2 * STALL_SECONDS


async def test_a_wait_that_has_not_taken_long_goes_on(busy: Queue) -> None:
    """When an acceptance reaches its limit, those that came later still wait."""

    async def end_one() -> None:
        await busy.clock.advance(STALL_SECONDS / 2)
        busy.pacing.execution_ended()

    early = [busy.wait() for _ in range(100)]
    while busy.clock.now() < MAX_WAIT_SECONDS / 2:
        await end_one()
    assert not early[-1].done()
    late = [busy.wait() for _ in range(100)]
    while not early[-1].done():
        await end_one()
    assert sum(turn.done() for turn in late) <= 1
