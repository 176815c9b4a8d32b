"""A blocked event loop is noticed, and the handler that blocks it is reported."""

import asyncio
import threading
import time

import pytest
import structlog

from tests.waiting import until
from vertexkit import App, Context
from vertexkit.system.supervision import Supervisor
from vertexkit.testing import FakeDialog
from vertexkit.worker.watchdog import Watchdog

TIMEOUT_SECONDS = 60.0
"""After this time the test fails."""
REPORT_SECONDS = 2.0
"""For this time the event loop is blocked, unless that is reported earlier."""


class Recorder:
    """Records what a watchdog reports (`WatchdogObserver`).

    Args:
        block: The block that is expected to be named, with `wait_without_await`. A busy machine may
            stop the whole process anywhere, which looks like a blocked event loop too.
    """

    def __init__(self, block: str = "") -> None:
        self._block = block
        self.lags: list[float] = []
        self.was_blocked: list[bool] = []
        self.watchdog: Watchdog | None = None
        self.beat = asyncio.Event()
        self.blocks: list[str] = []
        self.named = threading.Event()

    def loop_lagged(self, seconds: float) -> None:
        self.lags.append(seconds)
        self.was_blocked.append(self.watchdog is not None and self.watchdog.is_loop_blocked)
        self.beat.set()

    def loop_blocked(self, block: str, place: str) -> None:
        self.blocks.append(block)
        if block == self._block and place.endswith("in wait_without_await"):
            self.named.set()

    async def next_beat(self) -> None:
        self.beat.clear()
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await self.beat.wait()


def watchdogs_besides(before: set[threading.Thread]) -> list[threading.Thread]:
    """Return the threads of watchdogs that were started meanwhile; others may still end."""
    return [
        thread
        for thread in set(threading.enumerate()) - before
        if thread.name == "vertexkit-watchdog"
    ]


def wait_without_await(recorder: Recorder) -> bool:
    return recorder.named.wait(REPORT_SECONDS)


async def heartbeat(recorder: Recorder) -> None:
    """Wait for the next heartbeat in a handler, where a time limit takes no time."""
    before = len(recorder.lags)
    await until(lambda: len(recorder.lags) > before, "a heartbeat")


async def block_the_loop(recorder: Recorder) -> None:
    """Block the event loop until that is reported.

    The observer is informed once between two heartbeats: if that was about another place, because
    the machine was busy there, the loop has to be blocked again.
    """
    give_up_at = time.monotonic() + TIMEOUT_SECONDS
    while not wait_without_await(recorder):
        assert time.monotonic() < give_up_at, f"reported for the blocks {recorder.blocks}"
        await heartbeat(recorder)


async def test_the_handler_that_blocks_the_loop_is_reported() -> None:
    """While a handler blocks, a warning has its block, its execution and its line; then it ends."""
    app, recorder = App(), Recorder("slow")

    @app.block("slow")
    async def slow(ctx: Context) -> bool:
        await block_the_loop(recorder)
        return True

    with structlog.testing.capture_logs() as lines:
        watchdog = recorder.watchdog = Watchdog(0.2, recorder, Supervisor(pytest.fail))
        async with FakeDialog(app) as dialog, watchdog:
            run = await dialog.run("slow")
            await recorder.next_beat()
            while recorder.was_blocked[-1]:
                await recorder.next_beat()
    assert run.ok
    assert True in recorder.was_blocked
    assert max(recorder.lags) > 0.1
    blocked = next(
        line
        for line in lines
        if (line["event"], line.get("block")) == ("loop_blocked", "slow")
        and line["at"].endswith("in wait_without_await")
    )
    assert blocked["log_level"] == "warning"
    assert (blocked["block"], blocked["execution"]) == ("slow", run.execution)
    assert blocked["seconds"] >= 0.2
    assert __file__ in blocked["at"]
    assert "threading.py" in blocked["stack"][0]
    assert any(place.endswith("in slow") for place in blocked["stack"])
    assert "loop_unblocked" in [line["event"] for line in lines]


async def test_code_outside_a_handler_is_reported_by_its_line() -> None:
    """A task that belongs to no handler has no block, but the line that blocks the loop."""
    recorder = Recorder()
    with structlog.testing.capture_logs() as lines:
        async with Watchdog(0.2, recorder, Supervisor(pytest.fail)):
            await block_the_loop(recorder)
            await recorder.next_beat()
    assert recorder.named.is_set()
    places = [line["at"] for line in lines if line["event"] == "loop_blocked"]
    assert any(place.endswith("in wait_without_await") for place in places)


async def test_a_loop_that_stays_blocked_does_not_fill_the_log() -> None:
    """It is reported again when it has been blocked ten times as long, not at each look."""
    with structlog.testing.capture_logs() as lines:
        async with Watchdog(0.04, Recorder(), Supervisor(pytest.fail)):
            await asyncio.sleep(0)
            time.sleep(1.0)  # noqa: ASYNC251 - it blocks the loop on purpose
    reports = [line for line in lines if line["event"] == "loop_blocked"]
    assert len(reports) <= 4


async def test_a_loop_that_is_not_blocked_is_only_measured() -> None:
    """Each heartbeat reports its lag; no handler is reported, and no thread is left."""
    recorder, before = Recorder(), set(threading.enumerate())
    with structlog.testing.capture_logs() as lines:
        async with Watchdog(TIMEOUT_SECONDS, recorder, Supervisor(pytest.fail)) as watchdog:
            await recorder.next_beat()
            await recorder.next_beat()
            assert not watchdog.is_loop_blocked
    assert len(recorder.lags) == 2
    assert not recorder.blocks
    assert not lines
    assert not watchdogs_besides(before)


@pytest.mark.parametrize("threshold", [0.0, 0.3])
async def test_a_threshold_of_0_starts_no_thread(threshold: float) -> None:
    """With a threshold of 0 there is no thread; otherwise there is one."""
    before = set(threading.enumerate())
    async with Watchdog(threshold, Recorder(), Supervisor(pytest.fail)):
        assert len(watchdogs_besides(before)) == (threshold > 0)
