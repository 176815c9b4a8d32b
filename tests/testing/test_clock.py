"""The virtual clock: waits without waiting, in the right order."""

import asyncio
import time

import pytest

from vertexkit.testing.clock import VirtualClock


async def test_a_long_sleep_takes_no_real_time() -> None:
    """An hour's sleep ends within a real second, and the clock is an hour on, in both scales."""
    clock = VirtualClock()
    began, now, unix = time.monotonic(), clock.now(), clock.unix()
    await clock.sleep(3600)
    assert time.monotonic() - began < 1
    assert 3600 <= clock.now() - now < 3601
    assert 3600 <= clock.unix() - unix < 3601


async def test_the_clock_never_stands_still() -> None:
    """With nobody asleep the clock goes at the pace of real time."""
    clock = VirtualClock()
    real, began = time.monotonic(), clock.now()
    await asyncio.sleep(0.01)
    gone = clock.now() - began
    assert 0.009 < gone <= time.monotonic() - real + 0.001


async def test_sleepers_wake_in_the_order_in_which_they_are_due() -> None:
    """Whoever went to sleep first, the earliest hour wakes first, and never before its time."""
    clock = VirtualClock()
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        due = clock.now() + seconds
        await clock.sleep(seconds)
        assert clock.now() >= due
        woken.append(seconds)

    await asyncio.gather(*(sleeper(seconds) for seconds in (30, 10, 50, 20, 40)))
    assert woken == [10, 20, 30, 40, 50]


async def test_equal_sleeps_wake_in_the_order_of_their_beginning() -> None:
    """Of fifty sleepers of the same length the first to lie down is the first to wake."""
    clock = VirtualClock()
    woken: list[int] = []

    async def sleeper(number: int) -> None:
        await clock.sleep(5)
        woken.append(number)

    await asyncio.gather(*(sleeper(number) for number in range(50)))
    assert woken == list(range(50))


async def test_what_a_sleeper_sets_off_runs_before_the_next_jump() -> None:
    """A woken task's further steps and short sleeps come before a later sleeper's hour."""
    clock = VirtualClock()
    began = clock.now()
    story: list[str] = []

    async def early() -> None:
        await clock.sleep(1)
        for _ in range(30):
            await asyncio.sleep(0)
        story.append("early's work")
        await clock.sleep(1)
        story.append("early again")

    async def late() -> None:
        await clock.sleep(10)
        story.append("late")

    await asyncio.gather(late(), early())
    assert story == ["early's work", "early again", "late"]
    assert clock.now() - began < 11


async def test_a_cancelled_sleeper_does_not_push_time_on() -> None:
    """Once its sleeper is cancelled, an hour that nobody waits for is not jumped to."""
    clock = VirtualClock()
    began = clock.now()
    hour = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)
    hour.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hour
    await clock.sleep(5)
    assert clock.now() - began < 10


async def test_a_sleep_within_a_timeout_of_real_time_is_cancelled() -> None:
    """asyncio's own time-outs cut a wait short, and the clock works on after that."""
    clock = VirtualClock()
    never = asyncio.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.gather(clock.sleep(1), never.wait())
    await clock.sleep(1)


async def test_no_sleep_at_all_just_yields() -> None:
    """sleep(0) lets the others run once and moves no time."""
    clock = VirtualClock()
    began = clock.now()
    ran: list[bool] = []
    asyncio.get_running_loop().call_soon(ran.append, True)
    await clock.sleep(0)
    assert ran
    assert clock.now() - began < 1


async def test_a_timer_never_pushes_time_on() -> None:
    """An hour's timer does not fire, however idle the loop is, nor after somebody slept."""
    clock = VirtualClock()
    fired: list[float] = []
    timer = clock.timer(3600, lambda: fired.append(clock.now()))
    await asyncio.sleep(0.02)
    await clock.sleep(60)
    await asyncio.sleep(0.02)
    assert not fired
    timer.cancel()


async def test_a_timer_fires_by_real_time() -> None:
    """A timer's callback comes when so many real seconds have gone by, and not before."""
    clock = VirtualClock()
    fired = asyncio.Event()
    due = clock.now() + 0.02
    clock.timer(0.02, fired.set)
    await asyncio.wait_for(fired.wait(), 5)
    assert clock.now() >= due


async def test_a_timer_fires_at_its_hour_when_sleepers_jump_past_it() -> None:
    """Timers that a jump would pass fire on the way, in order, each with the clock at its hour."""
    clock = VirtualClock()
    began = clock.now()
    fired: list[tuple[str, int]] = []

    def note(name: str) -> None:
        fired.append((name, int(clock.now() - began)))

    clock.timer(20, lambda: note("second"))
    clock.timer(10, lambda: note("first"))
    later = clock.timer(90, lambda: note("too late"))
    await clock.sleep(60)
    note("sleeper")
    later.cancel()
    assert fired == [("first", 10), ("second", 20), ("sleeper", 60)]


async def test_a_timer_may_wake_a_sleeper_early() -> None:
    """A deadline that cancels a sleeping handler leaves the clock at the deadline."""
    clock = VirtualClock()
    began = clock.now()
    handler = asyncio.create_task(clock.sleep(3600))
    clock.timer(30, handler.cancel)
    with pytest.raises(asyncio.CancelledError):
        await handler
    assert 30 <= clock.now() - began < 35


async def test_a_jump_brings_later_timers_nearer() -> None:
    """After a jump to just before its hour, a timer needs only the rest in real time."""
    clock = VirtualClock()
    fired = asyncio.Event()
    clock.timer(60, fired.set)
    await clock.sleep(59.95)
    await asyncio.wait_for(fired.wait(), 5)


async def test_a_cancelled_timer_never_fires() -> None:
    """Neither real time nor a jump past its hour runs a cancelled timer; cancelling twice is fine."""
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
    told: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context.get("exception")))
    clock.timer(1, lambda: 1 // 0)
    await clock.sleep(5)
    loop.set_exception_handler(None)
    assert [type(problem) for problem in told] == [ZeroDivisionError]


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
    assert 20 <= clock.now() - began < 30
