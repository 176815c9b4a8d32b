"""Executions whose worker died: what the next worker does with them."""

import asyncio
from typing import Any

import pytest
import structlog

from vertexkit import App, Context, Failure, Retry
from vertexkit.errors import DefinitionError
from vertexkit.execution import Execution, OutcomeStatus
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Record
from vertexkit.service import running_service
from vertexkit.settings import JournalSettings, Settings
from vertexkit.testing import FakePlatform, VirtualClock
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.token import Token

LEASE = 30.0
CALL = "01e"


class Aftermath:
    """A journal in which a dead worker left one execution, and an app that claims it.

    Args:
        deaths: workers that died on it, one after the other.
        block: whose execution it is.
    """

    def __init__(self, deaths: int, block: str = "work") -> None:
        self.clock = VirtualClock()
        self.platform = FakePlatform(clock=self.clock)
        self.token = self.platform.issue(block)
        self.journal = MemoryJournal(self.clock, JournalSettings(lease=LEASE))
        self.journal.durable = True
        self._deaths, self._block = deaths, block

    async def take_up(self, app: App, **settings: Any) -> Record:
        """Serve the app until the execution is settled; return its record."""
        await self.journal.accept(Execution(CALL, self._block, Token(self.token), {}, b"", 0.0), 10)
        for _ in range(self._deaths):
            assert await self.journal.claim("dead", {self._block: 1}, 1)
            self.clock.skip_to(self.clock.now() + LEASE + 1)
        settled = asyncio.Event()
        values = Settings.of(platform_url="http://p/api", **settings)
        wire = AsgiWire(self.platform, self.clock)
        async with running_service(
            app, values, clock=self.clock, wire=wire, journal=self.journal
        ) as service:
            service.events.subscribe(lambda e: settled.set() if e.name == "settled" else None)
            await settled.wait()
        record = await self.journal.find(CALL)
        assert record is not None
        self.platform.check()
        return record

    @property
    def data(self) -> Any:
        """What the block was completed with."""
        [completion] = self.platform.activation(self.token).completions
        return completion.data


async def test_a_handler_runs_again_by_default() -> None:
    """The author sees in ctx.attempt that it is not the first run."""
    app, left = App(), Aftermath(deaths=1)

    @app.block("work")
    async def work(ctx: Context) -> int:
        return ctx.attempt

    record = await left.take_up(app)
    assert left.data == {"result": 2}
    assert record.outcome is not None
    assert record.outcome.status is OutcomeStatus.COMPLETED


async def test_a_block_may_fail_instead_of_running_again() -> None:
    """With on_crash="fail" the handler does not run again: the block is completed as crashed."""
    app, left = App(), Aftermath(deaths=1)
    runs: list[int] = []

    @app.block("work", on_crash="fail")
    async def work(ctx: Context) -> None:
        runs.append(ctx.attempt)

    record = await left.take_up(app)
    assert left.data["error"]["code"] == "crashed"
    assert record.outcome is not None
    assert (record.outcome.status, record.outcome.code) == (OutcomeStatus.COMPLETED, "crashed")
    assert runs == []


async def test_a_crashed_block_calls_the_hook() -> None:
    """The on_failure hook is called, as for every other failure."""

    async def sorry(ctx: Context, failure: Failure) -> dict[str, str]:
        await ctx.send_message("Увы")
        return {"sorry": failure.code}

    app, left = App(on_failure=sorry), Aftermath(deaths=1)

    @app.block("work", on_crash="fail")
    async def work(ctx: Context) -> None: ...

    await left.take_up(app)
    assert left.data == {"sorry": "crashed"}
    assert [message.text for message in left.platform.activation(left.token).messages] == ["Увы"]


async def test_a_released_execution_did_not_crash() -> None:
    """With on_crash="fail" too, a handler that raised Retry runs again."""
    app, left = App(), Aftermath(deaths=0)

    @app.block("work", on_crash="fail")
    async def work(ctx: Context) -> int:
        if ctx.attempt == 1:
            raise Retry(after=60)
        return ctx.attempt

    await left.take_up(app)
    assert left.data == {"result": 2}


