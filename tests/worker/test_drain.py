"""The shutdown of a process: running handlers may finish, and no dialog is left waiting."""

import asyncio
import gc
from typing import Any

import pytest
import structlog

from tests.worker.running import accept, at_log_line, ended, serving
from vertexkit import App, Context, Message, Retry
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Effect
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Lease
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakeDialog, FakePlatform


def ends(platform: FakePlatform) -> list[str]:
    """What the blocks were completed with: `ok`, or the failure's code."""
    done = [e.json["data"] for e in platform.ledger if e.method == "complete" and e.processed]
    return sorted((data or {}).get("error", {}).get("code", "ok") for data in done)


async def test_a_handler_may_finish_within_the_grace() -> None:
    """SIGTERM during a handler: it runs to its end, and its block is completed with its result."""
    app = App()
    begun, go_on = asyncio.Event(), asyncio.Event()

    @app.block("work")
    async def work(ctx: Context) -> None:
        begun.set()
        await go_on.wait()
        await ctx.send_message("done")

    dialog = FakeDialog(app, grace=60)
    async with dialog:
        token = dialog.platform.issue("work")
        await dialog.post("/blocks/work", {"token": token})
        await begun.wait()
        released = at_log_line("drain_started", go_on.set)
    await released
    assert [message.text for message in dialog.platform.activation(token).messages] == ["done"]
    assert ends(dialog.platform) == ["ok"]
    dialog.platform.check()


async def test_what_does_not_finish_is_completed_as_failed() -> None:
    """After the grace period handlers are cancelled and waiting ones do not start: all `shutdown`."""
    app = App()
    begun, cancelled = asyncio.Event(), asyncio.Event()

    @app.block("work", concurrency=1)
    async def work(ctx: Context) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    dialog = FakeDialog(app, grace=0)
    async with dialog:
        for _ in range(5):
            await dialog.post("/blocks/work", {"token": dialog.platform.issue("work")})
        await begun.wait()
    assert cancelled.is_set()
    assert ends(dialog.platform) == ["shutdown"] * 5
    dialog.platform.check()


class Held:
    """A running app whose platform delays the responses to one method until `go_on`."""

    def __init__(self, app: App, method: str, *, survives: bool = False) -> None:
        self.arrived, self.go_on = asyncio.Event(), asyncio.Event()
        self.platform, self.journal = FakePlatform(), MemoryJournal(Clock())
        self.journal.durable = survives
        self._app, self._method = app, method

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].endswith(self._method):
            self.arrived.set()
            await self.go_on.wait()
        await self.platform(scope, receive, send)

    async def end_while_held(self) -> None:
        """One execution; the process ends without a grace period while the platform is waiting."""
        async with serving(self._app, self.journal, self, grace=0):
            await accept(self.journal, self.platform, "work")
            await self.arrived.wait()
            released = at_log_line("drain_timeout", self.go_on.set)
        await released


@pytest.mark.parametrize("again, end", [(False, "ok"), (True, "shutdown")])
async def test_a_result_within_the_grace_period_counts(again: bool, end: str) -> None:
    """The handler had ended with a message in flight: its result is sent; no new run starts."""
    app = App()
    left: list[asyncio.Task[Message]] = []
    held = Held(app, "send_message")

    @app.block("work")
    async def work(ctx: Context) -> None:
        left.append(asyncio.create_task(ctx.send_message("last")))
        await held.arrived.wait()
        if again:
            raise Retry(after=1)

    await held.end_while_held()
    assert (await left[0]).message_id
    assert ends(held.platform) == [end]
    held.platform.check()


async def test_a_completion_that_arrives_during_shutdown_counts() -> None:
    """With a durable journal too, the next process does not complete it again."""
    app = App()
    held = Held(app, "complete", survives=True)

    @app.block("work")
    async def work(ctx: Context) -> None: ...

    await held.end_while_held()
    record = await held.journal.find("01e")
    assert record is not None
    assert (record.phase, ends(held.platform)) == ("settled", ["ok"])


async def test_skip_drain_phase_ends_the_grace_period() -> None:
    """`Service.skip_drain_phase` ends the grace period at once."""
    app = App()
    begun = asyncio.Event()

    @app.block("work")
    async def work(ctx: Context) -> None:
        begun.set()
        await asyncio.Event().wait()

    platform, journal = FakePlatform(), MemoryJournal(Clock())
    async with serving(app, journal, platform, grace=3600) as service:
        await accept(journal, platform, "work")
        await begun.wait()
        skipped = at_log_line("drain_started", service.skip_drain_phase)
    await skipped
    assert ends(platform) == ["shutdown"]


