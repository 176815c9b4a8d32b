"""Where recorded runs are kept."""

import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vertexkit.errors import SettingsError
from vertexkit.recordings.format import Head, RecordedRun
from vertexkit.recordings.recorder import Recorder

FOLDER = Path(".vertexkit/runs")
KEPT = 500
"""The newest so many stay."""
NAME = re.compile(r"[\w.-]{1,150}")
LAST = "last"
Told = Callable[[str, dict[str, Any]], object]


def _ignored(_: str, __: dict[str, Any]) -> None:
    """For whoever has nobody to tell."""


class Shelf:
    """A folder of recorded runs, one file for each.

    Args:
        folder: need not be there.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    def new(self, block: str) -> str:
        """An id for a run of this block that begins now."""
        for path in self._paths()[KEPT - 1 :]:
            path.unlink(missing_ok=True)
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
        return f"{stamp}-{block}-{secrets.token_hex(2)}"

    def begin(self, block: str, began: float, told: Told = _ignored, **facts: Any) -> Recorder:
        """Write down a run of this block that begins now.

        Args:
            block: its name.
            began: as `Recorder` takes it.
            told: called with the run's id and each of its lines.
            **facts: of its `Head`, but for its id and moment.

        Raises:
            OSError: the folder cannot be written to.
        """
        run = self.new(block)
        started = datetime.now(UTC).isoformat(timespec="milliseconds")
        head = Head(run, block, started=started, **facts)
        return Recorder(self.path(run), head, began, lambda line: told(run, line))

    def path(self, run: str) -> Path:
        """Of the file of this id.

        Raises:
            SettingsError: it is no id.
        """
        if not NAME.fullmatch(run) or run.startswith("."):
            raise SettingsError(f"{run!r} is no id of a run")
        return self.folder / f"{run}.jsonl"

    def find(self, run: str) -> RecordedRun:
        """A run by its id, the beginning of that, its file, or the word `last`.

        Raises:
            SettingsError: there is none, or several begin so.
        """
        path = Path(run)
        if path.suffix != ".jsonl" or not path.is_file():
            path = self._named(run)
        with path.open(encoding="utf-8", errors="replace") as lines:
            return RecordedRun.parse(lines)

    def delete(self, run: str) -> None:
        """Take a run away; harmless if it is not there."""
        self.path(run).unlink(missing_ok=True)

    def __iter__(self) -> Iterator[RecordedRun]:
        """All runs, the newest first; what is no run is passed over."""
        for path in self._paths():
            try:
                with path.open(encoding="utf-8", errors="replace") as lines:
                    yield RecordedRun.parse(lines)
            except (SettingsError, OSError):
                continue

    def _named(self, run: str) -> Path:
        paths = self._paths()
        if run == LAST and paths:
            return paths[0]
        found = [path for path in paths if path.stem == run] or [
            path for path in paths if path.stem.startswith(run)
        ]
        if len(found) != 1:
            raise SettingsError(
                f"{len(found) or 'no'} runs in {self.folder} begin with {run!r}; `last` is the "
                "newest, and a run's whole id or file is one"
            )
        return found[0]

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.jsonl"), reverse=True)
