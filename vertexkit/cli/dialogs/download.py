"""`vertexkit dialogs files`: all uploaded files of dialogs, to disk."""

from collections.abc import AsyncIterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from vertexkit.botone.client import BotOne
from vertexkit.botone.models import ConversationDetails
from vertexkit.cli.dialogs.filters import Wanted, part_of
from vertexkit.cli.dialogs.login import with_bot
from vertexkit.cli.dialogs.show import find
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.errors import PlatformError, PlatformUnreachable, Unauthorized


def fetch(wanted: Wanted, ids: list[str], folder: Path) -> int:
    """Fetch them, and print what is there; the exit code says whether all is.

    Args:
        wanted: whose files, unless `ids` says it.
        ids: of dialogs.
        folder: gets a folder for each dialog, named by its id.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    fetching = Fetching(wanted, ids, folder, console)
    with_bot(fetching.run)
    said = f"{fetching.fetched} files fetched, {_size(fetching.bytes)}"
    if fetching.there:
        said += f"; {fetching.there} were there"
    console.print(f"{said}; in {folder}")
    for failure in fetching.failures:
        console.print(Text(f"  {failure}", "red"), soft_wrap=True)
    if fetching.failures:
        console.print(f"{len(fetching.failures)} did not come; run it again to try them again")
    return EXIT_FAILED if fetching.failures else 0


class Fetching:
    """One run: what came, what was there, what failed."""

    def __init__(self, wanted: Wanted, ids: list[str], folder: Path, console: Console) -> None:
        self.fetched = self.there = self.bytes = 0
        self.failures: list[str] = []
        self._wanted, self._ids, self._folder = wanted, ids, folder
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    async def run(self, bot: BotOne) -> None:
        """Go through all dialogs."""
        with self._progress as progress:
            total = len(self._ids) or await self._count(bot)
            dialogs = progress.add_task("dialogs", total=total)
            async for dialog in self._dialogs(bot):
                await self._files(bot, dialog)
                progress.advance(dialogs)

    async def _count(self, bot: BotOne) -> int | None:
        pages = [await listed.page() for _, listed in self._wanted.lists(bot)]
        totals = [page.pagination.total for page in pages]
        return None if None in totals else sum(filter(None, totals))

    async def _dialogs(self, bot: BotOne) -> AsyncIterator[ConversationDetails]:
        for dialog_id in self._ids:
            yield await find(bot, dialog_id)
        if not self._ids:
            for _, listed in self._wanted.lists(bot):
                async for dialog in listed.detailed():
                    yield dialog

    async def _files(self, bot: BotOne, dialog: ConversationDetails) -> None:
        if not dialog.files:
            return
        folder = self._folder / str(dialog.id)
        folder.mkdir(parents=True, exist_ok=True)
        task = self._progress.add_task(f"files of {dialog.name}", total=len(dialog.files))
        for number in dialog.files:
            # A file is there under its name only when it is whole.
            if any(folder.glob(f"{number}-*")):
                self.there += 1
            else:
                await self._file(bot, dialog, number, folder)
            self._progress.advance(task)
        self._progress.remove_task(task)

    async def _file(
        self, bot: BotOne, dialog: ConversationDetails, number: int, folder: Path
    ) -> None:
        version = 1 if isinstance(dialog.id, int) else 2
        try:
            path = await part_of(bot, version).download(number, folder)
        except (PlatformUnreachable, Unauthorized):
            raise
        except PlatformError as error:
            self.failures.append(f"file {number} of dialog {dialog.id}: {error}")
            return
        self.fetched += 1
        self.bytes += path.stat().st_size


def _size(count: int) -> str:
    size, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
