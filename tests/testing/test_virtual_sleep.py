"""Waits of asyncio in handlers, under the testing kit: they take no real time."""

import asyncio
import functools
import socket
import time
from asyncio import sleep as imported_sleep
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import uvloop

from vertexkit import App, Context, Next, Retry, SyncContext
from vertexkit.testing import FakeDialog, clock

Wait = Callable[[], Awaitable[Any]]
REAL_SECONDS = 9.0
"""Less than any of the waits, which are of ten seconds: a real one fails the test."""


async def times_out(limit: Any) -> None:
    """Fail unless the limit ends a wait that has no end of its own."""
    with pytest.raises(TimeoutError):
        async with limit:
            await asyncio.Event().wait()


async def wait_for() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.sleep(20), 10)


async def poll() -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + 10
    while loop.time() < until:  # noqa: ASYNC110 - what authors write
        await asyncio.sleep(0.5)


async def call_later() -> None:
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(10, done.set)
    await done.wait()


async def in_a_task() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(10))
        group.create_task(asyncio.sleep(5))


async def anyio_scope() -> None:
    with anyio.move_on_after(10) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught


async def anyio_sleep() -> None:
    await anyio.sleep(10)


WAITS: dict[str, Wait] = {
    "sleep": lambda: asyncio.sleep(10),
    "imported sleep": lambda: imported_sleep(10),
    "sleep in tasks": in_a_task,
    "polling": poll,
    "timeout": lambda: times_out(asyncio.timeout(10)),
    "timeout_at": lambda: times_out(asyncio.timeout_at(asyncio.get_running_loop().time() + 10)),
    "wait_for": wait_for,
    "wait with a timeout": lambda: asyncio.wait(
        {asyncio.ensure_future(asyncio.sleep(20))}, timeout=10
    ),
    "call_later": call_later,
    "anyio.sleep": anyio_sleep,
    "anyio.move_on_after": anyio_scope,
}


def app_that(wait: Wait, **options: Any) -> App[Any]:
    """Return an app with a block "waits", whose result is how long the loop says it waited."""
    app = App(**options)

    @app.block("waits", timeout=60)
    async def waits(ctx: Context) -> dict[str, float]:
        loop, remaining = asyncio.get_running_loop(), ctx.remaining
        began = loop.time()
        await wait()
        return {"loop": loop.time() - began, "remaining": remaining - ctx.remaining}

    return app


@pytest.mark.unmeasured
@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS.keys())
async def test_a_wait_takes_no_real_time(wait: Wait) -> None:
    """Ten seconds pass for the handler, for the loop's time and for its deadline alike."""
    began = time.monotonic()
    run = await FakeDialog(app_that(wait)).run("waits")
    assert time.monotonic() - began < REAL_SECONDS
    assert run.ok, run
    assert 9.9 < run.data["loop"] < 10 + REAL_SECONDS
    assert run.data["remaining"] == pytest.approx(run.data["loop"], abs=5)


@pytest.mark.parametrize("wait", [WAITS["sleep"], WAITS["wait_for"]], ids=["sleep", "wait_for"])
def test_a_wait_takes_no_real_time_on_uvloop(wait: Wait) -> None:
    """The loop of uvloop does not show its sockets; sleeps are virtual all the same."""
    began = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run = runner.run(FakeDialog(app_that(wait)).run("waits"))
    assert time.monotonic() - began < REAL_SECONDS
    assert run.ok, run


async def test_the_deadline_ends_a_sleep_that_is_too_long() -> None:
    """A handler that sleeps longer than its block's timeout fails, without any real waiting."""
    run = await FakeDialog(app_that(lambda: asyncio.sleep(100))).run("waits")
    assert run.outcome is not None
    assert run.outcome.code == "timeout"


async def test_a_handler_that_hangs_ends_at_its_deadline() -> None:
    """It waits for what never happens. Without the jump, the run is an error after the patience."""
    run = await FakeDialog(app_that(asyncio.Event().wait), patience=50).run("waits")
    assert run.outcome is not None
    assert run.outcome.code == "timeout"


async def test_the_test_may_end_what_a_handler_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the test itself waits for a time, the deadline does not come early."""
    monkeypatch.setattr(clock, "IDLE_CHECKS", clock.QUIET_CHECKS)
    shown, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        shown.set()
        await ended.wait()

    async with FakeDialog(app_that(wait)) as dialog:
        running = asyncio.create_task(dialog.run("waits"))
        await shown.wait()
        await asyncio.sleep(0.3)
        ended.set()
        assert (await running).ok


async def test_a_thread_of_the_handlers_own_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock does not see whether such a thread works: it takes real time."""
    monkeypatch.setattr(clock, "IDLE_CHECKS", clock.QUIET_CHECKS)

    async def wait() -> None:
        with ThreadPoolExecutor(1) as pool:
            await asyncio.wrap_future(pool.submit(time.sleep, 0.3))

    assert (await FakeDialog(app_that(wait)).run("waits")).ok


async def test_middleware_and_hooks_wait_virtually_too() -> None:
    """All of the author's code that runs for an execution has the same time."""

    async def slow(ctx: Context, call_next: Next) -> Any:
        await asyncio.sleep(10)
        return await call_next(ctx)

    async def on_failure(ctx: Context, failure: Any) -> dict[str, str]:
        await asyncio.sleep(1)
        return {"failed": failure.code}

    async def fail() -> None:
        raise KeyError("x")

    began = time.monotonic()
    run = await FakeDialog(app_that(fail, middleware=[slow], on_failure=on_failure)).run("waits")
    assert time.monotonic() - began < REAL_SECONDS
    assert run.data == {"failed": "internal"}


