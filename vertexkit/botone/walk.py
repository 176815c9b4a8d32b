"""A walk over all pages of a list that may change meanwhile.

Pages are requested ahead, and the platform may answer them in any order. If the list grows between
two answers, a dialog may slip from the page that was read first to the one that had been read; if
the list shrinks, the other way round. So the walk compares the `total` of neighbouring pages, reads
both again where a dialog may have slipped between them, and reads the whole list again if its order
changed, if a page was empty, or if fewer dialogs came than the platform has.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from uuid import UUID

from vertexkit.botone.conversation_page import ConversationPage
from vertexkit.botone.models import Conversation
from vertexkit.errors import (
    BadRequest,
    NotFound,
    PlatformError,
    SendOutcomeUnknown,
    ServerError,
    UnexpectedResponse,
)

PREFETCHED_PAGES = 3
"""Pages that are requested before they are needed."""
MAX_REPEATS = 3
"""How often the whole list is read again."""
MAX_FRUITLESS_PAGES = 3
"""Pages in a row that bring no new dialog or fail, after which a pass ends."""
PAGE_ERRORS = (ServerError, UnexpectedResponse, SendOutcomeUnknown, BadRequest, NotFound)
"""The errors that may be those of one page; after any other the platform cannot be used."""

ReadPage = Callable[[int], Awaitable[ConversationPage]]


class PageWalk:
    """Gives each dialog of a list once.

    Args:
        read_page: reads the page with a number, from 1.

    Attributes:
        total: dialogs in the list, according to the page read last; None if it is unknown.
        problems: a sentence for each thing that could not be made good, after the walk.
    """

    def __init__(self, read_page: ReadPage) -> None:
        self.total: int | None = None
        self.problems: list[str] = []
        self.has_shrunk: bool = False
        """Fewer dialogs were in the list than before, at any time of the walk."""
        self._read_page = read_page
        self.seen: set[int] = set()
        """The ids of the dialogs that were returned, as numbers."""
        self._failed: dict[int, PlatformError] = {}
        self._unreadable: dict[int, int] = {}
        self._page_size = 0
        """Dialogs on the longest page so far."""

    async def dialogs(self) -> AsyncGenerator[Conversation, None]:
        """Read the list, again where that is necessary, and fill `problems`.

        Raises:
            PlatformError: the first page, or several pages in a row, cannot be read.
        """
        is_certain = is_complete = False
        for repeat in range(MAX_REPEATS + 1):
            before = len(self.seen)
            single = _Pass(self, is_repeat=repeat > 0)
            async for dialog in single.dialogs():
                yield dialog
            found = len(self.seen) - before
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
        return not self.missing and not self.has_shrunk

    @property
    def missing(self) -> int:
        """How many dialogs of the platform's `total` have not been seen; at least 0."""
        if self.total is None:
            return 0
        return max(0, self.total - len(self.seen) - self.unreadable)

    @property
    def unreadable(self) -> int:
        """How many entries of the list are not dialogs."""
        return sum(self._unreadable.values())

    async def read(self, number: int) -> ConversationPage | None:
        """Read a page; None if it cannot be read now.

        Raises:
            PlatformError: it is the first page, or the error is not that of one page.
        """
        try:
            page = await self._read_page(number)
        except PAGE_ERRORS as error:
            if number == 1:
                raise
            self._failed[number] = error
            return None
        self._failed.pop(number, None)
        self._unreadable[number] = len(page.unreadable)
        total = page.pagination.total
        if total is not None:
            if self.total is not None and total < self.total:
                self.has_shrunk = True
            self.total = total
        return page

    def last_page(self, page: ConversationPage) -> int | None:
        """Return the number of the last page; None if it is unknown."""
        pagination = page.pagination
        # The platform may return fewer dialogs on a page than it says.
        self._page_size = max(self._page_size, len(page.items) + len(page.unreadable))
        size = min(pagination.per_page or self._page_size, self._page_size)
        last_page = pagination.total_pages or None
        if self.total is not None and size > 0:
            last_page = max(last_page or 1, -(-self.total // size))
        return last_page

    def page_error(self, number: int) -> PlatformError | None:
        """Return why a page could not be read; None if it could."""
        return self._failed.get(number)

    def drop_pages_after(self, number: int) -> None:
        """Forget the errors of pages beyond the end of the list."""
        self._failed = {page: error for page, error in self._failed.items() if page <= number}

    def _describe_missing(self, is_certain: bool) -> None:
        if self.missing:
            self.problems.append(
                f"the platform reports {self.total:,} dialogs, and {len(self.seen):,} could be read"
            )
        elif not is_certain:
            self.problems.append(
                "the list changed all the time while it was read; some dialogs may be missing"
            )

    def _describe_problems(self) -> None:
        self.problems += [
            f"page {number} of the list could not be read: {error}"
            for number, error in sorted(self._failed.items())
        ]
        if self.unreadable:
            self.problems.append(f"{self.unreadable:,} entries of the list are not dialogs")


class _Pass:
    """One pass over the pages of a list, from the first to the last.

    Args:
        walk: the walk.
        is_repeat: whether an earlier pass has read the list.
    """

    def __init__(self, walk: PageWalk, *, is_repeat: bool) -> None:
        self._walk = walk
        self._in_pass: set[int] = set() if is_repeat else walk.seen
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
        total, first = self._walk.total, self._first_total
        if total is None or first is None:
            return 0
        began = max(0, total - first)
        return max(0, total - began - len(self._in_pass) - self._walk.unreadable)

    async def dialogs(self) -> AsyncGenerator[Conversation, None]:
        """Return the dialogs that are new to the walk."""
        requested: deque[asyncio.Task[ConversationPage | None]] = deque()
        number = last_requested = last_page = 1
        fruitless = 0
        try:
            requested.append(asyncio.ensure_future(self._walk.read(1)))
            while requested:
                page = await requested.popleft()
                if page is None or not page.items or _is_other(page, number):
                    page = await self._read_again(page, number)
                new, repeated = self._take(page)
                for dialog in new:
                    yield dialog
                if page is not None and number > 1:
                    async for dialog in self._close_gap(page, number, repeated):
                        yield dialog
                fruitless = 0 if self._brings_dialogs(page, repeated) else fruitless + 1
                if self._ends(page, number, fruitless):
                    break
                last_page = self._find_last_page(page, number, last_page, bool(new))
                number += 1
                while last_requested < last_page and len(requested) < PREFETCHED_PAGES:
                    last_requested += 1
                    requested.append(asyncio.ensure_future(self._walk.read(last_requested)))
        finally:
            for task in requested:
                task.cancel()
            await asyncio.gather(*requested, return_exceptions=True)

    def _find_last_page(
        self, page: ConversationPage | None, number: int, last_page: int, has_new: bool
    ) -> int:
        known = None if page is None else self._walk.last_page(page)
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
        walk = self._walk
        if (page is None or not page.items) and walk.total is not None and not self._missing:
            walk.drop_pages_after(number - 1)
            return True
        if fruitless < MAX_FRUITLESS_PAGES:
            return False
        errors = [walk.page_error(number - before) for before in range(MAX_FRUITLESS_PAGES)]
        if errors[0] is not None and all(errors):
            raise errors[0]
        return True

    async def _read_again(
        self, page: ConversationPage | None, number: int
    ) -> ConversationPage | None:
        """Read an empty, a repeated or a failed page once more."""
        walk = self._walk
        if number == 1 or (page is not None and not page.items and not self._missing):
            return page  # an empty list, or the end of it
        if page is not None:  # a failed page has been requested several times already
            page = await walk.read(number)
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
        seen, in_pass = self._walk.seen, self._in_pass
        for dialog in page.items:
            key = dialog.id.int if isinstance(dialog.id, UUID) else dialog.id
            if key in in_pass:
                repeated += 1
                continue
            if in_pass is seen or key not in seen:
                seen.add(key)
                new.append(dialog)
            in_pass.add(key)
        return new, repeated

    async def _close_gap(
        self, page: ConversationPage, number: int, repeated: int
    ) -> AsyncGenerator[Conversation, None]:
        """Read this page and the one before it again if a dialog may have slipped between them."""
        before, total = self._previous_total, page.pagination.total
        self._previous_total = total
        if before is None or total is None:
            return
        self._has_moved |= repeated > max(0, total - before)
        if total >= before:
            return
        for again in (number - 1, number):
            read_again = await self._walk.read(again)
            if read_again is None:
                continue
            for dialog in self._take(read_again)[0]:
                yield dialog
            now = read_again.pagination.total
            if now is not None:
                self._previous_total = now
                # Further changes than a page: the dialogs between are on neither of the two.
                self._has_moved |= abs(before - now) >= max(1, len(page.items))


def _is_other(page: ConversationPage, number: int) -> bool:
    """Whether the platform returned another page than the requested one."""
    current = page.pagination.current_page
    return bool(page.items) and current is not None and current != number
