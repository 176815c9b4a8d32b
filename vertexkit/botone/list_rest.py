"""The rest of a list, after a walk that was interrupted."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from vertexkit.botone.conversation_page import ConversationPage
from vertexkit.botone.models import Conversation
from vertexkit.botone.page_pass import PagePass
from vertexkit.botone.page_reader import PageReader, key_of


@dataclass(frozen=True, slots=True)
class ListStart:
    """What an interrupted walk has read of a list."""

    ids: frozenset[int]
    """The ids of the dialogs, as numbers: an uninterrupted part of the list."""
    total: int
    """The number of dialogs in the list when that walk began."""


class ListRest:
    """What an interrupted walk has not read: the dialogs that began since, and the end of the list.

    Args:
        reader: reads the pages.
        start: what was read.
    """

    def __init__(self, reader: PageReader, start: ListStart) -> None:
        self.is_complete: bool = False
        """Each dialog of the list is in `start` or was returned."""
        self._reader = reader
        self._start = start
        self._began = 0
        """Dialogs before the first one that was read."""
        self._has_met_known = False

    async def batches(self) -> AsyncGenerator[list[Conversation], None]:
        """Return the dialogs that are not in `start`, as far as its pages still are where they were."""
        reader, start = self._reader, self._start
        number, page = 1, await reader.read(1)
        while page is not None and page.items:
            yield self._take(page)
            if self._has_met_known:
                break
            number += 1
            page = await reader.read(number)
        else:
            return
        total = page.pagination.total
        if total is None or total - start.total != self._began:
            return  # dialogs were deleted or have changed their places, too
        position = self._began + len(start.ids)
        if position >= total:
            self.is_complete = True
            return
        # One page before that of the first dialog that was not read: the two must overlap.
        first = max(number + 1, position // max(1, reader.page_size(page)))
        single = PagePass(reader, set(), start.ids | reader.seen, first)
        async for batch in single.batches():
            yield batch
        self.is_complete = single.is_complete and (single.overlaps or first == number + 1)

    def _take(self, page: ConversationPage) -> list[Conversation]:
        """Return the dialogs of one of the first pages that were not read; count those that began."""
        seen, new = self._reader.seen, []
        for dialog in page.items:
            key = key_of(dialog.id)
            if key in self._start.ids:
                self._has_met_known = True
            elif key not in seen:
                seen.add(key)
                new.append(dialog)
                self._began += not self._has_met_known
        return new
