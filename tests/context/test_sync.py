"""SyncContext: a `def` handler in its thread has what an `async def` one has."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.context.threads import run_past_deadline
from tests.waiting import PATIENCE_SECONDS
from vertexkit import App, Context, DialogGone, Message, Retry, SyncContext
from vertexkit.errors import AlreadyCompleted, BadRequest, ExecutionEnded, NonDeterministic
from vertexkit.testing import FakeDialog, FakePlatform

ASKS = {
    "send_message": lambda ctx: ctx.send_message("Ещё"),
    "step": lambda ctx: ctx.step("more", lambda: 1),
    "stream": lambda ctx: ctx.stream(["Ещё"]),
    "complete": lambda ctx: ctx.complete(),
}
"""All that a handler can ask of its dialog."""


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def dialog(app: App, fake_platform: FakePlatform) -> FakeDialog:
    return FakeDialog(app, fake_platform, timeout=30)


def test_both_contexts_have_the_same_names() -> None:
    """What a `Context` has, a `SyncContext` has too, and nothing else.

    Only `gather` is missing: the methods of a `SyncContext` can be called in several threads.
    """
    names = {name for name in dir(Context) if not name.startswith("_")}
    assert names - {"gather"} == {name for name in dir(SyncContext) if not name.startswith("_")}


def test_it_sends_steps_and_returns(app: App, dialog: FakeDialog) -> None:
    """Each method blocks until it is done and returns the same as the async one, in a thread."""
    sent: list[Message] = []

    @app.block("work")
    def work(ctx: SyncContext, amount: int) -> dict[str, int]:
        assert threading.current_thread() is not threading.main_thread()
        sent.append(ctx.send_message("Считаю…", typing=False))
        doubled = ctx.step("double", lambda: amount * 2)
        sent.append(ctx.send_message(f"Вышло {doubled}"))
        return {"doubled": doubled}

    run = dialog.run_sync("work", amount=21)
    assert run.messages == ["Считаю…", "Вышло 42"]
    assert [message.typing for message in run.messages] == [False, True]
    assert [m.message_id for m in sent] == [message.message_id for message in run.messages]
    assert (run.data, run.ok) == ({"doubled": 42}, True)


def test_it_streams(app: App, dialog: FakeDialog, fake_platform: FakePlatform) -> None:
    """A generator's text is sent paragraph by paragraph, each before the next one is read."""
    there: list[int] = []

    def story() -> Iterator[str]:
        for text in ("Раз.\n\n", "Два.\n\n", "Три"):
            there.append(len(fake_platform.dialogs[0].messages))
            yield text

    @app.block("work")
    def work(ctx: SyncContext) -> int:
        return len(ctx.stream(story()))

    run = dialog.run_sync("work")
    assert (run.messages, run.data) == (["Раз.", "Два.", "Три"], {"result": 3})
    assert there == [0, 1, 2]


def test_it_runs_again(app: App, dialog: FakeDialog) -> None:
    """A second run gets the stored results, and `attempt` is its number."""
    calls: list[int] = []
    ids: list[Any] = []

    def count() -> int:
        calls.append(1)
        return len(calls)

    @app.block("work")
    def work(ctx: SyncContext) -> int:
        ctx.send_message("Раз")
        number = ctx.step("count", count)
        ids.append((ctx.execution_id, ctx.attempt, 0 < ctx.remaining <= 30))
        if ctx.attempt == 1:
            raise Retry(after=1)
        return number

    run = dialog.run_sync("work")
    assert (run.messages, run.data, calls) == (["Раз"], {"result": 1}, [1])
    assert ids == [(run.execution, 1, True), (run.execution, 2, True)]


