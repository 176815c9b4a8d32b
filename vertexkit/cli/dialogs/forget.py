"""`vertexkit dialogs forget`: erase what a service keeps of a dialog."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from vertexkit.cli import output
from vertexkit.cli.executions.actions import NO_LIMIT, format_duration, with_journal
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.cli.translation import translate
from vertexkit.errors import SettingsError
from vertexkit.journal.dialog_memory import MemoryRecord
from vertexkit.journal.encryption import recordings_cipher
from vertexkit.journal.protocol import JournalAdmin, Query, Record
from vertexkit.journal.state.operations import refuse_to_forget
from vertexkit.recordings import RecordingsFolder
from vertexkit.recordings.folder import DEFAULT_FOLDER
from vertexkit.settings import Settings

NOT_ERASED = (
    "Not erased: the platform's data, lines of logs and traces, exported files, backups and "
    "replicas of the journal, and what PostgreSQL's write-ahead log still has. "
    "See docs/security.md."
)


@dataclass(frozen=True, slots=True)
class KeptData:
    """All that a service keeps of a dialog."""

    dialog: int
    executions: list[Record]
    memories: list[MemoryRecord]
    recordings: list[Path]
    unreadable: list[Path]
    """Recorded runs that cannot be read: it is not known whose they are."""

    def as_object(self, *, erased: bool) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "dialog": self.dialog,
            "erased": erased,
            "executions": [
                {
                    "execution": record.execution,
                    "block": record.block,
                    "state": _state(record),
                    "accepted_at": record.accepted_at,
                }
                for record in self.executions
            ],
            "memories": [
                {
                    "instance": memory.key.instance,
                    "bytes": memory.size,
                    "changed_at": memory.changed_at,
                }
                for memory in self.memories
            ],
            "recordings": [str(path) for path in self.recordings],
            "unreadable_recordings": [str(path) for path in self.unreadable],
        }


def forget_dialog(dialog: int, *, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Erase what is kept of a dialog, after it was listed.

    Args:
        dialog: its number.
        dry_run: only list it.
        yes: do not ask for confirmation.
        as_json: print one JSON object.

    Returns:
        The exit code.

    Raises:
        OperationNotAllowed: an execution of the dialog has not ended; nothing was erased.
        JournalUnusable: the journal cannot be opened.
    """

    async def read(journal: JournalAdmin) -> KeptData:
        executions = await journal.search(Query(dialog=dialog, limit=NO_LIMIT))
        memories = await journal.memories(dialog)
        return KeptData(dialog, executions, memories, *find_recordings(dialog))

    kept = with_journal(read)
    console = output.console(quiet=as_json)
    _show(kept, console)
    number = len(kept.executions) + len(kept.memories) + len(kept.recordings)
    if dry_run or not number:
        if as_json:
            output.print_json(kept.as_object(erased=False))
        return 0
    unfinished = [record.execution for record in kept.executions if record.outcome is None]
    refuse_to_forget(dialog, unfinished)
    question = translate("Permanently erase this data of dialog {0}?", dialog)
    if not yes and Console().is_terminal and not typer.confirm(question):
        return EXIT_FAILED
    forgotten = with_journal(lambda journal: journal.forget(dialog))
    for path in kept.recordings:
        path.unlink(missing_ok=True)
    if as_json:
        output.print_json(kept.as_object(erased=True))
    console.print(
        f"  {translate('erased: executions: {0}, memories: {1}, recorded runs: {2}', forgotten.executions, forgotten.memories, len(kept.recordings))}"
    )
    console.print(Text(f"  {translate(NOT_ERASED)}", "dim"), soft_wrap=True)
    return 0


def find_recordings(dialog: int) -> tuple[list[Path], list[Path]]:
    """Return the recorded runs of a dialog, of the service and of `vertexkit dev`.

    Returns:
        Their files, and the files that cannot be read.
    """
    settings = Settings.load()
    cipher = recordings_cipher(settings.journal)
    found, unreadable = list[Path](), list[Path]()
    for path in sorted({settings.logging.record or DEFAULT_FOLDER, DEFAULT_FOLDER}):
        folder = RecordingsFolder(path, cipher)
        for file in folder.files():
            try:
                if folder.find(str(file)).header.dialog_id == dialog:
                    found.append(file)
            except (SettingsError, OSError):
                unreadable.append(file)
    return found, unreadable


def _show(kept: KeptData, console: Console) -> None:
    now = time.time()
    for record in kept.executions:
        age = format_duration(now - record.accepted_at)
        line = f"  {translate('execution {0}  {1}  {2}, {3} ago', record.execution, record.block, _state(record), age)}"
        console.print(line, soft_wrap=True)
    for memory in kept.memories:
        age = format_duration(now - memory.changed_at)
        instance = f" {translate('in {0}', memory.key.instance)}" if memory.key.instance else ""
        console.print(
            f"  {translate('memory{0}  {1} bytes, changed {2} ago', instance, memory.size, age)}"
        )
    for path in kept.recordings:
        console.print(f"  {translate('recorded run  {0}', path)}", soft_wrap=True)
    for path in kept.unreadable:
        warning = f"  {translate('cannot be read, and is not erased: {0}. Check VERTEXKIT_JOURNAL_KEYS', path)}"
        console.print(Text(warning, "yellow"), soft_wrap=True)
    if not (kept.executions or kept.memories or kept.recordings):
        console.print(f"  {translate('nothing is kept of dialog {0}', kept.dialog)}")


def _state(record: Record) -> str:
    return record.phase.value if record.outcome is None else record.outcome.status.value
