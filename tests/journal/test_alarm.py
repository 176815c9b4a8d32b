"""The alarm of a journal: it rings at its time, and does not count as failed when it ends."""

import asyncio
import math

import pytest

from vertexkit.journal.state.alarm import Alarm
from vertexkit.testing import VirtualClock


@pytest.mark.parametrize("times", [(5.0, math.inf), (math.inf, 5.0)], ids=["a wait", "a deadline"])
async def test_it_rings_once_at_its_time(times: tuple[float, float]) -> None:
    """Afterwards the service runs on: nothing is reported as lost."""
    clock, rung, lost = VirtualClock(), list[float](), list[str]()
    alarm = Alarm(clock, lambda: rung.append(clock.now()), lost.append)
    began = clock.now()
    alarm.set(*(began + seconds for seconds in times))
    await clock.sleep(4.0)
    assert rung == []
    await clock.sleep(10.0)
    await asyncio.sleep(0)
    assert rung == [pytest.approx(began + 5.0)]
    assert lost == []
    alarm.close()
