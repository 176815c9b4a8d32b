"""Bugs that are put into the shipped code on purpose: the simulation finds each of them."""

import inspect
import sys
import textwrap
from dataclasses import dataclass
from typing import Any

import pytest

from tests.chaos.simulation.world import simulate
from vertexkit.context.effects import Effects
from vertexkit.context.memory import Memory
from vertexkit.journal.sqlite.dialog_memory import MemoryTable
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.journal.state.limited_queue import LimitedQueue
from vertexkit.journal.state.queues import Queues
from vertexkit.journal.state.state import JournalState

pytestmark = pytest.mark.unmeasured

SEEDS = 60
"""Seeds in which a bug must be found."""


@dataclass(frozen=True, slots=True)
class Bug:
    """A change of one function."""

    owner: type
    function: str
    code: str
    """What the function contains exactly once."""
    replacement: str
    seed: int
    """Is tried first: it has found the bug, and need not find it after a change of the code."""
    found_by: str = "I"
    """Start of the violation that the simulation reports, or of one of several."""

    def planted(self) -> Any:
        """Return the function with the change."""
        source = textwrap.dedent(inspect.getsource(getattr(self.owner, self.function)))
        assert source.count(self.code) == 1, f"{self.function} does not contain {self.code!r} once"
        names: dict[str, Any] = {}
        code = compile(source.replace(self.code, self.replacement), self.function, "exec")
        exec(code, vars(sys.modules[self.owner.__module__]), names)
        return names[self.function]


BUGS = {
    "a commit is synced only if all of its changes have to survive a loss of power": Bug(
        Writer, "_execute", "any(write.power", "all(write.power", seed=60
    ),
    "a message is sent before its intent is on the disk": Bug(
        Effects,
        "_send_in_order",
        "await self.write(self._runtime.journal.record_intent(self._lease, effect))",
        "asyncio.ensure_future("
        "self.write(self._runtime.journal.record_intent(self._lease, effect)))",
        seed=6,
        found_by="I6",
    ),
    "a claim is used before it is on the disk": Bug(
        SqliteJournal, "claim", "await written[-1]", "pass", seed=51, found_by="I8"
    ),
    "a wait ends without the event that has come meanwhile": Bug(
        JournalState, "end_wait", "if event is not None", "if False", seed=46, found_by="I13"
    ),
    "what was read from the memory is not journalled": Bug(
        Memory,
        "_read",
        "await self._effects.record(effect, EffectState.CONFIRMED, value)",
        "pass",
        seed=23,
        found_by="I17",
    ),
    "a memory is confirmed before it is on the disk": Bug(
        MemoryTable,
        "write",
        "await self._writer.write(schema.SAVE_MEMORY, values)",
        "pass",
        seed=1,
        found_by="I17",
    ),
    "one handler more than there are places may run": Bug(
        LimitedQueue,
        "_take_first",
        "key.running >= limits.running",
        "key.running > limits.running",
        seed=95,
        found_by="I16",
    ),
    "one run more than the rate allows may start": Bug(
        LimitedQueue,
        "_take_first",
        "len(key.starts) < rate.number",
        "len(key.starts) <= rate.number",
        seed=55,
        found_by="I16",
    ),
    "a restart forgets the starts that a rate counts": Bug(
        Queues,
        "add_start",
        "self._limited_queue(block).add_start(key, seconds)",
        "pass",
        seed=271,
        found_by="I16",
    ),
}


@pytest.mark.timeout(300)  # it may have to run all seeds
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the first seeds shows the bug as a violation of an invariant."""
    bug = BUGS[name]
    monkeypatch.setattr(bug.owner, bug.function, bug.planted())
    runs = (simulate(seed) for seed in (bug.seed, *range(SEEDS)))
    found = next((run for run in runs if run.wrongs), None)
    assert found is not None, f"no seed below {SEEDS} has found it"
    assert any(wrong.startswith(bug.found_by) for wrong in found.wrongs), found.wrongs