async def test_a_block_that_kills_its_workers_is_parked() -> None:
    """After its attempts the block is completed as failed, and the execution is parked with a reason."""
    app, left = App(), Aftermath(deaths=3)
    runs: list[int] = []

    @app.block("work", attempts=3)
    async def work(ctx: Context) -> None:
        runs.append(ctx.attempt)

    with structlog.testing.capture_logs() as lines:
        record = await left.take_up(app)
    assert runs == []
    assert left.data["error"]["code"] == "attempts"
    assert record.outcome is not None
    assert (record.outcome.status, record.outcome.code) == (OutcomeStatus.PARKED, "attempts")
    assert "3 runs" in record.outcome.reason
    assert not record.retryable
    assert "parked" in [line["event"] for line in lines if line["log_level"] == "warning"]


async def test_a_parked_execution_may_leave_its_dialog_waiting() -> None:
    """With on_park="leave" nothing is sent to the platform, and an operator can retry."""
    app, left = App(), Aftermath(deaths=2)

    @app.block("work", attempts=2, on_park="leave")
    async def work(ctx: Context) -> int:
        return ctx.attempt

    record = await left.take_up(app)
    assert left.platform.ledger == []
    assert record.retryable
    await left.journal.retry(CALL)
    assert (await left.journal.find(CALL)) is not None
    settled = asyncio.Event()
    wire = AsgiWire(left.platform, left.clock)
    async with running_service(
        app,
        Settings.of(platform_url="http://p/api"),
        clock=left.clock,
        wire=wire,
        journal=left.journal,
    ) as service:
        service.events.subscribe(lambda e: settled.set() if e.name == "settled" else None)
        await settled.wait()
    assert left.data == {"result": 1}


async def test_an_execution_of_a_removed_block_is_parked() -> None:
    """An app that was deployed without a block completes the block for the dialogs that wait."""
    app, left = App(), Aftermath(deaths=0, block="old")

    @app.block("new")
    async def new(ctx: Context) -> None: ...

    record = await left.take_up(app)
    assert left.data["error"]["code"] == "unknown_block"
    assert record.outcome is not None
    assert (record.outcome.status, record.outcome.code) == (OutcomeStatus.PARKED, "unknown_block")


@pytest.mark.parametrize("on_crash, data", [("run", {"result": 2}), ("fail", "shutdown")])
async def test_a_stopped_handler_is_left_only_if_it_may_run_again(on_crash: Any, data: Any) -> None:
    """At the end of the process a block with on_crash="fail" is completed as failed instead."""
    app, left = App(), Aftermath(deaths=0)
    begun = asyncio.Event()

    @app.block("work", on_crash=on_crash)
    async def work(ctx: Context) -> int:
        begun.set()
        if ctx.attempt == 1:
            await asyncio.Event().wait()
        return ctx.attempt

    await left.journal.accept(Execution(CALL, "work", Token(left.token), {}, b"", 0.0), 10)
    settings = Settings.of(platform_url="http://p/api", grace=0, cleanup=0.05)
    wire = AsgiWire(left.platform, left.clock)
    async with running_service(app, settings, clock=left.clock, wire=wire, journal=left.journal):
        await begun.wait()
    if on_crash == "run":
        settled = asyncio.Event()
        async with running_service(
            app, settings, clock=left.clock, wire=wire, journal=left.journal
        ) as service:
            service.events.subscribe(lambda e: settled.set() if e.name == "settled" else None)
            await settled.wait()
        assert left.data == data
    else:
        assert left.data["error"]["code"] == data


def test_the_values_of_the_policies_are_checked() -> None:
    """An unknown policy or option is rejected at import, with those that exist."""
    app = App()

    with pytest.raises(DefinitionError, match="on_crash must be one of run, fail"):

        @app.block("a", on_crash="retry")  # pyrefly: ignore[bad-argument-type]
        async def a(ctx: Context) -> None: ...

    with pytest.raises(DefinitionError, match=r"unknown option 'retries'.*on_crash"):

        @app.block("b", retries=3)  # pyrefly: ignore[unexpected-keyword]
        async def b(ctx: Context) -> None: ...
