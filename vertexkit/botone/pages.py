"""A list of dialogs, page by page."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from uuid import UUID

from vertexkit.botone.models import Conversation, ConversationPage
from vertexkit.botone.session import Session, understood
from vertexkit.errors import UnexpectedAnswer

AHEAD = 3
"""Pages that are asked for before they are needed."""
REMEMBERED = 20_000
"""The last dialogs, by which one that comes a second time is known."""
PAGE_SIZE = 100


class Conversations:
    """The dialogs of a list: `async for dialog in bot.v2.conversations(bot_id=1446): ...`.

    Dialogs that begin meanwhile push the others to later pages; each is given once all the same.
    What is deleted meanwhile pulls them to earlier pages, and may hide some.
    """

    def __init__(self, session: Session, path: str, query: Mapping[str, Any]) -> None:
        self._session = session
        self._path = path
        self._query = query

    async def page(self, number: int = 1) -> ConversationPage:
        """One page, with its pagination.

        Args:
            number: from 1.

        Raises:
            ValueError: a number below 1.
            PlatformError: as `BotOne` says.
        """
        if number < 1:
            raise ValueError(f"pages are counted from 1; {number} is none")
        asked = {**self._query, "PageNumber": number}
        answer = await self._session.ask("GET", self._path, query=asked, safe=True)
        page: ConversationPage = understood("GET", self._path, answer, ConversationPage.read)
        return page

    async def __aiter__(self) -> AsyncGenerator[Conversation, None]:
        seen: OrderedDict[int | UUID, None] = OrderedDict()
        flights: deque[asyncio.Task[ConversationPage]] = deque()
        number = following = 1
        try:
            flights.append(asyncio.ensure_future(self._turn(following)))
            while flights:
                page = await flights.popleft()
                last = page.pagination.total_pages
                if last is None:  # it does not say: the end is a page without dialogs
                    last = number + bool(page.items)
                number += 1
                while following < last and len(flights) < AHEAD:
                    following += 1
                    flights.append(asyncio.ensure_future(self._turn(following)))
                for dialog in page.items:
                    if dialog.id not in seen:
                        seen[dialog.id] = None
                        if len(seen) > REMEMBERED:
                            seen.popitem(last=False)
                        yield dialog
        finally:
            for flight in flights:
                flight.cancel()
            await asyncio.gather(*flights, return_exceptions=True)

    async def _turn(self, number: int) -> ConversationPage:
        page = await self.page(number)
        shown = page.pagination.current_page
        if page.items and shown is not None and shown != number:
            raise UnexpectedAnswer(
                "GET", self._path, status=200, reason=f"asked for page {number}, it gave {shown}"
            )
        return page
