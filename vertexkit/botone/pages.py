"""Lists of dialogs, which the platform returns page by page (methods 1 and 5)."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Container, Mapping
from contextlib import aclosing
from typing import Any, TypeVar
from uuid import UUID

from vertexkit.botone.dialog_requests import DialogRequests, parse_body
from vertexkit.botone.models import Conversation, ConversationDetails, ConversationPage
from vertexkit.errors import Forbidden, NotFound, UnexpectedResponse

T = TypeVar("T")
PREFETCHED_PAGES = 3
"""Pages that are requested before they are needed."""
REMEMBERED_IDS = 20_000
"""Ids of the dialogs returned last; a dialog whose id is among them is a repetition."""
PAGE_SIZE = 100
"""Dialogs on a page, by default."""


class Conversations:
    """A list of dialogs: `async for dialog in bot.v2.conversations(bot_id=1446): ...`.

    While the list is read, new dialogs shift the others to later pages; each dialog is returned
    once nevertheless. Deleted dialogs shift the others to earlier pages, so that some may be
    missing.

    Attributes:
        total: the number of dialogs in the whole list, according to the page read last; None if no
            page was read or the platform does not say.
    """

    def __init__(self, requests: DialogRequests, path: str, query: Mapping[str, Any]) -> None:
        self._requests = requests
        self._path = path
        self._query = query
        self.total: int | None = None

    async def page(self, number: int = 1) -> ConversationPage:
        """Read one page, with its pagination.

        Args:
            number: the page's number, from 1.

        Raises:
            ValueError: the number is below 1.
            PlatformError: see `BotOne`.
        """
        if number < 1:
            raise ValueError(f"page number must be at least 1, got {number}")
        query = {**self._query, "PageNumber": number}
        response = await self._requests.send("GET", self._path, query=query, idempotent=True)
        page: ConversationPage = parse_body("GET", self._path, response, ConversationPage.read)
        self.total = page.pagination.total
        return page

    async def __aiter__(self) -> AsyncGenerator[Conversation, None]:
        seen: OrderedDict[int | UUID, None] = OrderedDict()
        requested: deque[asyncio.Task[ConversationPage]] = deque()
        number = last_requested = 1
        try:
            requested.append(asyncio.ensure_future(self._checked_page(last_requested)))
            while requested:
                page = await requested.popleft()
                total_pages = page.pagination.total_pages
                if total_pages is None:  # unknown: the list ends with a page without new dialogs
                    total_pages = number + any(dialog.id not in seen for dialog in page.items)
                number += 1
                while last_requested < total_pages and len(requested) < PREFETCHED_PAGES:
                    last_requested += 1
                    requested.append(asyncio.ensure_future(self._checked_page(last_requested)))
                for dialog in page.items:
                    if dialog.id not in seen:
                        seen[dialog.id] = None
                        if len(seen) > REMEMBERED_IDS:
                            seen.popitem(last=False)
                        yield dialog
        finally:
            await _cancel(requested)

    async def detailed(
        self, at_once: int = 8, *, known: Container[str] = ()
    ) -> AsyncGenerator[ConversationDetails, None]:
        """Iterate over the dialogs with the data they collected: one more request for each.

        A dialog that was deleted in the meantime is returned without data and with `unread` set.

        Args:
            at_once: requests for data that may be in progress at the same time.
            known: ids, as texts, of dialogs to skip.

        Yields:
            The dialogs, in the order of the list.

        Raises:
            PlatformError: see `BotOne`.
        """
        requested: deque[asyncio.Task[ConversationDetails]] = deque()
        try:
            async with aclosing(aiter(self)) as dialogs:
                async for dialog in dialogs:
                    if str(dialog.id) in known:
                        continue
                    requested.append(asyncio.ensure_future(self._details(dialog)))
                    if len(requested) >= at_once:
                        yield await requested.popleft()
            while requested:
                yield await requested.popleft()
        finally:
            await _cancel(requested)

    async def _details(self, dialog: Conversation) -> ConversationDetails:
        path = f"{self._path.removesuffix('s')}/{dialog.id}"
        try:
            response = await self._requests.send("GET", path, idempotent=True)
        except (NotFound, Forbidden):
            return ConversationDetails.model_validate(dialog.model_dump() | {"unread": True})
        details: ConversationDetails = parse_body(
            "GET", path, response, ConversationDetails.model_validate
        )
        return details

    async def _checked_page(self, number: int) -> ConversationPage:
        page = await self.page(number)
        current = page.pagination.current_page
        if page.items and current is not None and current != number:
            raise UnexpectedResponse(
                "GET",
                self._path,
                status=200,
                reason=f"requested page {number}, the platform returned page {current}",
            )
        return page


async def _cancel(tasks: deque[asyncio.Task[T]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
