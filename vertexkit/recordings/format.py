"""The format of a recording and its reader; docs/runs.md describes the format."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from vertexkit.errors import SettingsError

FORMAT_VERSION = 1
"""Readers ignore unknown kinds and fields; an incompatible change increases the version."""
REJECTED = "rejected"
"""The outcome of a call that the block's service did not accept."""
SHORT_WAIT_SECONDS = 1.0
"""A wait for a time that is not longer stays in the handler."""
MEMORY_READ = "memory_read"
MEMORY_EVENTS = frozenset({MEMORY_READ, "memory_changed"})
"""Names of the events of reads and changes of the dialog's memory."""
OpenLine: TypeAlias = Callable[[int, str], str]
SUCCESS_STATUSES = {"send_message": 200, "complete": 204}


@dataclass(frozen=True, slots=True)
class RecordingHeader:
    """The first line of a recording."""

    id: str
    """Ids sort by time: `20261123-221530-loan-3f2a`."""
    block: str
    """The block's name."""
    target: str = ""
    """The app, `module:app`; empty if unknown."""
    inputs: dict[str, Any] = field(default_factory=dict)
    """The inputs of the call."""
    started: str = ""
    """The time of the start: ISO 8601, UTC."""
    by: str = ""
    """The command that recorded it: `dev`, `trigger` or `run`."""
    dialog_id: int | None = None
    """The dialog's id, from the claims of the token."""
    seed: int = 0
    """The seed of the fake platform."""
    fault: str = ""
    """The name of the simulated failure; empty if there was none, or if it has no name."""
    execution: str = ""
    """The execution's id; empty if it was recorded by `dev` or `trigger`."""
    faults: list[dict[str, Any]] = field(default_factory=list)
    """The rules of the simulated failures, as the playground's page has them."""

    def line(self) -> dict[str, Any]:
        """Return the line as it is written to the file."""
        return {"kind": "run", "version": FORMAT_VERSION, **asdict(self)}


