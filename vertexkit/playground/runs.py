"""The runs that are in progress, and their recording."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from vertexkit.playground.faults import RunFaults
from vertexkit.recordings import REJECTED, Recorder, RecordingsFolder
from vertexkit.telemetry.events import Event
from vertexkit.testing.platform.ledger import Entry
from vertexkit.testing.recorded import request_fields

CONTEXT_FIELDS = {
    "event",
    "level",
    "time",
    "execution",
    "block",
    "instance",
    "dialog",
    "vertex",
    "session",
    "attempt",
}
"""Fields of a log line that are not recorded: the recorded line or its run has them already."""
RECORDED_EVENTS = {
    "accepted",
    "claimed",
    "sent",
    "step_completed",
    "step_retried",
    "model_answered",
    "result_recorded",
    "completed",
    "settled",
    "deduplicated",
    "retried",
    "send_retried",
    "completion_retried",
    "send_outcome_unknown",
    "effect_changed",
    "parked",
    "released",
    "suspended",
    "wait_started",
}
"""Events of log lines that are not recorded, because the run has the events themselves."""


class RunObserver(Protocol):
    """Is notified of what is recorded."""

    def on_line(self, run: str, number: int, line: dict[str, Any]) -> None:
        """Take notice of a new line of a run.

        Args:
            run: the run's id.
            number: of the line; that of the run itself is 0.
            line: as it was recorded.
        """


@dataclass(frozen=True, slots=True)
class Wait:
    """What a handler waits for."""

    event: str
    """Name of the event; empty if it waits for a time."""
    until: float
    """Unix time, of the app's clock, at which the wait ends."""


class ActiveRun:
    """A run in progress: all that happens to its execution, in any process of the app.

    Args:
        recorder: records it.
        token: of the call.
        faults: what is simulated.
    """

    def __init__(self, recorder: Recorder, token: str, faults: RunFaults) -> None:
        self.recorder = recorder
        self.token = token
        self.execution = ""
        """The execution's id; empty until the call is accepted."""
        self.crashed = False
        """The app's process was killed during this run."""
        self.waits: dict[int, Wait] = {}
        """What the handler waits for, by the position of the wait."""
        self.arrivals: dict[int, float] = {}
        """When requests in progress arrived, by their number: in real time."""
        self._crash_after = faults.crash_after
        self._messages = 0

    @property
    def id(self) -> str:
        """The run's id."""
        return self.recorder.header.id

    @property
    def crash_is_due(self) -> bool:
        """The app's process is to be killed now."""
        return 0 < self._crash_after <= self._messages and not self.crashed

    def add_event(self, event: Event) -> None:
        """Record an event of the execution."""
        fields = event.fields
        if event.name == "waiting":
            self.waits[fields["position"]] = Wait(fields["event"], fields["until"])
        elif event.name == "waited":
            self.waits.pop(fields["position"], None)
        elif event.name == "result_recorded":
            self.waits.clear()
        self.recorder.event(event)

    def add_request(self, entry: Entry, now: float) -> None:
        """Record a finished request to the platform.

        Args:
            entry: the request.
            now: real time; that of the entry may be ahead.
        """
        at = self.arrivals.pop(entry.number, now)
        fields = request_fields(entry) | {"seconds": round(now - at, 6)}
        self.recorder.request(at, **fields)
        if entry.method == "send_message" and entry.processed:
            self._messages += 1


class ActiveRuns:
    """Assigns requests, events and log lines to the runs in progress.

    Args:
        recordings: the folder of recordings.
        observer: notified of each recorded line.
    """

    def __init__(self, recordings: RecordingsFolder, observer: RunObserver) -> None:
        self._recordings = recordings
        self._observer = observer
        self._by_token: dict[str, ActiveRun] = {}
        self._by_execution: dict[str, ActiveRun] = {}
        self._pending: dict[str, list[Callable[[ActiveRun], object]]] = {}
        """By execution: what was reported before the call's response named the execution."""

    def __iter__(self) -> Iterator[ActiveRun]:
        """Return the runs that have not ended."""
        return iter([run for run in self._by_token.values() if not run.recorder.ended])

    def get(self, run_id: str) -> ActiveRun | None:
        """Return the run with this id, unless it has ended."""
        return next((run for run in self if run.id == run_id), None)

    def start(self, token: str, faults: RunFaults, header: dict[str, Any]) -> ActiveRun:
        """Start to record a run.

        Args:
            token: of the platform's call.
            faults: what is simulated.
            header: fields of the `RecordingHeader`, except its id and time.
        """
        recorder = self._recordings.start(
            started_at=_real_time(), on_line=self._observer.on_line, by="dev", **header
        )
        run = self._by_token[token] = ActiveRun(recorder, token, faults)
        return run

    def find(self, token: str | None) -> ActiveRun | None:
        """Return the last run with this token."""
        return self._by_token.get(token or "")

    def accept(self, run: ActiveRun, execution: str) -> None:
        """Connect a run with its execution, and record what was reported of it before."""
        run.execution = execution
        self._by_execution[execution] = run
        for record in self._pending.pop(execution, []):
            record(run)

    def reject(self, run: ActiveRun, status: int, answer: dict[str, Any]) -> None:
        """End a run whose call the app rejected."""
        code = str(answer.get("code", ""))
        run.recorder.end(_real_time(), REJECTED, code, status=status, answer=answer)

    def add_event(self, event: Event) -> None:
        """Record an event of an execution."""

        def record(run: ActiveRun) -> None:
            run.add_event(event)
            if event.name == "settled":
                outcome, code = event.fields["outcome"], event.fields["code"]
                run.recorder.end(_real_time(), outcome, code)

        self._record(event.execution, record)

    def add_log_line(self, at: float, line: dict[str, Any]) -> None:
        """Record a line of the app's log.

        Args:
            at: seconds of the platform's clock.
            line: the line's JSON.
        """
        execution, event = str(line.get("execution", "")), str(line.get("event", ""))
        if not execution or event in RECORDED_EVENTS:
            return
        level = str(line.get("level", "info"))
        fields = {name: value for name, value in line.items() if name not in CONTEXT_FIELDS}
        self._record(execution, lambda run: run.recorder.log(at, level, event, fields))

    def _record(self, execution: str, record: Callable[[ActiveRun], object]) -> None:
        run = self._by_execution.get(execution)
        if run is not None:
            record(run)
        else:
            self._pending.setdefault(execution, []).append(record)


def _real_time() -> float:
    """Return the time of the event loop's clock: those of the app and the platform skip time."""
    return asyncio.get_running_loop().time()
