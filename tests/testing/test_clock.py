"""The virtual clock: sleeps take no time, and end in the right order."""

import asyncio
import time

import pytest

from tests.waiting import occurs
from vertexkit.testing import clock
from vertexkit.testing.clock import VirtualClock

HOUR = 3600.0


async def test_a_long_sleep_takes_no_real_time() -> None:
    """An hour's sleep ends within real seconds, and both scales have advanced by an hour."""
    clock = VirtualClock()
    began, now = time.monotonic(), clock.now()
    await clock.sleep(3600)
    passed = clock.now() - now
    real = time.monotonic() - began
    assert real < 600
    assert 3600 <= passed <= 3600 + real
    assert clock.unix() - time.time() == pytest.approx(3600, abs=600)


async def test_the_clock_always_advances() -> None:
    """Without sleepers the clock runs at the speed of real time."""
    clock = VirtualClock()
    before, began = time.monotonic(), clock.now()
    await asyncio.sleep(0.01)
    passed, after = clock.now() - began, time.monotonic()
    assert 0.009 < passed <= after - before


async def test_sleepers_wake_in_the_order_of_their_times() -> None:
    """The earliest time wakes first, independent of the start of the sleep, and never too early."""
    clock = VirtualClock()
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        due = clock.now() + seconds
        await clock.sleep(seconds)
        assert clock.now() >= due
        woken.append(seconds)

    await asyncio.gather(*(sleeper(seconds) for seconds in (30, 10, 50, 20, 40)))
    assert woken == [10, 20, 30, 40, 50]


async def test_equal_sleeps_wake_in_the_order_of_their_start() -> None:
    """Of fifty equal sleeps the first one to start is the first one to end."""
    clock = VirtualClock()
    woken: list[int] = []

    async def sleeper(number: int) -> None:
        await clock.sleep(5)
        woken.append(number)

    await asyncio.gather(*(sleeper(number) for number in range(50)))
    assert woken == list(range(50))


async def test_the_work_of_a_woken_task_is_done_before_the_next_jump() -> None:
    """A woken task's further steps and short sleeps come before a later sleeper's time."""
    clock = VirtualClock()
    began = clock.now()
    log: list[str] = []

    async def early() -> None:
        await clock.sleep(1)
        for _ in range(30):
            await asyncio.sleep(0)
        log.append("early's work")
        await clock.sleep(1)
        log.append("early again")

    async def late() -> None:
        await clock.sleep(10)
        log.append("late")

    await asyncio.gather(late(), early())
    assert log == ["early's work", "early again", "late"]
    assert 10 <= clock.now() - began < 3600  # real time counts too


async def test_a_cancelled_sleeper_causes_no_jump() -> None:
    """The clock does not jump to the time of a cancelled sleeper."""
    clock = VirtualClock()
    began = clock.now()
    hour = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)
    hour.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hour
    await clock.sleep(5)
    assert 5 <= clock.now() - began < 3600


async def test_a_sleep_within_a_timeout_of_real_time_is_cancelled() -> None:
    """A timeout of asyncio ends a sleep early, and the clock works afterwards."""
    clock = VirtualClock()
    never = asyncio.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.gather(clock.sleep(1), never.wait())
    await clock.sleep(1)


async def test_a_sleep_of_zero_yields() -> None:
    """sleep(0) lets other tasks run once and does not advance time."""
    clock = VirtualClock()
    ran: list[bool] = []
    asyncio.get_running_loop().call_soon(ran.append, True)
    await clock.sleep(0)
    assert ran
    assert clock.skipped == 0


async def test_a_timer_causes_no_jump() -> None:
    """A timer of an hour does not fire in an idle event loop, nor after a shorter sleep."""
    clock = VirtualClock()
    fired: list[float] = []
    timer = clock.timer(3600, lambda: fired.append(clock.now()))
    await asyncio.sleep(0.02)
    await clock.sleep(60)
    await asyncio.sleep(0.02)
    assert not fired
    timer.cancel()