def test_errors_reach_the_thread(app: App, dialog: FakeDialog, fake_platform: FakePlatform) -> None:
    """Errors of the platform and of a step are raised in the thread."""
    fake_platform.fail("send_message", status=400)

    def failing() -> None:
        raise ConnectionError("no route")

    @app.block("work")
    def work(ctx: SyncContext) -> None:
        with pytest.raises(BadRequest):
            ctx.send_message("Раз")
        with pytest.raises(TypeError):
            ctx.send_message("")
        with pytest.raises(ConnectionError):
            ctx.step("fail", failing)
        ctx.send_message("Два")

    run = dialog.run_sync("work")
    assert (run.messages, run.ok) == (["Два"], True)


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_nothing_after_completion(app: App, dialog: FakeDialog, ask: Any) -> None:
    """Once the block is complete, every method raises AlreadyCompleted."""

    @app.block("work")
    def work(ctx: SyncContext) -> None:
        ctx.complete({"done": True})
        with pytest.raises(AlreadyCompleted):
            ask(ctx)

    run = dialog.run_sync("work")
    assert (run.messages, run.data, run.ok) == ([], {"done": True}, True)


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_nothing_after_a_403(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform, ask: Any
) -> None:
    """A thread that continues after a 403 can send nothing more, and its block has ended as gone."""
    fake_platform.fail("send_message", status=403)
    over = threading.Event()

    @app.block("work")
    def work(ctx: SyncContext) -> None:
        for asked in (ASKS["send_message"], ask):
            with pytest.raises(DialogGone):
                asked(ctx)
        over.set()

    run = dialog.run_sync("work")
    assert over.wait(PATIENCE_SECONDS)
    assert run.data["error"]["code"] == "gone"


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
async def test_a_thread_that_outlives_its_time(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform, ask: Any
) -> None:
    """A thread cannot be stopped, but after the deadline it gets nothing more into the dialog."""
    started, may_go_on, over = threading.Event(), threading.Event(), threading.Event()
    raised: list[BaseException] = []

    @app.block("work", timeout=10)
    def work(ctx: SyncContext) -> None:
        started.set()
        may_go_on.wait(PATIENCE_SECONDS)
        try:
            ask(ctx)
        except ExecutionEnded as error:
            raised.append(error)
        over.set()

    async with dialog:
        run = await run_past_deadline(dialog, "work", started)
        may_go_on.set()
        assert await asyncio.to_thread(over.wait, PATIENCE_SECONDS)
    assert run.data["error"]["code"] == "timeout"
    assert (run.messages, len(raised)) == ([], 1)
    assert len(fake_platform.ledger) == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_a_thread_that_outlives_its_process_s_loop(app: App, dialog: FakeDialog, ask: Any) -> None:
    """A thread that uses its context after the event loop has ended gets ExecutionEnded."""
    started, may_go_on, over = threading.Event(), threading.Event(), threading.Event()
    raised: list[BaseException] = []

    @app.block("work", timeout=10)
    def work(ctx: SyncContext) -> None:
        started.set()
        may_go_on.wait(PATIENCE_SECONDS)
        try:
            ask(ctx)
        except ExecutionEnded as error:
            raised.append(error)
        finally:
            over.set()

    asyncio.run(run_past_deadline(dialog, "work", started))
    may_go_on.set()
    assert over.wait(PATIENCE_SECONDS)
    assert len(raised) == 1


def test_threads_of_one_handler(app: App, dialog: FakeDialog) -> None:
    """A handler may share its context among threads of its own: all messages arrive, once each."""
    texts = [f"Часть {number}" for number in range(20)]

    @app.block("work")
    def work(ctx: SyncContext) -> int:
        with ThreadPoolExecutor(5) as pool:
            return len({m.message_id for m in pool.map(ctx.send_message, texts)})

    run = dialog.run_sync("work")
    assert (sorted(run.messages), run.data) == (sorted(texts), {"result": 20})


def test_another_way_in_a_second_run(app: App, dialog: FakeDialog) -> None:
    """A thread whose second run does something else is stopped, as any handler is."""

    @app.block("work")
    def work(ctx: SyncContext) -> None:
        if ctx.attempt == 1:
            ctx.send_message("Раз")
            raise Retry
        with pytest.raises(NonDeterministic):
            ctx.step("other", lambda: 1)

    run = dialog.run_sync("work")
    assert run.outcome is not None
    assert run.outcome.code == "nondeterministic"