async def test_other_code_has_real_time() -> None:
    """The test, the app's lifespan and its tasks, and code after the run are not affected."""
    elapsed: list[float] = []

    async def measure() -> None:
        began = time.monotonic()
        await asyncio.sleep(0.02)
        elapsed.append(time.monotonic() - began)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        await measure()
        async with asyncio.TaskGroup() as group:
            group.create_task(measure())
            yield

    app = app_that(lambda: asyncio.sleep(1000), lifespan=lifespan)
    loop = asyncio.get_running_loop()
    methods = {name: getattr(loop, name) for name in ("time", "call_later", "call_at")}
    async with FakeDialog(app) as dialog:
        await asyncio.gather(dialog.run("waits"), measure())
        await measure()
    assert {name: getattr(loop, name) for name in methods} == methods
    assert len(elapsed) == 4
    assert all(seconds >= 0.019 for seconds in elapsed), elapsed


async def test_dialogs_in_one_loop_end_in_any_order() -> None:
    """Two dialogs replace the loop's timers together, and the last one restores them."""
    loop = asyncio.get_running_loop()
    first, second = FakeDialog(app_that(WAITS["sleep"])), FakeDialog(app_that(WAITS["sleep"]))
    await first.__aenter__()
    await second.__aenter__()
    await first.__aexit__()
    assert (await second.run("waits")).ok
    await second.__aexit__()
    assert not {"time", "call_later", "call_at", "run_in_executor"} & vars(loop).keys()


POOL = ThreadPoolExecutor(1)
THREADS: dict[str, Callable[[], Awaitable[Any]]] = {
    "asyncio.to_thread": lambda: asyncio.to_thread(time.sleep, 0.1),
    "run_in_executor": lambda: asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.1),
    "anyio.to_thread": lambda: anyio.to_thread.run_sync(functools.partial(time.sleep, 0.1)),
    "wrap_future": lambda: asyncio.wrap_future(POOL.submit(time.sleep, 0.1)),
}


@pytest.mark.parametrize("work", THREADS.values(), ids=THREADS.keys())
async def test_a_thread_that_works_takes_real_time(work: Wait) -> None:
    """A time limit of a thread's work does not pass while it works, nor does a heartbeat's sleep."""
    beats: list[float] = []

    async def heartbeat() -> None:
        while True:
            await asyncio.sleep(20)
            beats.append(1)

    async def wait() -> None:
        beating = asyncio.create_task(heartbeat())
        async with asyncio.timeout(30):
            await work()
        beating.cancel()

    run = await FakeDialog(app_that(wait)).run("waits")
    assert run.ok, run
    assert beats == []


async def test_a_slow_answer_on_a_socket_is_waited_for() -> None:
    """A time limit of a request to a real server does not pass while the server works."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        await asyncio.sleep(0.2)
        writer.write(b"answer\n")
        await writer.drain()
        writer.close()

    async def wait() -> None:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"question\n")
            assert await reader.readline() == b"answer\n"
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, family=socket.AF_INET)
    async with server:
        port = server.sockets[0].getsockname()[1]
        run = await FakeDialog(app_that(wait)).run("waits")
    assert run.ok, run
    assert run.data["loop"] < 5


async def test_a_sleep_beside_an_open_socket_takes_no_real_time() -> None:
    """An idle connection, such as one of a database's pool, does not make a sleep real."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        reader, writer = await asyncio.open_connection(*server.getsockname())
        began = time.monotonic()
        run = await FakeDialog(app_that(WAITS["sleep"])).run("waits")
        assert time.monotonic() - began < REAL_SECONDS
        assert run.ok, run
        del reader
        writer.close()
        await writer.wait_closed()


async def test_virtual_sleep_can_be_turned_off() -> None:
    """With `virtual_sleep=False`, the handler's sleep is real, and back-off is not."""

    async def wait() -> None:
        await asyncio.sleep(0.05)

    app = app_that(wait)

    @app.block("later")
    async def later(ctx: Context) -> None:
        if ctx.attempt < 3:
            raise Retry(after=3600)
        await asyncio.sleep(0.05)

    @app.block("pauses")
    async def pauses(ctx: Context) -> None:
        await ctx.sleep(0.05)

    began = time.monotonic()
    assert (await FakeDialog(app, virtual_sleep=False).run("waits")).ok
    assert (await FakeDialog(app, virtual_sleep=False).run("later")).ok
    assert time.monotonic() - began > 0.1
    dialog = FakeDialog(app, virtual_sleep=False)
    assert (await dialog.run("pauses")).ok
    assert dialog.clock.skipped == 0


async def test_a_plain_function_has_real_time() -> None:
    """`time.sleep` in a thread is real, and the clock does not skip it."""
    app = App()

    @app.block("plain", timeout=30)
    def plain(ctx: SyncContext) -> float:
        time.sleep(0.05)
        ctx.send_message("done")
        return ctx.remaining

    run = await FakeDialog(app).run("plain")
    assert 10 < run.data["result"] < 29.96
