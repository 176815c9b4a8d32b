"""One run of a handler: what is logged and sent, and what it leaves in memory."""

import asyncio
import gc
import threading
from contextlib import suppress
from typing import Any

import pytest
import structlog

from tests.context.threads import run_past_deadline
from tests.waiting import PATIENCE_SECONDS
from vertexkit import App, BlockFailed, Context, Message, Retry, SyncContext
from vertexkit.clock import Clock
from vertexkit.errors import ExecutionEnded
from vertexkit.execution import Execution
from vertexkit.failure import Failure
from vertexkit.journal.memory import MemoryJournal
from vertexkit.service import running_service
from vertexkit.settings import Settings
from vertexkit.testing import FakeDialog, FakePlatform
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.token import Token
from vertexkit.worker.attempt import Attempt


async def test_a_failure_inside_a_task_group_is_that_failure() -> None:
    """A group that holds one error is unwrapped: `BlockFailed` reaches the bot unchanged."""
    app = App()

    async def part() -> None:
        raise BlockFailed("no_rate", "There is no rate today.")

    @app.block("group")
    async def group(ctx: Context) -> None:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(part())

    run = await FakeDialog(app).run("group")
    assert run.data["error"] == {"code": "no_rate", "message": "There is no rate today."}


@pytest.mark.parametrize("completed", [False, True])
async def test_an_author_s_exception_is_logged_with_its_traceback(completed: bool) -> None:
    """The log has the whole exception; the bot gets no part of it."""
    app = App()

    @app.block("block")
    async def block(ctx: Context) -> None:
        if completed:
            await ctx.complete(None)
        raise ZeroDivisionError("of the author's")

    with structlog.testing.capture_logs() as lines:
        run = await FakeDialog(app).run("block")
    assert run.ok is completed
    [line] = [line for line in lines if line["event"] == "handler_failed"]
    assert line["log_level"] == "error"
    assert isinstance(line["exc_info"], ZeroDivisionError)
    assert line["exc_info"].__traceback__ is not None


async def test_inputs_that_fit_no_more_fail_the_block() -> None:
    """Accepted by an older version of the block: it is completed as failed, not parked."""
    app, platform, journal = App(), FakePlatform(), MemoryJournal(Clock())

    @app.block("block")
    async def block(ctx: Context, added_since: int) -> None: ...

    token = platform.issue("block")
    await journal.accept(Execution("01e", "block", Token(token), {}, b"", 0.0), 10)
    settings = Settings.of(platform_url="http://p/api")
    async with running_service(app, settings, wire=AsgiWire(platform), journal=journal) as service:
        over = asyncio.Event()
        service.events.subscribe(lambda event: over.set() if event.name == "settled" else None)
        await over.wait()
    [completion] = platform.activation(token).completions
    assert completion.data is not None
    assert completion.data["error"]["code"] == "invalid_input"
    record = await journal.find("01e")
    assert record is not None
    assert record.outcome is not None
    assert record.outcome.status == "completed"


async def test_the_hook_is_called_if_the_dialog_can_be_reached() -> None:
    """After a timeout the hook is called; after a 403 nothing can be sent, so it is not called."""
    asked: list[str] = []

    async def hook(ctx: Context, failure: Failure) -> None:
        asked.append(failure.code)
        await ctx.send_message("sorry")

    app = App(on_failure=hook)

    @app.block("hangs", timeout=10)
    async def hangs(ctx: Context) -> None:
        await asyncio.sleep(3600)

    @app.block("talks")
    async def talks(ctx: Context) -> None:
        await ctx.send_message("hello")

    dialog = FakeDialog(app)
    async with dialog:
        assert (await dialog.run("hangs")).messages == ["sorry"]
        dialog.platform.fail("send_message", status=403)
        gone = await dialog.run("talks")
    assert (gone.messages, gone.data["error"]["code"]) == ([], "gone")
    assert asked == ["timeout"]