async def test_an_idle_timer_causes_no_jump_without_virtual_handlers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clock does not see what handlers with real time wait for."""
    monkeypatch.setattr(clock, "IDLE_CHECKS", clock.QUIET_CHECKS)
    virtual = VirtualClock()
    timer = virtual.idle_timer(3600, lambda: None)
    await asyncio.to_thread(time.sleep, 0.3)
    assert virtual.skipped == 0
    timer.cancel()


async def test_an_idle_timer_causes_no_jump_while_durable_waits_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The test decides how much time passes."""
    monkeypatch.setattr(clock, "IDLE_CHECKS", clock.QUIET_CHECKS)
    virtual = VirtualClock()
    release = virtual.hold_while(lambda: False)  # as for a handler with virtual waits
    virtual.hold_durable_waits()
    timer = virtual.idle_timer(3600, lambda: None)
    await asyncio.to_thread(time.sleep, 0.3)
    assert virtual.skipped == 0
    timer.cancel()
    release()


async def test_a_timer_fires_by_real_time() -> None:
    """A timer's callback is called after its real seconds, and not before."""
    clock = VirtualClock()
    fired = asyncio.Event()
    due = clock.now() + 0.02
    clock.timer(0.02, fired.set)
    await occurs(fired, "the timer has fired")
    assert clock.now() >= due


async def test_a_timer_fires_at_its_time_when_sleepers_jump_past_it() -> None:
    """Timers before a sleeper's time fire first, in order, each with the clock at its time."""
    clock = VirtualClock()
    began = clock.now()
    fired: list[tuple[str, float]] = []

    def record(name: str) -> None:
        fired.append((name, (clock.now() - began) // HOUR))  # in real time less than an hour passes

    clock.timer(2 * HOUR, lambda: record("second"))
    clock.timer(HOUR, lambda: record("first"))
    later = clock.timer(9 * HOUR, lambda: record("too late"))
    await clock.sleep(6 * HOUR)
    record("sleeper")
    later.cancel()
    assert fired == [("first", 1), ("second", 2), ("sleeper", 6)]


async def test_a_timer_may_wake_a_sleeper_early() -> None:
    """A deadline that cancels a sleeping handler leaves the clock at the deadline."""
    clock = VirtualClock()
    began = clock.now()
    handler = asyncio.create_task(clock.sleep(3600))
    clock.timer(30, handler.cancel)
    with pytest.raises(asyncio.CancelledError):
        await handler
    assert 30 <= clock.now() - began < 3600


async def test_a_jump_shortens_later_timers() -> None:
    """After a jump to just before its time, a timer waits only the rest in real time."""
    clock = VirtualClock()
    fired = asyncio.Event()
    clock.timer(60, fired.set)
    await clock.sleep(59.95)
    await occurs(fired, "the timer has fired")


async def test_a_cancelled_timer_never_fires() -> None:
    """A cancelled timer does not fire, in real time or in a jump; cancelling twice is allowed."""
    clock = VirtualClock()
    fired: list[str] = []
    near, far = (clock.timer(due, lambda: fired.append("fired")) for due in (0.001, 10))
    for timer in (near, far, far):
        timer.cancel()
    await clock.sleep(60)
    assert not fired


async def test_a_failing_timer_does_not_stop_the_clock() -> None:
    """A callback that raises goes to the loop's exception handler, and sleepers still wake."""
    clock = VirtualClock()
    errors: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: errors.append(context.get("exception")))
    clock.timer(1, lambda: 1 // 0)
    await clock.sleep(5)
    loop.set_exception_handler(None)
    assert [type(error) for error in errors] == [ZeroDivisionError]


def test_one_clock_serves_one_loop_after_another() -> None:
    """The same clock works in each fresh asyncio.run, even if one was left with sleepers."""
    clock = VirtualClock()
    began = clock.now()

    async def leave_a_sleeper() -> None:
        task = asyncio.create_task(clock.sleep(1000))
        await asyncio.sleep(0)
        assert not task.done()

    asyncio.run(clock.sleep(10))
    asyncio.run(leave_a_sleeper())
    asyncio.run(clock.sleep(10))
    assert 20 <= clock.now() - began < 1000


async def test_a_timer_that_is_due_soon_after_an_advance_fires() -> None:
    """What an advance has not reached is due in the real seconds that are left of it."""
    clock, fired = VirtualClock(), asyncio.Event()
    clock.timer(3600, fired.set)
    await clock.advance(3600 - 0.01)
    await occurs(fired, "the timer has fired")
