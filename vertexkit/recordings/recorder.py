"""Writes one recording, line by line as things happen."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from vertexkit.journal.encryption import PLAIN, Cipher, seal_text
from vertexkit.recordings.format import RecordingHeader
from vertexkit.system.private_files import create_private_text, make_private_folder
from vertexkit.telemetry.events import Event
from vertexkit.telemetry.redaction import redact_json
from vertexkit.text import encodable

FIXED_FIELDS = frozenset({"kind", "at", "version"})
"""Fields of a line whose values are not chosen by authors or callers."""
TOKEN_FIELD = "token"  # noqa: S105 - a field's name


class Recorder:
    """Writes the lines of one recording.

    Each line is written and flushed at once, so that the file is complete up to the moment when
    the process is killed. Secrets are masked.

    Args:
        path: the file; its folder is created. Both are for this user only.
        header: the first line.
        started_at: the start, on the clock of all events that are recorded.
        on_line: called with each line that is written and its number, which is 0 for the header.
        cipher: encrypts the lines.

    Attributes:
        header: the first line.
        ended: whether the last line is written.

    Raises:
        OSError: the file cannot be created.
    """

    def __init__(
        self,
        path: Path,
        header: RecordingHeader,
        started_at: float,
        on_line: Callable[[int, dict[str, Any]], object] | None = None,
        cipher: Cipher = PLAIN,
    ) -> None:
        self._cipher = cipher
        self._lines = 0
        self.header = header
        self.ended: bool = False
        self._started_at = started_at
        self._on_line = on_line
        make_private_folder(path.parent)
        self._file: TextIO = create_private_text(path)
        self._write(header.line())

    def event(self, event: Event) -> None:
        """Write an event of the execution."""
        self._line("event", event.at, name=event.name, fields=event.fields)

    def request(self, at: float, **fields: Any) -> None:
        """Write a finished request to the platform.

        Args:
            at: the time at which the request started.
            **fields: `seconds`, `method`, `path`, `request` (the body; its token is left out),
                `status`, `answer`, `retry_after`, `fault`, `processed`.
        """
        body = fields.get("request")
        if isinstance(body, dict):
            fields["request"] = {name: v for name, v in body.items() if name != TOKEN_FIELD}
        self._line("request", at, **fields)

    def log(self, at: float, level: str, event: str, fields: dict[str, Any]) -> None:
        """Write a log line."""
        self._line("log", at, level=level, event=event, fields=fields)

    def end(self, at: float, outcome: str, code: str, **fields: Any) -> None:
        """Write the last line and close the file; further lines are ignored.

        Args:
            at: the time of the end.
            outcome: `completed`, `gone`, `parked` or `rejected`.
            code: `ok` or the failure's code.
            **fields: further fields of the line.
        """
        if not self.ended:
            self._line("end", at, outcome=outcome, code=code, **fields)
            self.ended = True
            self._file.close()

    def _line(self, kind: str, at: float, **fields: Any) -> None:
        if not self.ended:
            self._write({"kind": kind, "at": round(at - self._started_at, 6), **fields})

    def _write(self, line: dict[str, Any]) -> None:
        content = encodable(line)
        plain = json.dumps(content, ensure_ascii=False, default=str).encode()
        text = redact_json(plain, FIXED_FIELDS).decode()
        number, self._lines = self._lines, self._lines + 1
        place = line_place(self.header.id, number)
        self._file.write(seal_text(self._cipher, place, text) + "\n")
        self._file.flush()
        if self._on_line is not None:
            self._on_line(number, json.loads(text))


def line_place(recording: str, number: int) -> str:
    """Return the place of a line of a recording, for its encryption."""
    return f"recording {recording} {number}"


def decode_body(body: bytes) -> Any:
    """Return a response's body for a recording: its JSON, else its text; None if it is empty."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")
