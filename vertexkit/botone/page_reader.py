"""The pages of a list, and what is known of the list from them."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from vertexkit.botone.conversation_page import ConversationPage
from vertexkit.errors import (
    BadRequest,
    NotFound,
    PlatformError,
    SendOutcomeUnknown,
    ServerError,
    UnexpectedResponse,
)

PAGE_ERRORS = (ServerError, UnexpectedResponse, SendOutcomeUnknown, BadRequest, NotFound)
"""The errors that may be those of one page; after any other the platform cannot be used."""

ReadPage = Callable[[int], Awaitable[ConversationPage]]


class PageReader:
    """Reads pages of a list.

    Args:
        read_page: reads the page with a number, from 1.

    Attributes:
        total: dialogs in the list, according to the page read last; None if it is unknown.
        total_at_start: the same, according to the page read first.
        has_shrunk: fewer dialogs were in the list than before, at any time.
        seen: the ids of the dialogs that were returned, as numbers.
        failed: why pages could not be read, by their numbers.
    """

    def __init__(self, read_page: ReadPage) -> None:
        self.total: int | None = None
        self.total_at_start: int | None = None
        self.has_shrunk: bool = False
        self.seen: set[int] = set()
        self.failed: dict[int, PlatformError] = {}
        self._read_page = read_page
        self._unreadable: dict[int, int] = {}
        self._page_size = 0
        """Dialogs on the longest page so far."""

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
            self.failed[number] = error
            return None
        self.failed.pop(number, None)
        self._unreadable[number] = len(page.unreadable)
        total = page.pagination.total
        if total is not None:
            if self.total is not None and total < self.total:
                self.has_shrunk = True
            if self.total_at_start is None:
                self.total_at_start = total
            self.total = total
        return page

    def page_size(self, page: ConversationPage) -> int:
        """Return how many dialogs are on a page that is not the last one."""
        # The platform may return fewer dialogs on a page than it says.
        self._page_size = max(self._page_size, len(page.items) + len(page.unreadable))
        return min(page.pagination.per_page or self._page_size, self._page_size)

    def last_page(self, page: ConversationPage) -> int | None:
        """Return the number of the last page; None if it is unknown."""
        size = self.page_size(page)
        last_page = page.pagination.total_pages or None
        if self.total is not None and size > 0:
            last_page = max(last_page or 1, -(-self.total // size))
        return last_page

    def page_error(self, number: int) -> PlatformError | None:
        """Return why a page could not be read; None if it could."""
        return self.failed.get(number)

    def drop_pages_after(self, number: int) -> None:
        """Forget the errors of pages beyond the end of the list."""
        self.failed = {page: error for page, error in self.failed.items() if page <= number}


def key_of(dialog_id: int | UUID) -> int:
    """Return an id as a number, which takes less memory than a UUID."""
    return dialog_id.int if isinstance(dialog_id, UUID) else dialog_id
