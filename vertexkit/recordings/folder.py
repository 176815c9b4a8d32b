"""The folder that recordings are kept in."""

import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vertexkit.errors import SettingsError
from vertexkit.recordings.format import Recording, RecordingHeader
from vertexkit.recordings.recorder import Recorder

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

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path = DEFAULT_FOLDER) -> None:
        self.path = path

    def start(
        self,
        block: str,
        started_at: float,
        on_line: Callable[[str, dict[str, Any]], object] | None = None,
        **fields: Any,
    ) -> Recorder:
        """Start a recording of a call of this block.

        Args:
            block: the block's name.
            started_at: the start, on the clock of all events that are recorded.
            on_line: called with the recording's id and each line that is written.
            **fields: fields of the `RecordingHeader`, except `id` and `started`.

        Returns:
            What writes the recording.

        Raises:
            OSError: the file cannot be created.
        """
        run_id = self.new_id(block)
        started = datetime.now(UTC).isoformat(timespec="milliseconds")
        header = RecordingHeader(run_id, block, started=started, **fields)
        if on_line is None:
            return Recorder(self.file(run_id), header, started_at)
        return Recorder(self.file(run_id), header, started_at, lambda line: on_line(run_id, line))

    def new_id(self, block: str) -> str:
        """Return an id for a recording that starts now, and delete the oldest recordings."""
        for file in self._files()[MAX_RECORDINGS - 1 :]:
            file.unlink(missing_ok=True)
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
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
        return _read(file)

    def delete(self, run_id: str) -> None:
        """Delete a recording; no effect if it does not exist.

        Raises:
            SettingsError: the id is invalid.
        """
        self.file(run_id).unlink(missing_ok=True)

    def __iter__(self) -> Iterator[Recording]:
        """Read all recordings, newest first; files that are not recordings are skipped."""
        for file in self._files():
            try:
                yield _read(file)
            except (SettingsError, OSError):
                continue

    def _matching_file(self, selector: str) -> Path:
        files = self._files()
        if selector == LATEST and files:
            return files[0]
        matches = [file for file in files if file.stem == selector] or [
            file for file in files if file.stem.startswith(selector)
        ]
        if len(matches) != 1:
            raise SettingsError(
                f"{len(matches) or 'no'} recordings in {self.path} match {selector!r}. Use `last` "
                "for the newest recording, a whole id, or the path of a file"
            )
        return matches[0]

    def _files(self) -> list[Path]:
        return sorted(self.path.glob("*.jsonl"), reverse=True)


def _read(file: Path) -> Recording:
    with file.open(encoding="utf-8", errors="replace") as lines:
        return Recording.parse(lines)
