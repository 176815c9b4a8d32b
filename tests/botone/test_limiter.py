"""Limiter: a bounded number of requests at once, the others in order."""

import asyncio

import pytest

from vertexkit.botone.limiter import Limiter

PATIENT = 30.0


def line_up(limiter: Limiter, patience: float = PATIENT) -> asyncio.Task[float]:
    return asyncio.create_task(limiter.acquire(patience))


async def settled() -> None:
    """Every task that can go on has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_free_place_is_given_at_once() -> None:
    """Whoever finds a place free does not wait, not even for a turn of the loop."""
    limiter = Limiter(2)
    for left in (1, 0):
        with pytest.raises(StopIteration) as ended:
            limiter.acquire(PATIENT).send(None)
        assert ended.value.value == 0.0
        assert limiter.available == left


async def test_no_more_than_the_places_are_held() -> None:
    """Of fifty who come at once, never more than three hold a place, and all get one."""
    limiter, held, most, served = Limiter(3), 0, 0, 0

    async def request() -> None:
        nonlocal held, most, served
        await limiter.acquire(PATIENT)
        held += 1
        most = max(most, held)
        await settled()
        held -= 1
        served += 1
        limiter.release()

    await asyncio.gather(*(request() for _ in range(50)))
    assert (most, served, limiter.available) == (3, 50, 3)


async def test_places_go_to_those_who_came_first() -> None:
    """A place that is given back goes to the one who has waited longest."""
    limiter = Limiter(1)
    await limiter.acquire(PATIENT)
    order: list[int] = []

    async def request(number: int) -> None:
        await limiter.acquire(PATIENT)
        order.append(number)
        limiter.release()

    waiting = [asyncio.create_task(request(number)) for number in range(20)]
    await settled()
    limiter.release()
    await asyncio.gather(*waiting)
    assert order == list(range(20))


async def test_nobody_overtakes_those_who_wait() -> None:
    """A place that was promised to a waiter is not free for a newcomer in the same moment."""
    limiter = Limiter(1)
    await limiter.acquire(PATIENT)
    first = line_up(limiter)
    await settled()
    limiter.release()
    newcomer = line_up(limiter)
    await settled()
    assert first.done()
    assert not newcomer.done()
    limiter.release()
    await newcomer


async def test_the_wait_is_told() -> None:
    """A waiter learns how long it waited, so that it can take that from its own time."""
    limiter = Limiter(1)
    await limiter.acquire(PATIENT)
    loop = asyncio.get_running_loop()
    began, waiter = loop.time(), line_up(limiter)
    await settled()
    limiter.release()
    waited = await waiter
    assert 0 < waited <= loop.time() - began


async def test_patience_ends() -> None:
    """Who gets no place in time is sent away, and takes none later."""
    limiter = Limiter(1)
    await limiter.acquire(PATIENT)
    with pytest.raises(TimeoutError):
        await limiter.acquire(0.01)
    limiter.release()
    assert limiter.available == 1


async def test_patience_ends_for_each_by_itself() -> None:
    """One watch for all: the impatient leave while the patient go on waiting and are served."""
    limiter = Limiter(1)
    await limiter.acquire(PATIENT)
    patient = line_up(limiter)
    impatient = [line_up(limiter, 0.01) for _ in range(3)]
    gone = await asyncio.gather(*impatient, return_exceptions=True)
    assert [type(error) for error in gone] == [TimeoutError] * 3
    assert not patient.done()
    limiter.release()
    await patient
    assert limiter.available == 0


async def test_those_who_come_after_a_quiet_time_are_watched_too() -> None:
    """When all waiters had left, the watch had ended; it begins again with the next."""
    limiter = Limiter(1)
    await limiter.acquire(PATIENT)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await limiter.acquire(0.0)
        limiter.release()
        await limiter.acquire(PATIENT)
    with pytest.raises(TimeoutError):
        await limiter.acquire(0.0)


async def test_a_cancelled_waiter_is_passed_over() -> None:
    """Who gave up in the queue gets no place; the next one does."""
    limiter = Limiter(1)
    await limiter.acquire(PATIENT)
    first, second = line_up(limiter), line_up(limiter)
    await settled()
    first.cancel()
    await settled()
    limiter.release()
    await second
    assert first.cancelled()
    assert limiter.available == 0


async def test_a_waiter_cancelled_with_its_place_gives_it_on() -> None:
    """Cancelled between being given a place and using it, it hands the place to the next."""
    limiter = Limiter(1)
    await limiter.acquire(PATIENT)
    first, second = line_up(limiter), line_up(limiter)
    await settled()
    limiter.release()
    first.cancel()
    await second
    assert first.cancelled()
    limiter.release()
    assert limiter.available == 1


async def test_no_place_is_lost_in_a_crowd_that_is_cancelled() -> None:
    """However waiters and holders are cancelled, in the end every place is free again."""
    limiter = Limiter(4)

    async def request() -> None:
        await limiter.acquire(PATIENT)
        try:
            await settled()
        finally:
            limiter.release()

    crowd = [asyncio.create_task(request()) for _ in range(200)]
    for number, task in enumerate(crowd):
        if number % 3 == 0:
            task.cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*crowd, return_exceptions=True)
    assert limiter.available == 4


async def test_when_free_calls_back_once() -> None:
    """It is told of the first place that nobody waits for, once, and not of a place handed on."""
    limiter, told = Limiter(1), []
    await limiter.acquire(PATIENT)
    waiter = line_up(limiter)
    await settled()
    limiter.notify_available(lambda: told.append(limiter.available))
    limiter.release()
    await waiter
    assert not told
    limiter.release()
    assert told == [1]
    await limiter.acquire(PATIENT)
    limiter.release()
    assert told == [1]


async def test_when_free_may_ask_again_in_its_call() -> None:
    """Who is called back may ask to be called again, for the next place."""
    limiter, told = Limiter(1), []

    def tell() -> None:
        told.append(limiter.available)
        limiter.notify_available(tell)

    limiter.notify_available(tell)
    for _ in range(2):
        await limiter.acquire(PATIENT)
        limiter.release()
    assert told == [1, 1]
