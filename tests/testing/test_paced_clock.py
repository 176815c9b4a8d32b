"""The clock of `vertexkit dev` and `trigger`: pauses are shortened, time can be skipped."""

import asyncio
import math

import pytest

from vertexkit.testing.paced_clock import PacedClock


async def test_a_pause_ends_early_and_the_clock_shows_all_of_it() -> None:
    """With infinite speed an hour takes no real time, and has passed afterwards."""
    clock = PacedClock(speed=math.inf)
    real, now, unix = asyncio.get_running_loop().time(), clock.now(), clock.unix()
    await clock.sleep(3600)
    assert asyncio.get_running_loop().time() - real < 1800
    assert clock.now() - now >= 3600
    assert clock.unix() - unix >= 3600


async def test_a_pause_is_limited() -> None:
    """However long a pause is, it takes no more real time than the limit."""
    clock = PacedClock(max_pause=0.001)
    now = clock.now()
    await clock.sleep(86_400)
    assert clock.now() - now >= 86_400


async def test_durable_waits_and_deadlines_end_when_their_time_is_skipped() -> None:
    """A skip ends what is due until then, in the order of the times, and nothing else."""
    clock, ended = PacedClock(), list[str]()

    async def wait(name: str, seconds: float) -> None:
        await clock.sleep_durably(seconds)
        ended.append(name)

    waits = [asyncio.ensure_future(wait(n, s)) for n, s in (("day", 86_400), ("hour", 3600))]
    timer = clock.timer(60, lambda: ended.append("deadline"))
    cancelled = clock.timer(30, lambda: ended.append("cancelled"))
    await asyncio.sleep(0)
    cancelled.cancel()
    clock.skip(4000)
    await waits[1]
    assert ended == ["deadline", "hour"]
    clock.skip(90_000)
    await waits[0]
    assert ended == ["deadline", "hour", "day"]
    timer.cancel()


async def test_the_end_of_a_pause_is_the_time_of_others() -> None:
    """A wait that is due within a shortened pause ends with it."""
    clock = PacedClock(speed=math.inf)
    durable = asyncio.ensure_future(clock.sleep_durably(1800))
    await asyncio.sleep(0)
    await clock.sleep(3600)
    await durable


async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    """A later skip does not call what was cancelled."""
    clock = PacedClock()
    task = asyncio.ensure_future(clock.sleep_durably(100))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    clock.skip(1000)
    assert not clock._waits
