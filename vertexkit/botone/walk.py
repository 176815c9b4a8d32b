"""A walk over all pages of a list that may change meanwhile.

Pages are requested ahead, and the platform may answer them in any order. If the list grows between
two answers, a dialog may slip from the page that was read first to the one that had been read; if
the list shrinks, the other way round. So the walk compares the `total` of neighbouring pages, reads
both again where a dialog may have slipped between them, and reads the whole list again if its order
changed, if a page was empty, or if fewer dialogs came than the platform has.

A walk that follows an interrupted one reads what began since then, and continues where that one ended;
if the list has changed otherwise, it reads the whole list.
"""

from collections.abc import AsyncGenerator

from vertexkit.botone.list_rest import ListRest, ListStart
from vertexkit.botone.models import Conversation
from vertexkit.botone.page_pass import PagePass
from vertexkit.botone.page_reader import PageReader, ReadPage

MAX_REPEATS = 3
"""How often the whole list is read again."""


class PageWalk:
    """Gives each dialog of a list once.

    Args:
        read_page: reads the page with a number, from 1.
        start: what an interrupted walk has read. Its dialogs are given again only if the list has
            changed in another way than by growth.

    Attributes:
        reader: reads the pages; it has the list's `total`.
        problems: a sentence for each thing that could not be made good, after the walk.
    """

    def __init__(self, read_page: ReadPage, start: ListStart | None = None) -> None:
        self.reader: PageReader = PageReader(read_page)
        self.problems: list[str] = []
        self._start = start

    async def batches(self) -> AsyncGenerator[list[Conversation], None]:
        """Read the list, again where that is necessary, and fill `problems`.

        The dialogs of a page come together: each asynchronous generator that passes them on one by
        one costs as much as counting a dialog.

        Raises:
            PlatformError: the first page, or several pages in a row, cannot be read.
        """
        reader, is_certain, is_complete = self.reader, False, False
        if self._start is not None:
            rest = ListRest(reader, self._start)
            async for batch in rest.batches():
                yield batch
            if rest.is_complete:
                self._describe_problems()
                return
        for repeat in range(MAX_REPEATS + 1):
            before = len(reader.seen)
            # A set of its own: an earlier pass has read some of the dialogs.
            single = PagePass(reader, set() if repeat or self._start is not None else reader.seen)
            async for batch in single.batches():
                yield batch
            found = len(reader.seen) - before
            is_complete = single.is_complete
            is_certain = is_complete or bool(repeat and (not found or self._has_all))
            if is_certain:
                break
        if not is_complete:
            self._describe_missing(is_certain)
        self._describe_problems()

    @property
    def _has_all(self) -> bool:
        """Whether all dialogs have been seen; unknown, so False, if any were deleted meanwhile."""
        return not self.missing and not self.reader.has_shrunk

    @property
    def missing(self) -> int:
        """How many dialogs of the platform's `total` have not been seen; at least 0."""
        if self.reader.total is None:
            return 0
        return max(0, self.reader.total - len(self.reader.seen) - self.reader.unreadable)

    def _describe_missing(self, is_certain: bool) -> None:
        if self.missing:
            self.problems.append(
                f"the platform reports {self.reader.total:,} dialogs, and {len(self.reader.seen):,} could be read"
            )
        elif not is_certain:
            self.problems.append(
                "the list changed all the time while it was read; some dialogs may be missing"
            )

    def _describe_problems(self) -> None:
        self.problems += [
            f"page {number} of the list could not be read: {error}"
            for number, error in sorted(self.reader.failed.items())
        ]
        if self.reader.unreadable:
            self.problems.append(f"{self.reader.unreadable:,} entries of the list are not dialogs")
