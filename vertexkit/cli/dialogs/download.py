"""`vertexkit dialogs files`: download the files that users uploaded in dialogs."""

from collections.abc import AsyncIterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from vertexkit.botone.client import BotOne
from vertexkit.botone.models import ConversationDetails
from vertexkit.cli import output
from vertexkit.cli.dialogs.filters import DialogFilters, api_of
from vertexkit.cli.dialogs.login import run_with_bot
from vertexkit.cli.dialogs.show import find_dialog
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.errors import PlatformError, PlatformUnreachable, Unauthorized


def download_files(filters: DialogFilters, ids: list[str], folder: Path) -> int:
    """Download the files of dialogs and print a summary.

    Args:
        filters: Select the dialogs if `ids` is empty.
        ids: IDs of dialogs.
        folder: Receives a folder for each dialog, named by the dialog's ID.

    Returns:
        The exit code: 1 if a file could not be downloaded, else 0.
    """
    console = output.console()
    download = FileDownload(filters, ids, folder, console)
    run_with_bot(download.run)
    summary = f"Downloaded {_files(download.downloaded)} ({_size(download.bytes)}) to {folder}."
    if download.existing:
        summary += f" Skipped {_files(download.existing)} downloaded earlier."
    console.print(summary, soft_wrap=True)
    for failure in download.failures:
        console.print(Text(f"  {failure}", "red"), soft_wrap=True)
    if download.failures:
        count = _files(len(download.failures))
        console.print(f"Could not download {count}. Rerun the command to retry.")
    return EXIT_FAILED if download.failures else 0


class FileDownload:
    """The download of all files of some dialogs.

    Args:
        filters: Select the dialogs if `ids` is empty.
        ids: IDs of dialogs.
        folder: Receives a folder for each dialog.
        console: Shows the progress if it is a terminal.

    Attributes:
        downloaded: Number of files downloaded.
        existing: Number of files that were downloaded earlier.
        bytes: Size of the downloaded files.
        failures: An error message for each file that could not be downloaded.
    """

    def __init__(
        self, filters: DialogFilters, ids: list[str], folder: Path, console: Console
    ) -> None:
        self.downloaded: int = 0
        self.existing: int = 0
        self.bytes: int = 0
        self.failures: list[str] = []
        self._filters, self._ids, self._folder = filters, ids, folder
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    async def run(self, bot: BotOne) -> None:
        """Download the files of all dialogs."""
        with self._progress as progress:
            total = len(self._ids) or await self._count(bot)
            dialogs = progress.add_task("dialogs", total=total)
            async for dialog in self._dialogs(bot):
                await self._files(bot, dialog)
                progress.advance(dialogs)

    async def _count(self, bot: BotOne) -> int | None:
        pages = [await conversations.page() for _, conversations in self._filters.lists(bot)]
        totals = [page.pagination.total for page in pages]
        return None if None in totals else sum(filter(None, totals))

    async def _dialogs(self, bot: BotOne) -> AsyncIterator[ConversationDetails]:
        for dialog_id in self._ids:
            yield await find_dialog(bot, dialog_id)
        if not self._ids:
            for _, conversations in self._filters.lists(bot):
                async for dialog in conversations.detailed():
                    yield dialog

    async def _files(self, bot: BotOne, dialog: ConversationDetails) -> None:
        if not dialog.files:
            return
        folder = self._folder / str(dialog.id)
        folder.mkdir(parents=True, exist_ok=True)
        task = self._progress.add_task(f"files of {dialog.name}", total=len(dialog.files))
        for file_id in dialog.files:
            # A file has its final name only when it is complete.
            if any(folder.glob(f"{file_id}-*")):
                self.existing += 1
            else:
                await self._file(bot, dialog, file_id, folder)
            self._progress.advance(task)
        self._progress.remove_task(task)

    async def _file(
        self, bot: BotOne, dialog: ConversationDetails, file_id: int, folder: Path
    ) -> None:
        version = 1 if isinstance(dialog.id, int) else 2
        try:
            path = await api_of(bot, version).download(file_id, folder)
        except (PlatformUnreachable, Unauthorized):
            raise
        except PlatformError as error:
            self.failures.append(f"file {file_id} of dialog {dialog.id}: {error}")
            return
        self.downloaded += 1
        self.bytes += path.stat().st_size


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _size(count: int) -> str:
    size, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
