"""The shipped code in a simulation: crashes, losses of power, slow disks, two workers."""

import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.chaos.simulation.__main__ import report
from tests.chaos.simulation.world import Run, simulate

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 35
"""Fixed seeds of the gate; `make simulate` and `make soak` run fresh ones."""
SAME = 3
"""A seed with two workers."""
SIGHTS = {
    "attack: SIGKILL": 10,
    "attack: SIGTERM": 10,
    "attack: SIGSTOP": 10,
    "attack: the power is cut": 10,
    "attack: the disk is held": 5,
    "attack: the disk is full": 5,
    "attack: the next commit fails": 1,
    "handler: run 2": 20,
    "log info: deduplicated": 20,
    "log warning: send_outcome_unknown": 10,
    "log critical: journal_lost": 5,
    "retried": 10,
}
"""What the seeds of the gate must contain, and how often at least."""


@cache
def run_of(seed: int) -> Run:
    """Run a seed once."""
    return simulate(seed)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_invariant_holds(seed: int) -> None:
    """The invariants hold in every run, whatever is killed, full, frozen or lost in it."""
    run = run_of(seed)
    assert not run.wrongs, report(run)


@pytest.mark.timeout(300)  # alone it runs all seeds
def test_a_simulation_attacks() -> None:
    """The seeds of the gate contain every kind of attack, and executions that survive it."""
    found: Counter[str] = Counter()
    for seed in range(SEEDS):
        for line in run_of(seed).trace:
            found.update(sight for sight in SIGHTS if sight in line)
    assert not {sight: found[sight] for sight, least in SIGHTS.items() if found[sight] < least}
    assert sum(run_of(seed).shared_commits for seed in range(SEEDS)) > SEEDS


def test_a_seed_gives_the_same_run_again() -> None:
    """The trace follows from the seed alone, in another process and with other hashes too."""
    run = run_of(SAME)
    assert simulate(SAME).trace == run.trace
    hashes = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    command = [sys.executable, "-m", "tests.chaos.simulation", "--seed", str(SAME)]
    elsewhere = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hashes},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert elsewhere.returncode == 0, elsewhere.stdout + elsewhere.stderr
    assert elsewhere.stdout.splitlines()[: len(run.trace)] == run.trace
    assert run.digest in elsewhere.stdout
