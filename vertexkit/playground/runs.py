"""A run under way, and all of those that are."""

from collections.abc import Callable
from typing import Any

from vertexkit.clock import Clock
from vertexkit.playground.faults import Switch
from vertexkit.recordings import REJECTED, Recorder, RecordingsFolder
from vertexkit.telemetry.events import Event
from vertexkit.testing.platform.ledger import Entry
from vertexkit.testing.recorded import request_fields


class LiveRun:
    """One run: what happens to its execution, whichever process has it in hand.

    Args:
        recorder: writes it down.
        switch: what goes wrong on purpose.
    """

    def __init__(self, recorder: Recorder, switch: Switch) -> None:
        self.recorder = recorder
        self.switch = switch
        self.execution = ""
        self.sent = 0
        self.crashed = False

    def request(self, entry: Entry) -> None:
        """A request to the platform is over."""
        self.recorder.request(entry.at, **request_fields(entry))
        if entry.method == "send_message" and entry.processed:
            self.sent += 1

    @property
    def crashes_now(self) -> bool:
        """The process is to be killed at this moment."""
        after = self.switch.crash_after
        return bool(after) and self.sent >= after and not self.crashed


class LiveRuns:
    """Finds the run that something belongs to.

    Args:
        recordings: the folder that recordings are written to.
        clock: the platform's clock.
        on_line: called with a recording's id and each of its lines.
    """

    def __init__(
        self,
        recordings: RecordingsFolder,
        clock: Clock,
        on_line: Callable[[str, dict[str, Any]], object],
    ) -> None:
        self._recordings, self._clock, self._on_line = recordings, clock, on_line
        self._tokens: dict[str, LiveRun] = {}
        self._executions: dict[str, LiveRun] = {}
        self._early: dict[str, list[Callable[[LiveRun], object]]] = {}

    def begin(self, token: str, switch: Switch, header: dict[str, Any]) -> LiveRun:
        """A run with this token begins.

        Args:
            token: of the platform's call.
            switch: what goes wrong on purpose.
            header: fields of the `RecordingHeader`, except `id` and `started`.
        """
        recorder = self._recordings.start(
            started_at=self._clock.now(), on_line=self._on_line, by="dev", **header
        )
        live = self._tokens[token] = LiveRun(recorder, switch)
        return live

    def of_token(self, token: str | None) -> LiveRun | None:
        """The last run with this token."""
        return self._tokens.get(token or "")

    def accepted(self, live: LiveRun, execution: str) -> None:
        """The call became this execution; what was told of it before is caught up with."""
        live.execution = execution
        self._executions[execution] = live
        for tell in self._early.pop(execution, []):
            tell(live)

    def rejected(self, live: LiveRun, status: int, answer: dict[str, Any]) -> None:
        """The service did not accept the call."""
        code = str(answer.get("code", ""))
        live.recorder.end(self._clock.now(), REJECTED, code, status=status, answer=answer)

    def event(self, event: Event) -> None:
        """Something happened to an execution."""

        def tell(live: LiveRun) -> None:
            live.recorder.event(event)
            if event.name == "settled":
                outcome, code = event.fields["outcome"], event.fields["code"]
                live.recorder.end(self._clock.now(), outcome, code)

        self._tell(event.execution, tell)

    def log(self, at: float, line: dict[str, Any]) -> None:
        """A line of the log, as JSON."""
        rest = {name: value for name, value in line.items() if name not in NAMED}
        execution = str(line.get("execution", ""))
        if execution and line.get("event") not in TOLD:
            level, said = str(line.get("level", "info")), str(line.get("event", ""))
            self._tell(execution, lambda live: live.recorder.log(at, level, said, rest))

    def _tell(self, execution: str, tell: Callable[[LiveRun], object]) -> None:
        live = self._executions.get(execution)
        if live is not None:
            tell(live)
        else:
            self._early.setdefault(execution, []).append(tell)


NAMED = {"event", "level", "time"} | {
    *("execution", "block", "instance", "dialog", "vertex", "session", "attempt")
}
"""Members of a line that its run, or the line itself, has said already."""
TOLD = {
    *(
        "accepted",
        "claimed",
        "sent",
        "step_completed",
        "result_recorded",
        "completed",
        "settled",
        "deduplicated",
    ),
    *(
        "retried",
        "send_retried",
        "completion_retried",
        "send_outcome_unknown",
        "parked",
        "crashed",
        "released",
    ),
}
"""Lines that are events too."""
