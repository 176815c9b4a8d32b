"""What has come of an export so far, on disk."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.errors import SettingsError


class Spool:
    """A file of JSON lines: what is exported, then each dialog as it came.

    A line that was cut off in its middle is dropped: that dialog comes again.

    Args:
        path: of the file.
        what: is exported; a spool of something else is refused.
        restart: begin anew whatever is there.

    Raises:
        SettingsError: another export left it here.
    """

    def __init__(self, path: Path, what: dict[str, Any], restart: bool) -> None:
        self.known: set[str] = set()
        """The ids of dialogs that have come."""
        self.unread = 0
        """Of these, how many without the data that was asked for."""
        self._path = path
        self._whole = what["rows"] != "dialogs"
        if restart or not path.exists():
            self._file = path.open("w+b")
            self._put({"export": what})
            return
        self._file = path.open("r+b")
        try:
            self._resume(what)
        except ValueError:
            self._file.close()
            raise SettingsError(f"{path} is no part of an export: --restart begins anew") from None
        except SettingsError:
            self._file.close()
            raise

    def _resume(self, what: dict[str, Any]) -> None:
        head = self._file.readline()
        if not head.endswith(b"\n"):
            self._file.seek(0)
            self._file.truncate()
            self._put({"export": what})
            return
        if json.loads(head) != {"export": what}:
            raise SettingsError(
                f"{self._path} is part of another export: finish that one, or --restart"
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

    def add(self, dialog: Conversation, bot: int | None) -> int:
        """Keep a dialog; gives how many are new: 1, or 0 if it is there."""
        if str(dialog.id) in self.known:
            return 0
        line: dict[str, Any] = {"dialog": dialog.model_dump(mode="json")}
        if bot is not None:
            line["bot"] = bot
        if isinstance(dialog, ConversationDetails) and dialog.unread:
            line["unread"] = True
        self._put(line)
        self._count(line)
        return 1

    def __iter__(self) -> Iterator[tuple[Conversation, int | None]]:
        """All that has come, in its order, each with its bot if that is known."""
        self._file.flush()
        kind = ConversationDetails if self._whole else Conversation
        with self._path.open("rb") as file:
            next(file)
            for line in file:
                kept = json.loads(line)
                yield kind.model_validate(kept["dialog"]), kept.get("bot")

    def _count(self, line: dict[str, Any]) -> None:
        self.known.add(str(line["dialog"]["id"]))
        self.unread += "unread" in line

    def _put(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
