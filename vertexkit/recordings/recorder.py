"""Writes a run down as it happens."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from vertexkit.recordings.format import Head
from vertexkit.telemetry.events import Event
from vertexkit.telemetry.redaction import redact

Told = Callable[[dict[str, Any]], object]
SECRET = "token"  # noqa: S105 - a member's name


class Recorder:
    """Each line is in the file as soon as it has happened: a process that is killed leaves all.

    Args:
        path: of the file; its folder is made.
        head: what the run begins with.
        began: the moment that seconds are counted from, on the clock of all that is recorded.
        told: called with each line, the first included.
    """

    def __init__(self, path: Path, head: Head, began: float, told: Told = lambda _: None) -> None:
        self.head = head
        self.ended = False
        self._began = began
        self._told = told
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("w", encoding="utf-8")
        self._write(head.line())

    def event(self, event: Event) -> None:
        """Something happened to the execution."""
        self._line("event", event.at, name=event.name, fields=event.fields)

    def request(self, at: float, **facts: Any) -> None:
        """A request to the platform is over.

        Args:
            at: when it began.
            **facts: `seconds`, `method`, `path`, `request` (its body, of which the token is left
                out), `status`, `answer`, `retry_after`, `fault`, `processed`.
        """
        body = facts.get("request")
        if isinstance(body, dict):
            facts["request"] = {name: each for name, each in body.items() if name != SECRET}
        self._line("request", at, **facts)

    def log(self, at: float, level: str, event: str, fields: dict[str, Any]) -> None:
        """A line of the log."""
        self._line("log", at, level=level, event=event, fields=fields)

    def end(self, at: float, outcome: str, code: str, **facts: Any) -> None:
        """The run is over; nothing more is written."""
        if not self.ended:
            self._line("end", at, outcome=outcome, code=code, **facts)
            self.ended = True
            self._file.close()

    def _line(self, kind: str, at: float, **facts: Any) -> None:
        if not self.ended:
            self._write({"kind": kind, "at": round(at - self._began, 6), **facts})

    def _write(self, line: dict[str, Any]) -> None:
        text = redact(json.dumps(line, ensure_ascii=False, default=str).encode()).decode()
        self._file.write(text + "\n")
        self._file.flush()
        self._told(json.loads(text))


def readable(answer: bytes) -> Any:
    """An answer's body as a run has it: its JSON, or its text; None if there is none."""
    try:
        return json.loads(answer) if answer else None
    except ValueError:
        return answer.decode(errors="replace")
