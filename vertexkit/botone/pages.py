"""A list of dialogs, page by page."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Container, Mapping
from contextlib import aclosing
from typing import Any, TypeVar
from uuid import UUID

from vertexkit.botone.models import Conversation, ConversationDetails, ConversationPage
from vertexkit.botone.session import Session, understood
from vertexkit.errors import Forbidden, NotFound, UnexpectedAnswer

T = TypeVar("T")
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
        self.total: int | None = None
        """Dialogs in the whole list, as the page that came last says; None if none has or does."""

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
        self.total = page.pagination.total
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
            await _let_go(flights)

    async def detailed(
        self, at_once: int = 8, *, known: Container[str] = ()
    ) -> AsyncGenerator[ConversationDetails, None]:
        """The dialogs with what they have collected: one more request for each.

        One that was deleted meanwhile comes without its data, and `unread`.

        Args:
            at_once: requests under way, those for pages apart.
            known: ids, as texts, of dialogs to leave out.

        Raises:
            PlatformError: as `BotOne` says.
        """
        flights: deque[asyncio.Task[ConversationDetails]] = deque()
        try:
            async with aclosing(aiter(self)) as dialogs:
                async for dialog in dialogs:
                    if str(dialog.id) in known:
                        continue
                    flights.append(asyncio.ensure_future(self._detail(dialog)))
                    if len(flights) >= at_once:
                        yield await flights.popleft()
            while flights:
                yield await flights.popleft()
        finally:
            await _let_go(flights)

    async def _detail(self, dialog: Conversation) -> ConversationDetails:
        path = f"{self._path.removesuffix('s')}/{dialog.id}"
        try:
            answer = await self._session.ask("GET", path, safe=True)
        except (NotFound, Forbidden):
            return ConversationDetails.model_validate(dialog.model_dump() | {"unread": True})
        found: ConversationDetails = understood(
            "GET", path, answer, ConversationDetails.model_validate
        )
        return found

    async def _turn(self, number: int) -> ConversationPage:
        page = await self.page(number)
        shown = page.pagination.current_page
        if page.items and shown is not None and shown != number:
            raise UnexpectedAnswer(
                "GET", self._path, status=200, reason=f"asked for page {number}, it gave {shown}"
            )
        return page


async def _let_go(flights: deque[asyncio.Task[T]]) -> None:
    """Nobody waits for them any more."""
    for flight in flights:
        flight.cancel()
    await asyncio.gather(*flights, return_exceptions=True)
