"""Claims: an execution that waits is claimed as soon as there is room."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.journal.shared.served_journal import HostedJournal
from tests.worker.running import StoppedClock, WatchedJournal, accept, at_log_line, ended, serving
from vertexkit import App, Context
from vertexkit.clock import Clock
from vertexkit.execution import Result, new_execution_id
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import NullJournalObserver
from vertexkit.journal.shared.client import JournalClient
from vertexkit.service import running_service
from vertexkit.settings import Settings
from vertexkit.testing import FakeDialog, FakePlatform
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.worker.dispatcher import OWN_CALLS

FIXED = Result(b'{"fixed":true}')


async def fixed_elsewhere(journal: MemoryJournal, block: str) -> None:
    """Another worker ran the handler and recorded the result, then released the execution."""
    await journal.open(NullJournalObserver())
    [lease] = await journal.claim("another", {block: 1}, 1)
    await journal.record_result(lease, FIXED)
    await journal.release(lease, 0.0)


async def test_a_connection_of_a_completion_is_used_by_the_next_handler() -> None:
    """An execution that waits for a connection starts when a completion gives one back."""
    app = App()

    @app.block("block")
    async def block(ctx: Context) -> None: ...

    dialog = FakeDialog(app, connections=1, lease=3600)
    dialog.platform.fail("complete", kind="slow", seconds=5)
    async with dialog:
        arrived = asyncio.Event()
        dialog.platform.subscribe(lambda _: arrived.set(), arrivals=True)
        first = asyncio.create_task(dialog.run("block"))
        await arrived.wait()
        second = asyncio.create_task(dialog.run("block"))
        assert (await first).ok
        assert (await second).ok
    assert len(dialog.platform.ledger) == 2


async def test_a_process_with_few_handlers_claims_its_calls_with_them(tmp_path: Path) -> None:
    """It needs no notification for that. A busier one leaves its calls to the first that claims."""

    class WithoutNotifications(JournalClient):
        def _notified(self, name: str, *values: Any) -> None:
            pass

    app, platform = App(), FakePlatform()
    started, go_on = asyncio.Semaphore(0), asyncio.Event()

    @app.block("block")
    async def block(ctx: Context) -> None:
        started.release()
        await go_on.wait()

    host = HostedJournal(tmp_path / "journal.db", Clock())
    await host.open()
    settings = Settings.of(platform_url="http://p/api")
    journal = WithoutNotifications(host.socket)
    async with running_service(app, settings, wire=AsgiWire(platform), journal=journal) as service:
        await journal.find("x" * 22)  # after the first claim
        for _ in range(OWN_CALLS):
            await accept(journal, platform, "block", new_execution_id())
            await started.acquire()
        await accept(journal, platform, "block", new_execution_id())
        await journal.find("x" * 22)
        assert service.dispatcher.held == OWN_CALLS
        service.dispatcher.wake()
        await started.acquire()
        go_on.set()
    await host.close()


async def test_handlers_that_send_nothing_need_no_connection() -> None:
    """One connection and two handlers that wait for each other: both are started."""
    app, platform, journal = App(), FakePlatform(), MemoryJournal(Clock())
    inside = 0
    both = asyncio.Event()

    @app.block("block")
    async def block(ctx: Context) -> None:
        nonlocal inside
        inside += 1
        if inside == 2:
            both.set()
        await both.wait()

    tokens = [await accept(journal, platform, "block", name) for name in ("one", "two")]
    async with serving(app, journal, platform, connections=1) as service:
        await ended(service, 2).wait()
    assert all(platform.activation(token).completions for token in tokens)


@pytest.mark.parametrize("survives, ran", [(False, ["one", "two"]), (True, ["one"])])
async def test_waiting_executions_at_shutdown(survives: bool, ran: list[str]) -> None:
    """In the grace period a journal that ends with the process is emptied, handler by handler.

    What another process will find in its journal is left to that process.
    """
    app, platform, journal = App(), FakePlatform(), MemoryJournal(Clock())
    journal.durable = survives
    begun, go_on = asyncio.Event(), asyncio.Event()
    names: list[str] = []

    @app.block("block", concurrency=1)
    async def block(ctx: Context) -> None:
        names.append(ctx.execution_id)
        begun.set()
        await go_on.wait()

    for name in ("one", "two"):
        await accept(journal, platform, "block", name)
    async with serving(app, journal, platform, grace=30):
        await begun.wait()
        released = at_log_line("drain_started", go_on.set)
    await released
    assert names == ran
    record = await journal.find("two")
    assert record is not None
    assert record.phase == ("waiting" if survives else "settled")


async def test_a_completion_of_another_worker_s_result_uses_no_handler_slot() -> None:
    """With a concurrency of 1, a handler runs while a recorded result is sent."""
    app, platform, journal = App(), FakePlatform(), MemoryJournal(Clock())

    @app.block("block", concurrency=1)
    async def block(ctx: Context) -> str:
        return "handled"

    old = await accept(journal, platform, "block", "old")
    await fixed_elsewhere(journal, "block")
    async with serving(app, journal, platform, concurrency=1) as service:
        await ended(service, 1).wait()
        new = await accept(journal, platform, "block", "new")
        await ended(service, 1).wait()
    assert platform.activation(old).completions[0].data == {"fixed": True}
    assert platform.activation(new).completions[0].data == {"result": "handled"}


async def test_a_result_outlives_its_block() -> None:
    """After a block was removed from the app its recorded result is sent, and other blocks run."""
    app, platform, journal = App(), FakePlatform(), MemoryJournal(Clock())

    @app.block("kept")
    async def kept(ctx: Context) -> None: ...

    old = await accept(journal, platform, "dropped", "old")
    await fixed_elsewhere(journal, "dropped")
    new = await accept(journal, platform, "kept", "new")
    async with serving(app, journal, platform) as service:
        await ended(service, 2).wait()
    assert platform.activation(old).completions[0].data == {"fixed": True}
    assert platform.activation(new).completions


async def test_a_worker_that_died_is_replaced() -> None:
    """An idle process notices that another one's lease has expired, and runs the execution."""
    app, platform, hand = App(), FakePlatform(), StoppedClock()
    journal = WatchedJournal(hand)

    @app.block("block")
    async def block(ctx: Context) -> int:
        return ctx.attempt

    token = await accept(journal, platform, "block", "one")
    await journal.open(NullJournalObserver())
    assert await journal.claim("a worker that dies", {"block": 1}, 1)
    journal.claimed.clear()
    async with serving(app, journal, platform, lease=0.03) as service:
        over = ended(service, 1)
        await journal.claimed.wait()  # the first claim of a start finds nothing
        assert service.dispatcher.held == 0
        hand.time = 31.0
        await over.wait()
    assert platform.activation(token).completions[0].data == {"result": 2}
