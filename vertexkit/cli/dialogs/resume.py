"""The dialogs that an unfinished export has received, kept on disk so that it can be resumed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.cli.dialogs.source import is_failed
from vertexkit.errors import SettingsError
from vertexkit.system.file_lock import try_lock
from vertexkit.system.private_files import append_private_binary


class _Kept(NamedTuple):
    """The newest version of a dialog in the file."""

    version: int
    """A digest of what changes when the dialog continues."""
    offset: int
    """Where its line starts."""
    has_failed: bool
    """Its data could not be read."""


class PartFile:
    """A file of JSON lines: what is exported, then each dialog with all members.

    A dialog may be in it several times: the last version counts. If the last line is incomplete, it
    is discarded and that dialog is requested again.

    Args:
        path: The file. Another process that uses it is an error.
        export: What is exported: platform, login, filters, kind of rows. A file of another export
            is not resumed.
        restart: Start over and discard the file's content.

    Raises:
        SettingsError: The file is in use, belongs to another export, or is not an unfinished
            export.
    """

    def __init__(self, path: Path, export: dict[str, Any], restart: bool) -> None:
        self.unread: int = 0
        """Number of dialogs that were deleted before their answers were requested."""
        self._path = path
        self._with_answers = export["rows"] != "dialogs"
        self._kept: dict[str, _Kept] = {}
        self._lines = 0
        self._file = append_private_binary(path)
        try:
            self._lock()
            self._open(export, restart)
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        if not try_lock(self._file):
            raise SettingsError(
                f"another process is exporting to {self._path.with_suffix('')}. Wait until it "
                "ends, or export to another file"
            )

    def _open(self, export: dict[str, Any], restart: bool) -> None:
        self._file.seek(0)
        head = b"" if restart else self._file.readline()
        if not head.endswith(b"\n"):
            self._file.seek(0)
            self._file.truncate()
            self._write({"export": export})
            return
        try:
            if json.loads(head) != {"export": export}:
                raise SettingsError(
                    f"{self._path} belongs to an export with other options, or from another "
                    "platform. Finish that export, or use --restart to start over"
                )
            self._resume()
        except (ValueError, LookupError, TypeError):
            raise SettingsError(
                f"{self._path} is not an unfinished export. Use --restart to overwrite it"
            ) from None

    def _resume(self) -> None:
        end = self._file.tell()
        for line in iter(self._file.readline, b""):
            if not line.endswith(b"\n"):
                break
            entry = json.loads(line)
            self._keep(Conversation.read(entry["dialog"]), end, "error" in entry)
            self.unread += "unread" in entry
            end = self._file.tell()
        self._file.seek(end)
        self._file.truncate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        """The number of dialogs in the file, without those whose data could not be read."""
        return len(self._kept) - self.failed

    @property
    def failed(self) -> int:
        """The number of dialogs whose data could not be read."""
        return sum(kept.has_failed for kept in self._kept.values())

    def has(self, dialog: Conversation) -> bool:
        """Whether the file has this version of a listed dialog, or has failed to read its data."""
        kept = self._kept.get(str(dialog.id))
        return kept is not None and (kept.has_failed or kept.version == _version(dialog))

    def add(self, dialog: Conversation, bot_id: int | None) -> None:
        """Add a dialog, or a newer version of one.

        Args:
            dialog: The dialog.
            bot_id: Its bot, if known.
        """
        line: dict[str, Any] = {"dialog": dialog.to_json()}
        if bot_id is not None:
            line["bot"] = bot_id
        has_failed = is_failed(dialog)
        if isinstance(dialog, ConversationDetails) and dialog.error is not None:
            line["error" if has_failed else "unread"] = str(dialog.error)
            self.unread += not has_failed
        offset = self._file.tell()
        self._write(line)
        self._keep(dialog, offset, has_failed)

    def __iter__(self) -> Iterator[tuple[Conversation, int | None]]:
        """The dialogs in the file, each with its bot."""
        for entry, dialog in self._entries():
            yield dialog, entry.get("bot")

    def failures(self) -> Iterator[tuple[Conversation, int | None, str]]:
        """The dialogs whose data could not be read, each with its bot and the error."""
        for entry, dialog in self._entries():
            if "error" in entry:
                yield dialog, entry.get("bot"), entry["error"]

    def _entries(self) -> Iterator[tuple[dict[str, Any], Conversation]]:
        self._file.flush()
        kind = ConversationDetails if self._with_answers else Conversation
        with self._path.open("rb") as file:
            offset = len(next(file))
            for line in file:
                entry = json.loads(line)
                dialog = kind.read(entry["dialog"])
                if self._kept[str(dialog.id)].offset == offset:
                    yield entry, dialog
                offset += len(line)

    def _keep(self, dialog: Conversation, offset: int, has_failed: bool) -> None:
        self._kept[str(dialog.id)] = _Kept(_version(dialog), offset, has_failed)

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def _version(dialog: Conversation) -> int:
    updated = None if dialog.updated is None else dialog.updated.timestamp()
    return hash((dialog.status, updated, dialog.duration))
