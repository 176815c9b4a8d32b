"""I13 to I15: what must hold of executions that wait, and of the events that they wait for."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertexkit.execution import EVENT, Phase

if TYPE_CHECKING:
    from tests.chaos.observed import Observed

READ = "test_event_read"
"""The log event with which a handler under test reports what a wait has returned."""


@dataclass(frozen=True, slots=True)
class SentEvent:
    """A request with an event, and its response."""

    execution: str
    name: str
    number: int
    """Its data; no other request has it."""
    status: int | None
    """None: there was no response."""

    @property
    def acknowledged(self) -> bool:
        """It was answered 2xx."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """What a wait has returned to its handler, in one run."""

    execution: str
    name: str
    number: int | None
    """None: it has timed out."""


def report_read(execution: str, name: str, number: int | None) -> None:
    """Log what a wait has returned; called by handlers in other processes."""
    line = {"event": READ, "execution": execution, "name": name, "number": number}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def reads_in(lines: Iterable[Mapping[str, Any]]) -> tuple[ReadEvent, ...]:
    """Return what handlers have reported, from the lines of a log."""
    return tuple(
        ReadEvent(line["execution"], line["name"], line["number"])
        for line in lines
        if line["event"] == READ
    )


def one_wait(seen: "Observed") -> list[str]:
    """I13. An event that was answered 2xx is seen by one wait, unless its execution ended before.

    Every run of a handler gets the same event for a wait, or the end of its time.
    """
    wrongs = []
    unlike = seen.forgotten | seen.afresh
    acknowledged = {(e.execution, e.name) for e in seen.events if e.acknowledged}
    for execution, name in sorted(acknowledged):
        record = seen.by_id.get(execution)
        kinds = {effect.kind for effect in record.effects} if record is not None else set()
        if execution not in unlike and EVENT + name not in kinds:
            wrongs.append(f"I13: {name} of {execution} was answered 2xx, and is not in the journal")
    sent = {(e.execution, e.name, e.number) for e in seen.events}
    read: dict[tuple[str, str], set[int | None]] = {}
    for found in seen.reads:
        if found.execution in unlike:
            continue
        read.setdefault((found.execution, found.name), set()).add(found.number)
        if found.number is not None and (found.execution, found.name, found.number) not in sent:
            wrongs.append(f"I13: {found.name} of {found.execution} was read, and was not sent")
    for (execution, name), numbers in read.items():
        if len(numbers) > 1:
            wrongs.append(f"I13: the wait for {name} of {execution} has returned {numbers}")
        if None in numbers and (execution, name) in acknowledged:
            wrongs.append(f"I13: {name} of {execution} was answered 2xx, and its wait timed out")
    wrongs += [
        f"I13: {event.name} of {event.execution} was answered 404"
        for event in seen.events
        if event.status == 404 and event.execution not in unlike
    ]
    return wrongs


def none_forgotten(seen: "Observed", *, now: float, late: float) -> list[str]:
    """I14. Whatever waits has a time at which it resumes, and resumes then.

    Args:
        seen: at any moment.
        now: Unix seconds of that moment.
        late: seconds after its time in which an execution resumes.
    """
    wrongs = []
    for record in seen.records:
        if record.phase is not Phase.SUSPENDED:
            continue
        if record.due_at is None:
            wrongs.append(f"I14: {record.execution} waits, and has no time at which it resumes")
        elif record.due_at < now - late:
            wrongs.append(f"I14: {record.execution} should have resumed at {record.due_at:.3f}")
    return wrongs


def holds_nothing(seen: "Observed") -> list[str]:
    """I15. An execution that waits holds no slot: no worker has it, and no run of it continues."""
    return [
        f"I15: {record.execution} waits, and worker {record.worker} holds it"
        for record in seen.records
        if record.phase is Phase.SUSPENDED and record.worker
    ]
