"""The journal's protocol under random events in random order."""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.chaos.simulation import LEASE, POLICIES, Simulation
from tests.chaos.stage import FATES

EXAMPLES = int(os.environ.get("VERTEXKIT_SIMULATIONS", "60"))
"""Number of simulations. Thousands take minutes."""
FAST = Path("/dev/shm")
"""A folder in memory: the disk is not what is tested here."""
HAPPENINGS = st.one_of(st.just("fine"), st.sampled_from([*FATES, "give up", "timeout", "shutdown"]))
WORKERS = st.sampled_from(["first", "second"])
PROGRAMS = st.lists(st.sampled_from(["send", "send", "step", "retry"]), max_size=3)
WHICH = st.integers(0, 1000)
TIMES = st.integers(1, 6)
BUSY = 4
"""Number of simultaneous dialogs: few, so that each makes progress."""


class Protocol(RuleBasedStateMachine):
    """A simulation; each rule is an event."""

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        place = FAST if FAST.is_dir() else None
        self._folder = tempfile.TemporaryDirectory(dir=place)
        self._runner = asyncio.Runner()
        self._world: Simulation
        self._opened = False

    def _do(self, happening: Awaitable[Any]) -> Any:
        async def do() -> Any:
            result = await happening
            await self._world.rest()
            return result

        return self._runner.run(do())

    @initialize(unique=st.booleans())
    def open(self, unique: bool) -> None:
        async def make() -> None:
            self._world = Simulation(Path(self._folder.name), self._patch, unique=unique)
            await self._world.open()

        self._unique = unique
        self._do(make())
        self._opened = True

    @precondition(lambda self: self._world.stage.open < BUSY)
    @rule(block=st.sampled_from(sorted(POLICIES)), program=PROGRAMS)
    def call(self, block: str, program: list[str]) -> None:
        self._do(self._world.call(self._world.stage.begin(block, {"program": program})))

    def _again(self, which: int) -> Callable[[], Awaitable[None]]:
        dialogs = self._world.stage.dialogs
        dialog = dialogs[which % len(dialogs)]
        if not self._unique and not dialog.deleted:
            self._world.stage.again(dialog)
        return partial(self._world.call, dialog)

    @precondition(lambda self: self._world.stage.dialogs)
    @rule(which=WHICH)
    def call_again(self, which: int) -> None:
        self._do(self._again(which)())

    @precondition(lambda self: self._world.stage.dialogs)
    @rule(worker=WORKERS, limit=st.integers(1, 3))
    def claim(self, worker: str, limit: int) -> None:
        self._do(self._world.claim(worker, limit))

    def _step(self, which: int, happens: str, times: int = 1) -> Callable[[], Awaitable[None]]:
        runs = self._world.runs
        return partial(self._world.step, runs[which % len(runs)], happens, times)

    @precondition(lambda self: self._world.runs)
    @rule(which=WHICH, happens=HAPPENINGS, times=TIMES)
    def step(self, which: int, happens: str, times: int) -> None:
        self._do(self._step(which, happens, times)())

    @precondition(lambda self: self._world.runs)
    @rule(happens=HAPPENINGS, times=TIMES)
    def step_all(self, happens: str, times: int) -> None:
        for run in list(self._world.runs):
            self._do(self._world.step(run, happens, times))

    @precondition(lambda self: self._world.runs)
    @rule(which=WHICH, happens=HAPPENINGS, again=WHICH)
    def step_and_call_at_once(self, which: int, happens: str, again: int) -> None:
        async def both() -> None:
            await asyncio.gather(self._step(which, happens)(), self._again(again)())

        self._do(both())

    @precondition(lambda self: self._world.runs)
    @rule(worker=WORKERS, what=st.sampled_from(["renew", "lose_worker"]))
    def tell_of_a_worker(self, worker: str, what: str) -> None:
        self._do(getattr(self._world, what)(worker))

    @precondition(lambda self: self._world.runs)
    @rule(worker=WORKERS)
    def take_over(self, worker: str) -> None:
        """Advance the clock beyond all leases."""
        self._world.clock.advance(LEASE + 1)
        self._do(self._world.claim(worker, 3))

    @precondition(lambda self: self._world.stage.dialogs)
    @rule(seconds=st.sampled_from([1.0, 6.0, LEASE / 3, LEASE + 1]))
    def wait(self, seconds: float) -> None:
        async def wait() -> None:
            self._world.clock.advance(seconds)
            await asyncio.sleep(0)

        self._do(wait())

    @precondition(lambda self: self._world.stage.dialogs)
    @rule(
        steps=st.lists(st.tuples(WHICH, HAPPENINGS, TIMES), max_size=2),
        calls=st.lists(WHICH, max_size=1),
        kept=st.booleans(),
        power=st.booleans(),
        part=st.sampled_from([0.0, 0.5, 1.0]),
    )
    def crash(
        self,
        steps: list[tuple[int, str, int]],
        calls: list[int],
        kept: bool,
        power: bool,
        part: float,
    ) -> None:
        meanwhile = []
        if self._world.runs:
            chosen = {step[0] % len(self._world.runs): step for step in steps}
            meanwhile = [self._step(*step) for step in chosen.values()]
        if self._world.stage.dialogs:
            meanwhile += [self._again(which) for which in calls]
        self._do(self._world.crash(meanwhile, kept=kept, power=power, part=part))

    @precondition(lambda self: self._world.stage.ledger)
    @rule(order=st.sampled_from(["drop", "retry", "fresh"]), which=WHICH)
    def operate(self, order: str, which: int) -> None:
        self._do(self._world.operate(order, which))

    @invariant()
    def holds(self) -> None:
        if self._opened:
            wrongs = self._do(self._world.wrongs())
            assert not wrongs, "\n".join(wrongs)

    def teardown(self) -> None:
        try:
            if self._opened:
                wrongs = self._do(self._world.finish())
                assert not wrongs, "\n".join(wrongs)
        finally:
            if self._opened:
                self._do(self._world.close())
            self._runner.close()
            self._patch.undo()
            self._folder.cleanup()


@pytest.mark.timeout(60 + EXAMPLES)
def test_every_story_ends_well() -> None:
    """The invariants hold after every event."""
    run_state_machine_as_test(
        Protocol,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            derandomize="VERTEXKIT_SIMULATIONS" not in os.environ,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
