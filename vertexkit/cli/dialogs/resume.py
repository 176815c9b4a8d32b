"""The dialogs that an unfinished export has received, kept on disk so that it can be resumed."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel, ValidationError

from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.cli.dialogs.source import is_failed
from vertexkit.errors import SettingsError
from vertexkit.system.file_lock import try_lock
from vertexkit.system.private_files import append_private_binary

LIST_LINE = b'{"list":'
"""The start of a line about a list."""


class _Line(BaseModel):
    """A line of the file: a dialog, its bot, and why its data is missing."""

    KIND: ClassVar[type[Conversation]] = Conversation
    dialog: Conversation
    bot: int | None = None
    error: str | None = None
    """Its data could not be read."""
    unread: str | None = None
    """It was deleted before its data was requested."""

    @classmethod
    def read(cls, line: bytes) -> "_Line":
        """Read a line; a member of the dialog that cannot be read hides nothing."""
        try:
            return cls.model_validate_json(line)
        except ValidationError:
            entry = json.loads(line)
            return cls.model_construct(**entry | {"dialog": cls.KIND.read(entry["dialog"])})


class _DetailedLine(_Line):
    KIND: ClassVar[type[Conversation]] = ConversationDetails
    dialog: ConversationDetails


class ListRecord(BaseModel):
    """A list of the platform that an export reads from its start."""

    bot: int | None
    total: int
    """The number of dialogs in it at that time."""
    since: float
    """When the first run of the export began to read it, in Unix seconds."""


class _ListLine(BaseModel):
    """A line of the file: a list."""

    list: ListRecord


class _Kept(NamedTuple):
    """The newest version of a dialog in the file."""

    version: int
    """A digest of what changes when the dialog continues."""
    offset: int
    """Where its line starts."""
    has_failed: bool
    """Its data could not be read."""
    bot: int | None
    """Its bot, if known."""


class PartFile:
    """A file of JSON lines: what is exported, then each dialog with all members, and each list.

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
        self._kept: dict[int | UUID, _Kept] = {}
        self._lists: dict[int | None, ListRecord] = {}
        self._end = 0
        """Bytes of the complete lines."""
        self._line: type[_Line] = _DetailedLine if self._with_answers else _Line
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
            self._end = 0
            self._write(json.dumps({"export": export}, ensure_ascii=False))
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
            if line.startswith(LIST_LINE):
                record = _ListLine.model_validate_json(line).list
                self._lists[record.bot] = record
            else:
                entry = self._line.read(line)
                self._keep(entry.dialog, end, entry.error is not None, entry.bot)
                self.unread += entry.unread is not None
            end += len(line)
        self._file.seek(end)
        self._file.truncate()
        self._end = end

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
        kept = self._kept.get(dialog.id)
        return kept is not None and (kept.has_failed or kept.version == _version(dialog))

    def add(self, dialog: Conversation, bot_id: int | None) -> None:
        """Add a dialog, or a newer version of one.

        Args:
            dialog: The dialog.
            bot_id: Its bot, if known.
        """
        has_failed = is_failed(dialog)
        more: dict[str, Any] = {} if bot_id is None else {"bot": bot_id}
        if isinstance(dialog, ConversationDetails) and dialog.error is not None:
            more["error" if has_failed else "unread"] = str(dialog.error)
            self.unread += not has_failed
        end = f", {json.dumps(more)[1:-1]}" if more else ""
        self._keep(dialog, self._end, has_failed, bot_id)
        self._write(f'{{"dialog": {dialog.to_json_text()}{end}}}')

    def begin_list(self, bot_id: int | None, total: int) -> None:
        """Record that a list is being read from its start.

        Args:
            bot_id: Its bot; None for the list of all bots.
            total: The number of dialogs in it.
        """
        before = self._lists.get(bot_id)
        since = time.time() if before is None else before.since
        record = ListRecord(bot=bot_id, total=total, since=since)
        self._lists[bot_id] = record
        self._write(_ListLine(list=record).model_dump_json())

    def list_record(self, bot_id: int | None) -> ListRecord | None:
        """What was recorded last of a list; None if no run has read it."""
        return self._lists.get(bot_id)

    def ids_of(self, bot_id: int | None) -> list[int | UUID]:
        """The dialogs that were read from a list."""
        return [dialog_id for dialog_id, kept in self._kept.items() if kept.bot == bot_id]

    def __iter__(self) -> Iterator[tuple[Conversation, int | None]]:
        """The dialogs in the file, each with its bot."""
        for entry in self._entries():
            yield entry.dialog, entry.bot

    def failures(self) -> Iterator[tuple[Conversation, int | None, str]]:
        """The dialogs whose data could not be read, each with its bot and the error."""
        if not self.failed:
            return
        for entry in self._entries():
            if entry.error is not None:
                yield entry.dialog, entry.bot, entry.error

    def _entries(self) -> Iterator[_Line]:
        self._file.flush()
        with self._path.open("rb") as file:
            offset = len(next(file))
            for line in file:
                if not line.startswith(LIST_LINE):
                    entry = self._line.read(line)
                    if self._kept[entry.dialog.id].offset == offset:
                        yield entry
                offset += len(line)

    def _keep(
        self, dialog: Conversation, offset: int, has_failed: bool, bot_id: int | None
    ) -> None:
        self._kept[dialog.id] = _Kept(_version(dialog), offset, has_failed, bot_id)

    def _write(self, line: str) -> None:
        data = line.encode() + b"\n"
        self._file.write(data)
        self._end += len(data)


def _version(dialog: Conversation) -> int:
    updated = None if dialog.updated is None else dialog.updated.timestamp()
    return hash((dialog.status, updated, dialog.duration))
