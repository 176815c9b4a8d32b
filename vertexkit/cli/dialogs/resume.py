"""The dialogs that an unfinished export has received, kept on disk so that it can be resumed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.errors import SettingsError
from vertexkit.system.private_files import create_private_binary


class PartFile:
    """A file of JSON lines: the export's filters, then each dialog as the platform sent it.

    If the last line is incomplete, it is discarded and that dialog is requested again.

    Args:
        path: The file.
        export: The export's filters and kind of rows. A file of another export is not resumed.
        restart: Start over and discard the file's content.

    Raises:
        SettingsError: The file belongs to another export, or is not an unfinished export.
    """

    def __init__(self, path: Path, export: dict[str, Any], restart: bool) -> None:
        self.known: set[str] = set()
        """The IDs of the dialogs in the file."""
        self.unread: int = 0
        """Number of dialogs whose answers were requested and could not be read."""
        self._path = path
        self._with_answers = export["rows"] != "dialogs"
        if restart or not path.exists():
            self._file = create_private_binary(path)
            self._write({"export": export})
            return
        self._file = path.open("r+b")
        try:
            self._resume(export)
        except ValueError:
            self._file.close()
            raise SettingsError(
                f"{path} is not an unfinished export. Use --restart to overwrite it"
            ) from None
        except SettingsError:
            self._file.close()
            raise

    def _resume(self, export: dict[str, Any]) -> None:
        head = self._file.readline()
        if not head.endswith(b"\n"):
            self._file.seek(0)
            self._file.truncate()
            self._write({"export": export})
            return
        if json.loads(head) != {"export": export}:
            raise SettingsError(
                f"{self._path} belongs to an export with other options. Finish that export, or use "
                "--restart to start over"
            )
        end = self._file.tell()
        for line in iter(self._file.readline, b""):
            if not line.endswith(b"\n"):
                break
            self._count(json.loads(line))
            end = self._file.tell()
        self._file.seek(end)
        self._file.truncate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, dialog: Conversation, bot_id: int | None) -> int:
        """Add a dialog.

        Args:
            dialog: The dialog.
            bot_id: Its bot, if known.

        Returns:
            The number of dialogs added: 1, or 0 if the dialog is already in the file.
        """
        if str(dialog.id) in self.known:
            return 0
        line: dict[str, Any] = {"dialog": dialog.to_json()}
        if bot_id is not None:
            line["bot"] = bot_id
        if isinstance(dialog, ConversationDetails) and dialog.unread:
            line["unread"] = True
        self._write(line)
        self._count(line)
        return 1

    def __iter__(self) -> Iterator[tuple[Conversation, int | None]]:
        """All dialogs in the file, in the order in which they were added, each with its bot."""
        self._file.flush()
        kind = ConversationDetails if self._with_answers else Conversation
        with self._path.open("rb") as file:
            next(file)
            for line in file:
                entry = json.loads(line)
                yield kind.read(entry["dialog"]), entry.get("bot")

    def _count(self, line: dict[str, Any]) -> None:
        self.known.add(str(line["dialog"]["id"]))
        self.unread += "unread" in line

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
