"""Threads that work for handlers, under the testing kit: the clock does not skip their time."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest
from anyio.to_thread import run_sync

from tests.waiting import PATIENCE_SECONDS
from vertexkit import App, Context, SyncContext
from vertexkit.context.waits import SHORT_WAIT_SECONDS
from vertexkit.testing import FakeDialog, clock

WORK_SECONDS = 0.3
"""Longer than a handler may look idle in these tests."""
REAL_SECONDS = 9.0
"""Less than any of the virtual waits: a real one fails the test."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that looks idle for some hundredths of a second is ended at its deadline."""
    monkeypatch.setattr(clock, "IDLE_CHECKS", clock.QUIET_CHECKS)


def app_of(handler: Callable[..., Any], **options: Any) -> App[Any]:
    """Return an app with one block, "works"."""
    app = App(**options)
    app.block("works", timeout=30)(handler)
    return app


def work() -> None:
    """Do what takes a thread some time."""
    time.sleep(WORK_SECONDS)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """A pool with a thread that has worked before, as pools of modules and libraries have."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result(PATIENCE_SECONDS)
        yield pool


async def bridge(pool: ThreadPoolExecutor) -> None:
    """Await a call in a thread without a wrapped future."""
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    pool.submit(work).add_done_callback(lambda _: loop.call_soon_threadsafe(done.set))
    await done.wait()


CALLS: dict[str, Callable[[ThreadPoolExecutor], Awaitable[Any]]] = {
    "default limiter": lambda _: run_sync(work),
    "own limiter": lambda _: run_sync(work, limiter=anyio.CapacityLimiter(1)),
    "asyncio": lambda _: asyncio.to_thread(work),
    "wrapped future": lambda pool: asyncio.wrap_future(pool.submit(work)),
    "own bridge": bridge,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_a_handler_whose_thread_works_does_not_look_idle(
    pool: ThreadPoolExecutor, call: Callable[[ThreadPoolExecutor], Awaitable[Any]]
) -> None:
    """Its deadline does not come early, whatever limits the threads, and however old they are."""

    async def works(ctx: Context) -> None:
        await call(pool)

    run = await FakeDialog(app_of(works)).run("works")
    assert run.ok, run


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_a_time_limit_is_not_skipped_while_a_thread_works(
    pool: ThreadPoolExecutor, call: Callable[[ThreadPoolExecutor], Awaitable[Any]]
) -> None:
    """The work is done in time, so the limit has no effect."""

    async def works(ctx: Context) -> None:
        async with asyncio.timeout(10):
            await call(pool)

    run = await FakeDialog(app_of(works)).run("works")
    assert run.ok, run


async def test_an_idle_thread_of_a_pool_is_not_waited_for() -> None:
    """A pool that has worked for the handler makes neither a time limit nor a deadline real."""

    async def works(ctx: Context) -> None:
        pool.submit(int).result(PATIENCE_SECONDS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.Event().wait()
        await asyncio.Event().wait()

    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        run = await FakeDialog(app_of(works)).run("works")
    assert run.outcome is not None
    assert run.outcome.code == "timeout"
    assert time.monotonic() - began < REAL_SECONDS


async def test_a_plain_function_that_works_does_not_look_idle() -> None:
    """A `def` handler has its thread from the limiter of `VERTEXKIT_THREADS`."""

    def works(ctx: SyncContext) -> None:
        work()
        ctx.step("work", work)

    run = await FakeDialog(app_of(works)).run("works")
    assert run.ok, run


def sleep_on_the_loop(ctx: SyncContext) -> None:
    anyio.from_thread.run(asyncio.sleep, 10)


def sleep_in_the_context(ctx: SyncContext) -> None:
    for _ in range(12):
        ctx.sleep(SHORT_WAIT_SECONDS)


def sleep_in_own_threads(ctx: SyncContext) -> None:
    with ThreadPoolExecutor(2) as pool:
        for call in [pool.submit(ctx.sleep, SHORT_WAIT_SECONDS) for _ in range(24)]:
            call.result()


async def sleep_in_a_step(ctx: Context) -> None:
    await run_sync(anyio.from_thread.run, asyncio.sleep, 10)


async def sleep_in_a_wrapped_future(ctx: Context) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asyncio.sleep(10), loop))


async def sleep_while_another_waits_for_the_limiter(ctx: Context) -> None:
    one = anyio.CapacityLimiter(1)
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(run_sync(anyio.from_thread.run, asyncio.sleep, 5, limiter=one))


@pytest.mark.parametrize(
    "handler",
    [
        sleep_on_the_loop,
        sleep_in_the_context,
        sleep_in_own_threads,
        sleep_in_a_step,
        sleep_in_a_wrapped_future,
        sleep_while_another_waits_for_the_limiter,
    ],
    ids=lambda handler: handler.__name__,
)
async def test_a_thread_that_waits_for_the_loop_takes_no_real_time(
    handler: Callable[..., Any],
) -> None:
    """It does not work while the event loop does something for it."""
    began = time.monotonic()
    run = await FakeDialog(app_of(handler)).run("works")
    assert run.ok, run
    assert time.monotonic() - began < REAL_SECONDS


async def test_a_thread_of_a_handler_that_has_ended_is_not_waited_for() -> None:
    """The sleep of the next handler takes no real time, though the thread still works."""
    finish = threading.Event()
    calls: list[asyncio.Future[bool]] = []

    async def leaves_a_thread(ctx: Context) -> None:
        loop = asyncio.get_running_loop()
        calls.append(loop.run_in_executor(None, finish.wait, PATIENCE_SECONDS))

    app = app_of(leaves_a_thread)

    @app.block("sleeps")
    async def sleeps(ctx: Context) -> None:
        await asyncio.sleep(10)

    async with FakeDialog(app) as dialog:
        assert (await dialog.run("works")).ok
        began = time.monotonic()
        run = await dialog.run("sleeps")
        assert time.monotonic() - began < REAL_SECONDS
    assert run.ok, run
    finish.set()
    assert await calls[0]


async def test_what_is_replaced_is_restored_after_the_last_dialog() -> None:
    """anyio and asyncio have their own functions again, which stay replaced between two dialogs."""

    def functions() -> list[Any]:
        backend = anyio.lowlevel.current_token().backend_class
        return [
            backend.run_sync_in_worker_thread,
            asyncio.run_coroutine_threadsafe,
            asyncio.wrap_future,
        ]

    async def works(ctx: Context) -> None:
        """Do nothing."""

    before = functions()
    async with FakeDialog(app_of(works)):
        async with FakeDialog(app_of(works)):
            assert functions() != before
        assert functions() != before
    assert functions() == before