async def test_a_retry_in_the_future_is_not_waited_for() -> None:
    """A `Retry` far in the future cannot be kept by a journal that ends with the process."""
    app = App()
    tried = asyncio.Event()

    @app.block("work")
    async def work(ctx: Context) -> None:
        tried.set()
        raise Retry(after=7 * 86_400)

    dialog = FakeDialog(app, grace=0)
    async with dialog:
        released = asyncio.Event()
        dialog.subscribe(lambda event: released.set() if event.name == "retried" else None)
        await dialog.post("/blocks/work", {"token": dialog.platform.issue("work")})
        await tried.wait()
        await released.wait()
    assert ends(dialog.platform) == ["shutdown"]


async def test_a_failure_that_cannot_be_sent_is_parked() -> None:
    """A handler is stopped while the platform is down: its execution is parked, and not lost."""
    app = App()
    begun = asyncio.Event()

    @app.block("work")
    async def work(ctx: Context) -> None:
        begun.set()
        await asyncio.Event().wait()

    dialog = FakeDialog(app, grace=0, cleanup=0.05)
    dialog.platform.fail("complete", status=500, times=10**6)
    async with dialog:
        settled: list[Event] = []
        dialog.subscribe(lambda event: settled.append(event) if event.name == "settled" else None)
        await dialog.post("/blocks/work", {"token": dialog.platform.issue("work")})
        await begun.wait()
    [event] = settled
    assert (event.fields["outcome"], event.fields["code"]) == ("parked", "unreachable")
    assert event.fields["seconds"] < 60  # of the virtual clock; otherwise it is tried for an hour


@pytest.mark.parametrize("fault", [{"status": 500}, {"kind": "cut"}])
async def test_a_completion_that_cannot_be_sent_is_parked_with_a_reason(
    fault: dict[str, object],
) -> None:
    """The process does not wait for a platform that is down: the outcome says what happened."""
    app = App()

    @app.block("work")
    async def work(ctx: Context) -> None: ...

    dialog = FakeDialog(app, grace=0)
    dialog.platform.fail("complete", times=10**6, **fault)  # pyrefly: ignore[bad-argument-type]
    async with dialog:
        tried, settled = asyncio.Event(), []
        dialog.subscribe(lambda event: tried.set() if event.name == "completion_retried" else None)
        dialog.subscribe(lambda event: settled.append(event) if event.name == "settled" else None)
        await dialog.post("/blocks/work", {"token": dialog.platform.issue("work")})
        await tried.wait()
    [event] = settled
    assert event.fields["outcome"] == "parked"
    assert event.fields["code"] == "unreachable"
    assert "the block could not be completed" in event.fields["reason"]


async def test_a_distant_try_of_a_completion_is_left_to_the_next_process() -> None:
    """A drain does not wait for the second try of a completion, which is due in 20 seconds.

    It does not make it earlier either: after 403, three tries over a minute decide.
    """
    app, platform, journal = App(), FakePlatform(), MemoryJournal(Clock())
    journal.durable = True

    @app.block("work")
    async def work(ctx: Context) -> None: ...

    platform.fail("complete", status=403, times=3)
    async with serving(app, journal, platform, grace=3600) as service:
        retried = ended(service, by=["completion_retried"])
        await accept(journal, platform, "work")
        await retried.wait()
    record = await journal.find("01e")
    assert record is not None
    assert record.phase != "settled"
    assert len([entry for entry in platform.ledger if entry.method == "complete"]) == 1


class UnwritableJournal(MemoryJournal):
    """A journal whose server does not answer: a write ends when the journal is closed."""

    durable = True

    def __init__(self) -> None:
        super().__init__(Clock())
        self.asked, self._closed = asyncio.Event(), asyncio.Event()

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        self.asked.set()
        await self._closed.wait()
        raise JournalUnavailable("the database does not answer")

    def unavailable_reason(self) -> str:
        return "the database does not answer" if self.asked.is_set() else ""

    async def close(self) -> None:
        self._closed.set()
        await super().close()


async def test_a_journal_that_cannot_be_written_is_not_waited_for() -> None:
    """Handlers get the time for their cleanup, then the process ends, without a report of asyncio."""
    app = App()

    @app.block("work")
    async def work(ctx: Context) -> None:
        await ctx.send_message("hello")

    reports = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    journal, platform = UnwritableJournal(), FakePlatform()
    with structlog.testing.capture_logs() as logged:
        async with serving(app, journal, platform, grace=0, cleanup=0):
            await accept(journal, platform, "work")
            await journal.asked.wait()
    await asyncio.sleep(0)
    gc.collect()
    phases = [line["event"] for line in logged if line["event"] == "drain_timeout"]
    assert len(phases) == 1  # the grace period alone
    assert reports == []
