"""A benchmark counts only what it measured while the core of the service was not shared."""

import os
import sys
import time
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.unmeasured,
    pytest.mark.skipif(sys.platform != "linux", reason="processor time is read from /proc"),
]
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FAST, SHARED = 0.3, 0.6
"""Seconds of a loop."""


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Benchmarks import each other as scripts do."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def samples(*loops: float) -> list[Any]:
    """A sample in each second. Until the next one the service uses 1 s, or 2 s on a shared core."""
    made, used = [], 0.0
    for number, loop in enumerate(loops):
        made.append(import_module("core_speed").Sample(float(number), loop, (used, used / 10)))
        used += loop / FAST
    return made


def test_intervals_of_a_shared_core_do_not_count() -> None:
    """Neither one that starts when the core is shared, nor one that ends then."""
    executions = import_module("executions")
    taken = executions.Round()
    taken.intervals = list(pairwise(samples(FAST, FAST, SHARED, FAST, FAST)))
    taken.ended, taken.latencies = [0.5, 0.6, 1.5, 2.5, 3.5], [0.1, 0.2, 0.3, 0.4, 0.5]
    figures = taken.figures(slowest=FAST * 1.4)
    assert (figures.executions, figures.seconds) == (3, 2.0)
    assert figures.latencies == [0.1, 0.2, 0.5]
    assert figures.used == pytest.approx([2.0, 0.2])
    assert taken.figures().executions == 5


def test_a_round_on_a_shared_core_is_left_out_if_others_were_not() -> None:
    """If the core was shared in all rounds, all of them count."""
    executions = import_module("executions")
    rounds = [
        executions.Round(list(pairwise(samples(loop, loop))), [0.5], [loop])
        for loop in (FAST, SHARED)
    ]
    chosen = executions.figures(rounds, FAST * 1.4)
    assert [one.latencies for one in chosen] == [[FAST]]
    assert [one.latencies for one in executions.figures(rounds[1:], FAST * 1.4)] == [[SHARED]]


def test_samples_enclose_what_is_measured() -> None:
    """The first one is taken before, the last one after, and the time that a process used grows."""
    core = min(os.sched_getaffinity(0))
    with import_module("core_speed").Watch(core, os.getpid()) as watch:
        since = time.perf_counter()
        while time.perf_counter() < since + 0.05:
            pass
        until = time.perf_counter()
        taken = watch.samples(since, until)
    assert taken[0].at < since
    assert until < taken[-1].at
    assert all(one.loop > 0 for one in taken)
    assert taken[-1].used[0] > taken[0].used[0]
    assert watch.slowest() > min(one.loop for one in taken)
