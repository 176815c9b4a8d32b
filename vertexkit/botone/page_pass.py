"""One pass over the pages of a list, which are requested ahead."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from collections.abc import Set as AbstractSet

from vertexkit.botone.conversation_page import ConversationPage
from vertexkit.botone.models import Conversation
from vertexkit.botone.page_reader import PageReader, key_of

PREFETCHED_PAGES = 3
"""Pages that are requested before they are needed."""
MAX_FRUITLESS_PAGES = 3
"""Pages in a row that bring no new dialog or fail, after which a pass ends."""


class PagePass:
    """One pass over the pages of a list, from the first to the last.

    Args:
        reader: reads the pages.
        in_pass: receives the ids of the dialogs that this pass reads.
        known: the ids of dialogs that were read before.
        first_page: where it begins; what is on the pages before is in `known`.
    """

    def __init__(
        self,
        reader: PageReader,
        in_pass: set[int],
        known: AbstractSet[int] = frozenset(),
        first_page: int = 1,
    ) -> None:
        self.overlaps: bool = False
        """A page has known dialogs."""
        self._reader = reader
        self._in_pass = in_pass
        self._known = known
        self._first_page = first_page
        self._first_total: int | None = None
        self._previous_total: int | None = None
        self._has_moved = False
        """Dialogs changed their places in another way than by the growth of the list."""
        self._has_gaps = False
        """A page was empty, repeated or not readable."""

    @property
    def is_complete(self) -> bool:
        """Whether this pass has read each dialog that was in the list all the time."""
        return not (self._has_moved or self._has_gaps or self._missing)

    @property
    def _missing(self) -> int:
        """Dialogs that this pass has not read, except for those that began meanwhile."""
        total, first = self._reader.total, self._first_total
        if total is None or first is None:
            return 0
        began = max(0, total - first)
        read = len(self._known) + len(self._in_pass) + self._reader.unreadable
        return max(0, total - began - read)

    async def batches(self) -> AsyncGenerator[list[Conversation], None]:
        """Return the dialogs that are new to the reader, those of a page together."""
        requested: deque[asyncio.Task[ConversationPage | None]] = deque()
        number = last_requested = last_page = self._first_page
        fruitless = 0
        try:
            requested.append(asyncio.ensure_future(self._reader.read(number)))
            while requested:
                page = await requested.popleft()
                if page is None or not page.items or _is_other(page, number):
                    page = await self._read_again(page, number)
                new, repeated = self._take(page)
                yield new
                if page is not None and number > 1:
                    async for batch in self._close_gap(page, number, repeated):
                        yield batch
                fruitless = 0 if self._brings_dialogs(page, repeated) else fruitless + 1
                if self._ends(page, number, fruitless):
                    break
                last_page = self._find_last_page(page, number, last_page, bool(new))
                number += 1
                while last_requested < last_page and len(requested) < PREFETCHED_PAGES:
                    last_requested += 1
                    requested.append(asyncio.ensure_future(self._reader.read(last_requested)))
        finally:
            for task in requested:
                task.cancel()
            await asyncio.gather(*requested, return_exceptions=True)

    def _find_last_page(
        self, page: ConversationPage | None, number: int, last_page: int, has_new: bool
    ) -> int:
        known = None if page is None else self._reader.last_page(page)
        if known is not None:
            last_page = max(last_page, known)
        if number < last_page:
            return last_page
        # The list ends with a page without new dialogs, unless its length is known and reached.
        unreached = known is None or self._missing > 0
        return number + 1 if has_new and unreached else last_page

    @staticmethod
    def _brings_dialogs(page: ConversationPage | None, repeated: int) -> bool:
        """Whether a page has dialogs that this pass has not read before."""
        return page is not None and len(page.items) + len(page.unreadable) > repeated

    def _ends(self, page: ConversationPage | None, number: int, fruitless: int) -> bool:
        reader = self._reader
        if (page is None or not page.items) and reader.total is not None and not self._missing:
            reader.drop_pages_after(number - 1)
            return True
        if fruitless < MAX_FRUITLESS_PAGES:
            return False
        errors = [reader.page_error(number - before) for before in range(MAX_FRUITLESS_PAGES)]
        if errors[0] is not None and all(errors):
            raise errors[0]
        return True

    async def _read_again(
        self, page: ConversationPage | None, number: int
    ) -> ConversationPage | None:
        """Read an empty, a repeated or a failed page once more."""
        reader = self._reader
        if number == 1 or (page is not None and not page.items and not self._missing):
            return page  # an empty list, or the end of it
        if page is not None:  # a failed page has been requested several times already
            page = await reader.read(number)
        if page is None or not page.items or _is_other(page, number):
            self._has_gaps = True
        return page

    def _take(self, page: ConversationPage | None) -> tuple[list[Conversation], int]:
        """Return the dialogs of a page that are new, and how many this pass has read before."""
        new: list[Conversation] = []
        if page is None:
            return new, 0
        if self._first_total is None:
            self._first_total = page.pagination.total
        repeated = 0
        seen, in_pass = self._reader.seen, self._in_pass
        for dialog in page.items:
            key = key_of(dialog.id)
            if key in in_pass:
                repeated += 1
                continue
            if key in self._known:
                self.overlaps = True
                continue
            if in_pass is seen or key not in seen:
                seen.add(key)
                new.append(dialog)
            in_pass.add(key)
        return new, repeated

    async def _close_gap(
        self, page: ConversationPage, number: int, repeated: int
    ) -> AsyncGenerator[list[Conversation], None]:
        """Read this page and the one before it again if a dialog may have slipped between them."""
        before, total = self._previous_total, page.pagination.total
        self._previous_total = total
        if before is None or total is None:
            return
        self._has_moved |= repeated > max(0, total - before)
        if total >= before:
            return
        for again in (number - 1, number):
            read_again = await self._reader.read(again)
            if read_again is None:
                continue
            yield self._take(read_again)[0]
            now = read_again.pagination.total
            if now is not None:
                self._previous_total = now
                # Further changes than a page: the dialogs between are on neither of the two.
                self._has_moved |= abs(before - now) >= max(1, len(page.items))


def _is_other(page: ConversationPage, number: int) -> bool:
    """Whether the platform returned another page than the requested one."""
    current = page.pagination.current_page
    return bool(page.items) and current is not None and current != number
