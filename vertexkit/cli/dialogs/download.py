"""`vertexkit dialogs files`: download the files that users uploaded in dialogs."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from vertexkit.botone.client import BotOne
from vertexkit.botone.models import ConversationDetails
from vertexkit.botone.pages import Conversations
from vertexkit.cli import output
from vertexkit.cli.dialogs.filters import DialogFilters, api_of
from vertexkit.cli.dialogs.login import run_with_bot
from vertexkit.cli.dialogs.progress import progress_bars
from vertexkit.cli.dialogs.show import find_dialog
from vertexkit.cli.dialogs.source import DialogSource, report_problems
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.cli.translation import translate, translate_count, translate_sentence
from vertexkit.errors import (
    FileTooLarge,
    NotFound,
    PlatformError,
    PlatformUnreachable,
    Unauthorized,
)

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class DownloadOptions:
    """The options of `vertexkit dialogs files`."""

    filters: DialogFilters
    """Select the dialogs if `ids` is empty."""
    ids: tuple[str, ...]
    """IDs of dialogs."""
    folder: Path
    """Receives a folder for each dialog, named by the dialog's ID."""
    limit_mib: int
    """Maximum size of a file; 0 for none."""
    at_once: int
    """Number of files to download at the same time."""
    as_json: bool = False
    quiet: bool = False
    """Show no progress bars."""


def download_files(options: DownloadOptions) -> int:
    """Download the files of dialogs and print a summary.

    Returns:
        The exit code: 1 if a file could not be downloaded or a dialog not be read, else 0.
    """
    console = output.console(quiet=options.as_json)
    download = FileDownload(options)
    run_with_bot(download.run)
    if options.as_json:
        output.print_json(download.to_dict())
    summary = translate(
        "Downloaded {0} ({1}) to {2}.",
        _files(download.downloaded),
        _size(download.bytes),
        options.folder,
    )
    if download.existing:
        summary += f" {translate('Skipped {0} downloaded earlier.', _files(download.existing))}"
    if download.missing:
        summary += f" {translate('{0} no longer on the platform.', _files(download.missing))}"
    console.print(summary, soft_wrap=True)
    for failure in download.failures:
        console.print(Text(f"  {translate_sentence(failure)}", "red"), soft_wrap=True)
    if download.failures:
        count = _files(len(download.failures))
        console.print(translate("Could not download {0}. Rerun the command to retry.", count))
    code = report_problems(download.problems)
    return EXIT_FAILED if download.failures else code


class FileDownload:
    """The download of all files of some dialogs.

    Args:
        options: The options.

    Attributes:
        downloaded: Number of files downloaded.
        existing: Number of files that were downloaded earlier.
        missing: Number of files that the platform no longer has.
        bytes: Size of the downloaded files.
        failures: An error message for each file that could not be downloaded.
        problems: A sentence for each thing that is missing from the dialogs.
    """

    def __init__(self, options: DownloadOptions) -> None:
        self.downloaded: int = 0
        self.existing: int = 0
        self.missing: int = 0
        self.bytes: int = 0
        self.failures: list[str] = []
        self.problems: list[str] = []
        self._options = options
        self._source = DialogSource(options.filters, with_answers=True)
        self._progress = progress_bars(quiet=options.quiet or options.as_json)

    async def run(self, bot: BotOne) -> None:
        """Download the files of all dialogs, several at the same time."""
        downloads: set[asyncio.Task[None]] = set()
        found_files = 0
        try:
            with self._progress as progress:
                lists = [] if self._options.ids else self._options.filters.lists(bot)
                dialogs = progress.add_task(translate("dialogs"), total=None)
                files = progress.add_task(translate("files"), total=None)

                async def download(dialog: ConversationDetails, file_id: int) -> None:
                    await self._file(bot, dialog, file_id)
                    progress.advance(files)

                async with aclosing(self._dialogs(bot, lists)) as found:
                    async for dialog in found:
                        for file_id in dialog.files:
                            if len(downloads) == self._options.at_once:
                                downloads = await self._next(downloads)
                            found_files += 1
                            downloads.add(asyncio.ensure_future(download(dialog, file_id)))
                        total = len(self._options.ids) or self._source.find_total(lists)()
                        progress.update(dialogs, advance=1, total=total)
                progress.update(files, total=found_files)
                while downloads:
                    downloads = await self._next(downloads)
        finally:
            for task in downloads:
                task.cancel()
            await asyncio.gather(*downloads, return_exceptions=True)

    def to_dict(self) -> dict[str, Any]:
        """The numbers, and what failed, for `--json`."""
        return {
            "folder": str(self._options.folder),
            "downloaded": self.downloaded,
            "bytes": self.bytes,
            "existing": self.existing,
            "missing": self.missing,
            "failures": self.failures,
        }

    @staticmethod
    async def _next(downloads: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
        """Wait until one of the downloads has ended; return the others."""
        done, downloads = await asyncio.wait(downloads, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        return downloads

    async def _dialogs(
        self, bot: BotOne, lists: list[tuple[int | None, Conversations]]
    ) -> AsyncGenerator[ConversationDetails, None]:
        for dialog_id in self._options.ids:
            yield await find_dialog(bot, dialog_id)
        if not self._options.ids:
            async with aclosing(self._source.dialogs(bot, None, lists)) as found:
                async for dialog, _ in found:
                    if isinstance(dialog, ConversationDetails):
                        yield dialog
            self.problems = self._source.problems

    async def _file(self, bot: BotOne, dialog: ConversationDetails, file_id: int) -> None:
        folder = self._options.folder / str(dialog.id)
        # A file has its final name only when it is complete.
        if any(folder.glob(f"{file_id}-*")):
            self.existing += 1
            return
        folder.mkdir(parents=True, exist_ok=True)
        version = 1 if isinstance(dialog.id, int) else 2
        limit = self._options.limit_mib * MIB or None
        try:
            api = api_of(bot, version)
            path = await api.download(file_id, folder, limit=limit, resume=True)
        except (PlatformUnreachable, Unauthorized):
            raise
        except NotFound:
            self.missing += 1
        except FileTooLarge:
            failure = (
                f"file {file_id} of dialog {dialog.id}: it is larger than "
                f"{self._options.limit_mib:,} MiB. To raise the limit, pass --limit"
            )
            self.failures.append(failure)
        except (PlatformError, BlockingIOError) as error:
            failure = f"file {file_id} of dialog {dialog.id}: {error}"
            self.failures.append(failure)
        else:
            self.downloaded += 1
            self.bytes += path.stat().st_size


def _files(count: int) -> str:
    return translate_count(count, "{0} file", "{0} files")


def _size(count: int) -> str:
    size, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
