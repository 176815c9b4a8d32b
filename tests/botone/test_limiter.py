"""Limiter: a limited number of tasks hold a slot, the others wait in order."""

import asyncio

import pytest

from vertexkit.botone.limiter import Limiter

TIMEOUT = 30.0


def acquire_later(limiter: Limiter, timeout: float = TIMEOUT) -> asyncio.Task[float]:
    return asyncio.create_task(limiter.acquire(timeout))


async def run_tasks() -> None:
    """Let all tasks run until they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_free_slot_is_acquired_at_once() -> None:
    """A task does not wait for a free slot, not even for one iteration of the event loop."""
    limiter = Limiter(2)
    for left in (1, 0):
        with pytest.raises(StopIteration) as ended:
            limiter.acquire(TIMEOUT).send(None)
        assert ended.value.value == 0.0
        assert limiter.available == left


async def test_no_more_slots_are_held_than_exist() -> None:
    """Of fifty tasks never more than three hold a slot, and each of them gets one."""
    limiter, held, most, served = Limiter(3), 0, 0, 0

    async def request() -> None:
        nonlocal held, most, served
        await limiter.acquire(TIMEOUT)
        held += 1
        most = max(most, held)
        await run_tasks()
        held -= 1
        served += 1
        limiter.release()

    await asyncio.gather(*(request() for _ in range(50)))
    assert (most, served, limiter.available) == (3, 50, 3)


async def test_slots_are_assigned_in_order() -> None:
    """A released slot is assigned to the task that has waited longest."""
    limiter = Limiter(1)
    await limiter.acquire(TIMEOUT)
    order: list[int] = []

    async def request(number: int) -> None:
        await limiter.acquire(TIMEOUT)
        order.append(number)
        limiter.release()

    waiting = [asyncio.create_task(request(number)) for number in range(20)]
    await run_tasks()
    limiter.release()
    await asyncio.gather(*waiting)
    assert order == list(range(20))


async def test_a_new_task_does_not_overtake() -> None:
    """A slot that is assigned to a waiting task is not free for a new one."""
    limiter = Limiter(1)
    await limiter.acquire(TIMEOUT)
    first = acquire_later(limiter)
    await run_tasks()
    limiter.release()
    newcomer = acquire_later(limiter)
    await run_tasks()
    assert first.done()
    assert not newcomer.done()
    limiter.release()
    await newcomer


async def test_the_wait_is_returned() -> None:
    """`acquire` returns the seconds that the task waited."""
    limiter = Limiter(1)
    await limiter.acquire(TIMEOUT)
    loop = asyncio.get_running_loop()
    began, waiter = loop.time(), acquire_later(limiter)
    await run_tasks()
    limiter.release()
    waited = await waiter
    assert 0 < waited <= loop.time() - began


async def test_the_timeout() -> None:
    """A task whose timeout is over gets a TimeoutError and no slot later."""
    limiter = Limiter(1)
    await limiter.acquire(TIMEOUT)
    with pytest.raises(TimeoutError):
        await limiter.acquire(0.01)
    limiter.release()
    assert limiter.available == 1


async def test_each_task_has_its_timeout() -> None:
    """A task with a longer timeout keeps waiting while others time out."""
    limiter = Limiter(1)
    await limiter.acquire(TIMEOUT)
    long = acquire_later(limiter)
    short = [acquire_later(limiter, 0.01) for _ in range(3)]
    gone = await asyncio.gather(*short, return_exceptions=True)
    assert [type(error) for error in gone] == [TimeoutError] * 3
    assert not long.done()
    limiter.release()
    await long
    assert limiter.available == 0


async def test_the_timer_restarts() -> None:
    """The timer stops without waiting tasks and starts again with the next one."""
    limiter = Limiter(1)
    await limiter.acquire(TIMEOUT)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await limiter.acquire(0.0)
        limiter.release()
        await limiter.acquire(TIMEOUT)
    with pytest.raises(TimeoutError):
        await limiter.acquire(0.0)


async def test_a_cancelled_task_is_skipped() -> None:
    """A task that was cancelled while it waited gets no slot; the next one does."""
    limiter = Limiter(1)
    await limiter.acquire(TIMEOUT)
    first, second = acquire_later(limiter), acquire_later(limiter)
    await run_tasks()
    first.cancel()
    await run_tasks()
    limiter.release()
    await second
    assert first.cancelled()
    assert limiter.available == 0


async def test_a_task_cancelled_with_its_slot_releases_it() -> None:
    """A task that is cancelled after a slot was assigned passes it to the next task."""
    limiter = Limiter(1)
    await limiter.acquire(TIMEOUT)
    first, second = acquire_later(limiter), acquire_later(limiter)
    await run_tasks()
    limiter.release()
    first.cancel()
    await second
    assert first.cancelled()
    limiter.release()
    assert limiter.available == 1


async def test_no_slot_is_lost_by_cancellations() -> None:
    """After many cancellations of waiting and holding tasks, all slots are free."""
    limiter = Limiter(4)

    async def request() -> None:
        await limiter.acquire(TIMEOUT)
        try:
            await run_tasks()
        finally:
            limiter.release()

    crowd = [asyncio.create_task(request()) for _ in range(200)]
    for number, task in enumerate(crowd):
        if number % 3 == 0:
            task.cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*crowd, return_exceptions=True)
    assert limiter.available == 4


async def test_notify_available_calls_back_once() -> None:
    """The callback is called once, for the first slot that no task waits for."""
    limiter, notified = Limiter(1), []
    await limiter.acquire(TIMEOUT)
    waiter = acquire_later(limiter)
    await run_tasks()
    limiter.notify_available(lambda: notified.append(limiter.available))
    limiter.release()
    await waiter
    assert not notified
    limiter.release()
    assert notified == [1]
    await limiter.acquire(TIMEOUT)
    limiter.release()
    assert notified == [1]


async def test_the_callback_may_register_again() -> None:
    """The callback may register itself for the next free slot."""
    limiter, notified = Limiter(1), []

    def notify() -> None:
        notified.append(limiter.available)
        limiter.notify_available(notify)

    limiter.notify_available(notify)
    for _ in range(2):
        await limiter.acquire(TIMEOUT)
        limiter.release()
    assert notified == [1, 1]
