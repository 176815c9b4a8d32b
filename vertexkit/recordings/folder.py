"""The folder that recordings are kept in."""

import binascii
import json
import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from vertexkit.errors import JournalError, SettingsError
from vertexkit.journal.encryption import PLAIN, TEXT_MARK, Cipher, open_text, seal_text
from vertexkit.recordings.format import Recording, RecordingHeader
from vertexkit.recordings.recorder import Recorder, line_place
from vertexkit.system.private_files import create_private_text

DEFAULT_FOLDER = Path(".vertexkit/runs")
MAX_RECORDINGS = 500
"""Recordings that are kept; the oldest ones are deleted."""
ID_PATTERN = re.compile(r"[\w.-]{1,150}")
LATEST = "last"
"""What a user writes instead of an id for the newest recording."""


class RecordingsFolder:
    """A folder of recordings, one file for each.

    Args:
        path: the folder; it is created when the first recording is written.
        cipher: encrypts new recordings, and opens those that are encrypted.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path = DEFAULT_FOLDER, cipher: Cipher = PLAIN) -> None:
        self.path = path
        self._cipher = cipher
        self._newest = datetime.min.replace(tzinfo=UTC)
        """The time in the id that was made last."""

    def start(
        self,
        block: str,
        started_at: float,
        on_line: Callable[[str, int, dict[str, Any]], object] | None = None,
        **fields: Any,
    ) -> Recorder:
        """Start a recording of a call of this block.

        Args:
            block: the block's name.
            started_at: the start, on the clock of all events that are recorded.
            on_line: called with the recording's id, and the number of each line that is written and
                the line; the header has the number 0.
            **fields: fields of the `RecordingHeader`, except `id` and `started`.

        Returns:
            What writes the recording.

        Raises:
            OSError: the file cannot be created.
        """
        run_id = self.new_id(block)
        started = datetime.now(UTC).isoformat(timespec="milliseconds")
        header = RecordingHeader(run_id, block, started=started, **fields)
        report = None if on_line is None else partial(on_line, run_id)
        return Recorder(self.file(run_id), header, started_at, report, self._cipher)

    def new_id(self, block: str) -> str:
        """Return an id for a recording that starts now, and delete the oldest recordings.

        Ids sort as they were made. Of two in one millisecond, or after the clock went back, the
        later one has the time of the one before and a millisecond.
        """
        for file in self.files()[MAX_RECORDINGS - 1 :]:
            file.unlink(missing_ok=True)
        self._newest = max(datetime.now(UTC), self._newest + timedelta(milliseconds=1))
        stamp = self._newest.strftime("%Y%m%d-%H%M%S-%f")[:-3]
        return f"{stamp}-{block}-{secrets.token_hex(2)}"

    def file(self, run_id: str) -> Path:
        """Return the path of the recording with this id.

        Raises:
            SettingsError: the id is invalid.
        """
        if not ID_PATTERN.fullmatch(run_id) or run_id.startswith("."):
            raise SettingsError(f"{run_id!r} is not a valid id of a recording")
        return self.path / f"{run_id}.jsonl"

    def find(self, selector: str) -> Recording:
        """Read a recording.

        Args:
            selector: an id or its beginning, the path of a file, or `last`.

        Raises:
            SettingsError: no recording matches, several match, or the file is not a recording.
        """
        file = Path(selector)
        if file.suffix != ".jsonl" or not file.is_file():
            file = self._matching_file(selector)
        return self._read(file)

    def find_execution(self, execution: str) -> Recording | None:
        """Read the recording of an execution of a service; None if there is none.

        Args:
            execution: its id.
        """
        return next((found for found in self if found.header.execution == execution), None)

    def delete(self, run_id: str) -> None:
        """Delete a recording; no effect if it does not exist.

        Raises:
            SettingsError: the id is invalid.
        """
        self.file(run_id).unlink(missing_ok=True)

    def __iter__(self) -> Iterator[Recording]:
        """Read all recordings, newest first; files that are not recordings are skipped."""
        for file in self.files():
            try:
                yield self._read(file)
            except (SettingsError, OSError):
                continue

    def rekey(self) -> int:
        """Encrypt all recordings that have ended again; return their number."""
        number = 0
        for file in self.files():
            recording = self._read(file)
            if recording.end is not None:
                lines = [recording.header.line(), *recording.lines]
                self._rewrite(file, recording.header.id, lines)
                number += 1
        return number

    def _rewrite(self, file: Path, run_id: str, lines: list[dict[str, Any]]) -> None:
        part = file.with_suffix(".part")
        with create_private_text(part) as new:
            for number, line in enumerate(lines):
                text = json.dumps(line, ensure_ascii=False)
                new.write(seal_text(self._cipher, line_place(run_id, number), text) + "\n")
        part.replace(file)

    def _read(self, file: Path) -> Recording:
        def open_line(number: int, line: str) -> str:
            if not line.startswith(TEXT_MARK):
                return line
            try:
                return open_text(self._cipher, line_place(file.stem, number), line)
            except (JournalError, binascii.Error) as error:
                if number:  # the process was killed while it wrote this line
                    raise ValueError(str(error)) from error
                raise SettingsError(f"the recording {file} cannot be read: {error}") from error

        with file.open(encoding="utf-8", errors="replace") as lines:
            return Recording.parse(lines, open_line)

    def _matching_file(self, selector: str) -> Path:
        files = self.files()
        if selector == LATEST and files:
            return files[0]
        matches = [file for file in files if file.stem == selector] or [
            file for file in files if file.stem.startswith(selector)
        ]
        if not matches:
            raise SettingsError(
                f"no recording in {self.path} matches {selector!r}. Use `last` for the newest "
                "recording, an id or its start, or the path of a file"
            )
        if len(matches) > 1:
            raise SettingsError(
                f"{len(matches)} recordings in {self.path} match {selector!r}. Use `last` "
                "for the newest recording, a whole id, or the path of a file"
            )
        return matches[0]

    def files(self) -> list[Path]:
        """Return the files of the recordings, newest first."""
        return sorted(self.path.glob("*.jsonl"), reverse=True)
