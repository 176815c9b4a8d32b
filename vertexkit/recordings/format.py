"""One recorded run; docs/runs.md describes the format."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from vertexkit.errors import SettingsError

VERSION = 1
"""Of the format. Readers ignore what they do not know; a change that they could not bear is 2."""
REFUSED = "refused"
"""The outcome of a call that the block did not take."""
DONE = {"send_message": 200, "complete": 204}


@dataclass(frozen=True, slots=True)
class Head:
    """What a run begins with: its file's first line."""

    id: str
    """Sorts by time: `20261123-221530-loan-3f2a`."""
    block: str
    target: str = ""
    """Where the app is: `module:app`; empty if nobody knows."""
    inputs: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    """ISO 8601, UTC."""
    by: str = ""
    """`dev`, `trigger` or `run`."""
    dialog_id: int | None = None
    seed: int = 0
    """Of what the fake platform made up."""
    fault: str = ""
    """What went wrong on purpose."""

    def line(self) -> dict[str, Any]:
        """As it is written."""
        return {"kind": "run", "version": VERSION, **asdict(self)}


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run, read back. Its lines are dicts with `kind` and, but for the first, `at` (seconds)."""

    head: Head
    lines: tuple[dict[str, Any], ...] = ()

    @classmethod
    def parse(cls, lines: Iterable[str]) -> "RecordedRun":
        """Read a run; one that was cut off in its middle is read as far as it goes.

        Raises:
            SettingsError: it is no recorded run, or of a later version.
        """
        read: list[dict[str, Any]] = []
        for line in lines:
            try:
                found = json.loads(line)
            except ValueError:
                break  # whoever wrote it was killed while it did
            if isinstance(found, dict):
                read.append(found)
        if not read or read[0].get("kind") != "run":
            raise SettingsError("this is no recorded run: its first line has no kind `run`")
        if read[0].get("version") != VERSION:
            raise SettingsError(
                f"this run is recorded in version {read[0].get('version')} of the format, and "
                f"this vertexkit reads version {VERSION}: use the vertexkit that recorded it"
            )
        known = Head.__dataclass_fields__
        head = Head(**{name: value for name, value in read[0].items() if name in known})
        return cls(head, tuple(read[1:]))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Its lines of a kind: `event`, `request`, `log` or `end`."""
        return [line for line in self.lines if line.get("kind") == kind]

    @property
    def end(self) -> dict[str, Any] | None:
        """Its last line; None while it runs, or if it was cut off."""
        return next(iter(self.of("end")), None)

    @property
    def messages(self) -> list[str]:
        """What the dialog saw."""
        return [
            str(line["request"]["text"])
            for line in self.of("request")
            if line.get("method") == "send_message" and line.get("processed")
        ]

    @property
    def data(self) -> Any:
        """What the block was completed with."""
        done = [
            line["request"].get("data")
            for line in self.of("request")
            if line.get("method") == "complete" and line.get("processed")
        ]
        return done[-1] if done else None

    @property
    def outcome(self) -> str:
        """`completed`, `gone`, `parked`, `refused`; empty while it runs."""
        return "" if self.end is None else str(self.end.get("outcome", ""))

    @property
    def code(self) -> str:
        """`ok`, or the code of the failure."""
        return "" if self.end is None else str(self.end.get("code", ""))

    def faults(self) -> list[dict[str, Any]]:
        """What the platform did not do at once, as `FakePlatform.fail` is told to do it again."""
        found: list[dict[str, Any]] = []
        passed: dict[str, int] = {}
        for line in self.of("request"):
            method, status = line.get("method", ""), line.get("status")
            if method not in DONE:
                continue
            if status == DONE[method] and not line.get("fault"):
                passed[method] = passed.get(method, 0) + 1
                continue
            fault: dict[str, Any] = {"method": method, "after": passed.pop(method, 0)}
            if status is None or status == DONE[method]:
                fault["kind"] = "lost" if line.get("processed") else "cut"
            else:
                fault["status"] = status
                if line.get("retry_after") is not None:
                    fault["retry_after"] = line["retry_after"]
            if status == DONE[method] and str(line.get("fault", "")).startswith("slow"):
                fault |= {"kind": "slow", "seconds": line.get("seconds", 1)}
            found.append({name: value for name, value in fault.items() if value != 0})
        return _together(found)


def _together(faults: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Equal ones in a row as one that happens several times."""
    merged: list[dict[str, Any]] = []
    for fault in faults:
        last = merged[-1] if merged else {}
        same = {k: v for k, v in last.items() if k not in {"times", "after"}}
        if same == fault:
            last["times"] = last.get("times", 1) + 1
        else:
            merged.append(dict(fault))
    return merged
