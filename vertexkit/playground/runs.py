"""The runs that are in progress, and their recording."""

from collections.abc import Callable
from typing import Any, Protocol

from vertexkit.clock import Clock
from vertexkit.playground.faults import FaultPreset
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
}
"""Events of log lines that are not recorded, because the run has the events themselves."""


class RunObserver(Protocol):
    """Is notified of what is recorded."""

    def on_line(self, run: str, line: dict[str, Any]) -> None:
        """Take notice of a new line of a run.

        Args:
            run: the run's id.
            line: as it was recorded.
        """


class ActiveRun:
    """A run in progress: all that happens to its execution, in any process of the app.

    Args:
        recorder: records it.
        preset: the fault to simulate.
    """

    def __init__(self, recorder: Recorder, preset: FaultPreset) -> None:
        self.recorder = recorder
        self.execution = ""
        """The execution's id; empty until the call is accepted."""
        self.crashed = False
        """The app's process was killed during this run."""
        self._crash_after = preset.crash_after
        self._messages = 0

    @property
    def id(self) -> str:
        """The run's id."""
        return self.recorder.header.id

    @property
    def crash_is_due(self) -> bool:
        """The app's process is to be killed now."""
        return 0 < self._crash_after <= self._messages and not self.crashed

    def add_request(self, entry: Entry) -> None:
        """Record a finished request to the platform."""
        self.recorder.request(entry.at, **request_fields(entry))
        if entry.method == "send_message" and entry.processed:
            self._messages += 1


class ActiveRuns:
    """Assigns requests, events and log lines to the runs in progress.

    Args:
        recordings: the folder of recordings.
        clock: of the platform.
        observer: notified of each recorded line.
    """

    def __init__(self, recordings: RecordingsFolder, clock: Clock, observer: RunObserver) -> None:
        self._recordings = recordings
        self._clock = clock
        self._observer = observer
        self._by_token: dict[str, ActiveRun] = {}
        self._by_execution: dict[str, ActiveRun] = {}
        self._pending: dict[str, list[Callable[[ActiveRun], object]]] = {}
        """By execution: what was reported before the call's response named the execution."""

    def start(self, token: str, preset: FaultPreset, header: dict[str, Any]) -> ActiveRun:
        """Start to record a run.

        Args:
            token: of the platform's call.
            preset: the fault to simulate.
            header: fields of the `RecordingHeader`, except its id and time.
        """
        recorder = self._recordings.start(
            started_at=self._clock.now(), on_line=self._observer.on_line, by="dev", **header
        )
        run = self._by_token[token] = ActiveRun(recorder, preset)
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
        run.recorder.end(self._clock.now(), REJECTED, code, status=status, answer=answer)

    def add_event(self, event: Event) -> None:
        """Record an event of an execution."""

        def record(run: ActiveRun) -> None:
            run.recorder.event(event)
            if event.name == "settled":
                outcome, code = event.fields["outcome"], event.fields["code"]
                run.recorder.end(self._clock.now(), outcome, code)

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