@dataclass(frozen=True, slots=True)
class RecordedWait:
    """What the handler waited for."""

    event: str
    """Name of the event; empty if it waited for a time."""
    seconds: float
    """How long it would have waited at most."""
    data: Any
    """Data of the event that ended the wait."""
    by_event: bool
    """An event ended the wait, and not the time."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The record of one block call, read from a file.

    Each line is an object with `kind` and with `at`, the seconds since the start.
    """

    header: RecordingHeader
    lines: tuple[dict[str, Any], ...] = ()
    """All lines after the header."""

    @classmethod
    def parse(cls, lines: Iterable[str], open_line: OpenLine = lambda _, line: line) -> "Recording":
        """Read a recording. An incomplete one is read up to its last complete line.

        Args:
            lines: the lines of the file.
            open_line: decrypts a line, from its number and its text.

        Raises:
            SettingsError: the file is not a recording, or has another format version.
        """
        objects: list[dict[str, Any]] = []
        for number, line in enumerate(lines):
            try:
                content = json.loads(open_line(number, line.rstrip("\n")))
            except ValueError:
                break  # the process was killed while it wrote this line
            if isinstance(content, dict):
                objects.append(content)
        if not objects or objects[0].get("kind") != "run":
            raise SettingsError("the file is not a recording: its first line must have kind `run`")
        if objects[0].get("version") != FORMAT_VERSION:
            raise SettingsError(
                f"the recording has format version {objects[0].get('version')}, but this version "
                f"of vertexkit reads version {FORMAT_VERSION}. Use the vertexkit that recorded it"
            )
        known = RecordingHeader.__dataclass_fields__
        fields = {name: value for name, value in objects[0].items() if name in known}
        return cls(RecordingHeader(**fields), tuple(objects[1:]))

    def lines_of(self, kind: str) -> list[dict[str, Any]]:
        """Return the lines of one kind: `event`, `request`, `log` or `end`."""
        return [line for line in self.lines if line.get("kind") == kind]

    def memory(self) -> dict[str, Any]:
        """Return what the memory of the dialog held when the handler first looked, by name."""
        used: set[str] = set()
        values: dict[str, Any] = {}
        for line in self.lines_of("event"):
            fields = line.get("fields", {})
            name = str(fields.get("name", ""))
            found = "value" if line.get("name") == MEMORY_READ else "before"
            if line.get("name") in MEMORY_EVENTS and name not in used and found in fields:
                values[name] = fields[found]
            if line.get("name") in MEMORY_EVENTS:
                used.add(name)
        return values

    @property
    def end(self) -> dict[str, Any] | None:
        """The last line; None if the run has not ended or the recording is incomplete."""
        return next(iter(self.lines_of("end")), None)

    @property
    def messages(self) -> list[str]:
        """The texts of the messages that the platform accepted, in order."""
        return [
            str(line["request"]["text"])
            for line in self.lines_of("request")
            if line.get("method") == "send_message"
            and line.get("processed")
            and "text" in line["request"]
        ]

    @property
    def data(self) -> Any:
        """The result that the platform accepted; None if there was none."""
        results = [
            line["request"].get("data")
            for line in self.lines_of("request")
            if line.get("method") == "complete" and line.get("processed")
        ]
        return results[-1] if results else None

    @property
    def outcome(self) -> str:
        """`completed`, `gone`, `parked` or `rejected`; empty if the run has not ended."""
        return "" if self.end is None else str(self.end.get("outcome", ""))

    @property
    def code(self) -> str:
        """`ok` or the failure's code; empty if the run has not ended."""
        return "" if self.end is None else str(self.end.get("code", ""))

    def waits(self) -> list[RecordedWait]:
        """Return the waits of the handler that have ended, in the order of their ends."""
        started: dict[int, float] = {}
        waits = []
        for line in self.lines_of("event"):
            fields = line.get("fields", {})
            position, seconds = fields.get("position", 0), float(fields.get("seconds", 0.0))
            if line.get("name") == "waiting":
                started.setdefault(position, seconds)
            elif line.get("name") == "waited":
                has_event = "data" in fields
                wait = RecordedWait(
                    str(fields.get("event", "")),
                    started.get(position, 0.0),
                    fields.get("data"),
                    has_event,
                )
                if has_event or wait.seconds > SHORT_WAIT_SECONDS:
                    waits.append(wait)
        return waits

    def faults(self) -> list[dict[str, Any]]:
        """Return the platform's failures, as keyword arguments of `FakePlatform.fail`."""
        faults: list[dict[str, Any]] = []
        successes: dict[str, int] = {}
        for line in self.lines_of("request"):
            method, status = line.get("method", ""), line.get("status")
            if method not in SUCCESS_STATUSES:
                continue
            if status == SUCCESS_STATUSES[method] and not line.get("fault"):
                successes[method] = successes.get(method, 0) + 1
                continue
            fault = {"method": method, "after": successes.pop(method, 0), **_fault(line)}
            faults.append({name: value for name, value in fault.items() if value != 0})
        return _merge_repetitions(faults)


def _fault(line: dict[str, Any]) -> dict[str, Any]:
    """Return what went wrong with a request."""
    status = line.get("status")
    succeeded = status == SUCCESS_STATUSES[line["method"]]
    if succeeded and str(line.get("fault", "")).startswith("slow"):
        return {"kind": "slow", "seconds": line.get("seconds", 1)}
    if succeeded or status is None:
        return {"kind": "lost" if line.get("processed") else "cut"}
    if line.get("retry_after") is None:
        return {"status": status}
    return {"status": status, "retry_after": line["retry_after"]}


def _merge_repetitions(faults: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge equal faults in a row into one with `times`."""
    merged: list[dict[str, Any]] = []
    for fault in faults:
        previous = merged[-1] if merged else {}
        same = {name: value for name, value in previous.items() if name not in {"times", "after"}}
        if same == fault:
            previous["times"] = previous.get("times", 1) + 1
        else:
            merged.append(dict(fault))
    return merged