async def test_messages_of_the_hook_are_distinct_from_the_handler_s() -> None:
    """Messages of the handler in an earlier attempt do not replace those of the hook."""

    async def hook(ctx: Context, failure: Failure) -> None:
        await ctx.send_message("sorry")

    app = App(on_failure=hook)

    @app.block("block", attempts=2)
    async def block(ctx: Context) -> None:
        if ctx.attempt == 2:
            raise Retry(after=1)
        await ctx.send_message("started")
        raise Retry(after=1)

    run = await FakeDialog(app).run("block")
    assert run.messages == ["started", "sorry"]


async def test_a_message_of_the_hook_arrives_before_the_completion() -> None:
    """A message in flight arrives before the completion; none arrives after it."""
    dialog: FakeDialog
    arrived = asyncio.Event()
    left: list[asyncio.Task[Message]] = []

    async def hook(ctx: Context, failure: Failure) -> None:
        left.append(asyncio.create_task(ctx.send_message("sorry")))
        await arrived.wait()
        left.append(asyncio.create_task(ctx.send_message("late")))
        await asyncio.sleep(0)

    app = App(on_failure=hook)

    @app.block("block")
    async def block(ctx: Context) -> None:
        raise BlockFailed("no", "No.")

    dialog = FakeDialog(app)
    dialog.platform.fail("send_message", kind="slow", seconds=5)
    dialog.platform.subscribe(lambda _: arrived.set(), arrivals=True)
    run = await dialog.run("block")
    message, late = await asyncio.gather(*left, return_exceptions=True)
    assert isinstance(message, Message)
    assert isinstance(late, ExecutionEnded)
    assert run.messages == ["sorry"]
    dialog.platform.check()


async def test_a_dialog_does_not_wait_for_a_thread() -> None:
    """A thread cannot be cancelled, so it gets no time to clean up: the block ends at once."""
    app = App()
    started, go_on = threading.Event(), threading.Event()

    @app.block("thread", timeout=10)
    def thread(ctx: SyncContext) -> None:
        started.set()
        go_on.wait(PATIENCE_SECONDS)

    dialog = FakeDialog(app, cleanup=3600, patience=PATIENCE_SECONDS)
    try:
        run = await run_past_deadline(dialog, "thread", started)
    finally:
        go_on.set()
    assert run.data["error"]["code"] == "timeout"


async def test_the_error_of_an_abandoned_handler_is_not_logged_by_asyncio() -> None:
    """The abandoned handler was logged: asyncio does not log its error later."""
    app = App()
    go_on = asyncio.Event()
    complaints: list[dict[str, Any]] = []
    ended = asyncio.Event()

    @app.block("stubborn", timeout=10)
    async def stubborn(ctx: Context) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        try:
            while not go_on.is_set():
                try:
                    await go_on.wait()
                except asyncio.CancelledError:
                    continue
            raise ValueError("late")
        finally:
            ended.set()

    asyncio.get_running_loop().set_exception_handler(lambda _, report: complaints.append(report))
    run = await FakeDialog(app, cleanup=0.05).run("stubborn")
    assert "abandoned" in run.events
    go_on.set()
    await ended.wait()
    await asyncio.sleep(0)
    gc.collect()
    assert complaints == []


@pytest.mark.unmeasured
async def test_a_finished_run_is_freed_before_its_deadline() -> None:
    """Its timer is cancelled: nothing keeps a finished run in memory until its deadline."""
    app = App()

    @app.block("block", timeout=86_400)
    async def block(ctx: Context) -> None: ...

    def attempts() -> set[int]:
        gc.collect()
        return {id(found) for found in gc.get_objects() if type(found) is Attempt}

    before = attempts()  # of other tests: their threads cannot be stopped
    async with FakeDialog(app) as dialog:
        for _ in range(3):
            assert (await dialog.run("block")).ok
        assert attempts() <= before
