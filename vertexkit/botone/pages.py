"""Lists of dialogs, which the platform returns page by page (methods 1 and 5)."""

import asyncio
import warnings
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any
from uuid import UUID

from vertexkit.botone.conversation_page import ConversationPage
from vertexkit.botone.data_frames import arrow_of, pandas_of, polars_of
from vertexkit.botone.dialog_requests import DialogRequests, decode_json
from vertexkit.botone.dialog_rows import RowKind
from vertexkit.botone.list_rest import ListStart
from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.botone.page_reader import key_of
from vertexkit.botone.walk import PageWalk
from vertexkit.errors import (
    Forbidden,
    IncompleteListWarning,
    NotFound,
    PlatformError,
    PlatformUnreachable,
    RateLimited,
    Unauthorized,
)

PAGE_SIZE = 100
"""Dialogs on a page, by default."""
MAX_FAILURES_IN_A_ROW = 10
"""Dialogs in a row whose data cannot be read, after which the platform is considered broken."""


class Conversations:
    """A list of dialogs: `async for dialog in bot.v2.conversations(bot_id=1446): ...`.

    Dialogs may begin, change and be deleted while the list is read: each dialog that is in the list
    from start to end is returned once. What the platform's answers do not allow to make good is in
    `problems`, and is an `IncompleteListWarning` at the end of the iteration. The ids of the
    returned dialogs are kept meanwhile: about 100 bytes for each.

    Attributes:
        total: the number of dialogs in the whole list, according to the page read last; None if no
            page was read or the platform does not say.
        total_at_start: the same, according to the page that the last iteration read first.
        problems: a sentence for each thing that is missing from the last iteration; empty if it
            was complete.
    """

    def __init__(self, requests: DialogRequests, path: str, query: Mapping[str, Any]) -> None:
        self._requests = requests
        self._path = path
        self._query = query
        self.total: int | None = None
        self.total_at_start: int | None = None
        self.problems: tuple[str, ...] = ()
        self._start: ListStart | None = None

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
        page = await self._requests.send(
            "GET", self._path, query=query, idempotent=True, parse=_read_page
        )
        self.total = page.pagination.total
        return page

    def resume_after(self, ids: Iterable[int | UUID], total_at_start: int) -> None:
        """Continue an interrupted iteration: the next one skips the pages that it has read.

        The dialogs that began since are returned too. If others were deleted or have changed their
        places, the whole list is read again, and returned.

        Args:
            ids: the dialogs that the interrupted iteration has returned, all of them.
            total_at_start: its `total_at_start`.
        """
        self._start = ListStart(frozenset(map(key_of, ids)), total_at_start)

    async def __aiter__(self) -> AsyncGenerator[Conversation, None]:
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                for dialog in batch:
                    yield dialog

    async def batches(self) -> AsyncGenerator[list[Conversation], None]:
        """Iterate over the same dialogs in lists: those of a page together.

        This is faster for many dialogs than the iteration over single ones.

        Yields:
            Dialogs, in the order of the list; an empty list for a page that has nothing new.

        Raises:
            PlatformError: see `BotOne`.
        """
        self.problems = ()
        walk = PageWalk(self.page, self._start)
        async with aclosing(walk.batches()) as batches:
            async for batch in batches:
                self.total_at_start = walk.reader.total_at_start
                yield batch
        self._report_problems(*walk.problems)

    async def detailed(
        self, at_once: int = 8, *, skip: Callable[[Conversation], bool] | None = None
    ) -> AsyncGenerator[ConversationDetails, None]:
        """Iterate over the dialogs with the data they collected: one more request for each.

        A dialog whose data cannot be read is returned without data, with the members of the list,
        and with the reason in `error`: it was deleted meanwhile, or the platform's answer is not
        readable even after several attempts.

        Args:
            at_once: requests for data that may be in progress at the same time.
            skip: called with each listed dialog; its data is not requested if it returns True.

        Yields:
            The dialogs, in the order of the list.

        Raises:
            PlatformError: the platform cannot be reached, it rejects the login or the rate of
                requests, or many dialogs in a row cannot be read.
        """
        requested: deque[asyncio.Task[ConversationDetails]] = deque()
        failures = _Failures()
        try:
            async with aclosing(aiter(self)) as dialogs:
                async for dialog in dialogs:
                    if skip is not None and skip(dialog):
                        continue
                    requested.append(asyncio.ensure_future(self.details(dialog)))
                    if len(requested) >= at_once:
                        yield failures.count(await requested.popleft())
            while requested:
                yield failures.count(await requested.popleft())
        finally:
            for task in requested:
                task.cancel()
            await asyncio.gather(*requested, return_exceptions=True)
        self._report_problems(*failures.sentences)

    async def to_arrow(self, rows: RowKind = "dialogs") -> Any:
        """Read the whole list into a `pyarrow.Table`, with the columns of an export.

        It needs `pip install 'vertexkit[parquet]'`.

        Args:
            rows: a row for each dialog (`dialogs`; `wide` with a column for each question; `whole`
                with all that the platform sent), or for each answer (`answers`).

        Raises:
            PlatformError: see `BotOne`, and `detailed` for rows with answers.
        """
        if rows == "dialogs":
            return arrow_of([dialog async for dialog in self], rows)
        return arrow_of([dialog async for dialog in self.detailed()], rows)

    async def to_pandas(self, rows: RowKind = "dialogs") -> Any:
        """Read the whole list into a `pandas.DataFrame`; see `to_arrow`.

        Times are in UTC; whole numbers and flags stay what they are where values are missing.
        """
        return pandas_of(await self.to_arrow(rows))

    async def to_polars(self, rows: RowKind = "dialogs") -> Any:
        """Read the whole list into a `polars.DataFrame`; see `to_arrow`."""
        return polars_of(await self.to_arrow(rows))

    async def details(self, dialog: Conversation) -> ConversationDetails:
        """Read the data of a listed dialog; see `detailed`.

        Args:
            dialog: the dialog, as the list contains it.

        Raises:
            PlatformError: the platform cannot be used now.
        """
        path = f"{self._path.removesuffix('s')}/{dialog.id}"
        try:
            return await self._requests.send("GET", path, idempotent=True, parse=read_details)
        except (PlatformUnreachable, Unauthorized, RateLimited):
            raise
        except PlatformError as error:
            return ConversationDetails.without_data(dialog, error)

    def _report_problems(self, *problems: str) -> None:
        if problems:
            self.problems += problems
            text = f"GET {self._path}: the list is incomplete: {'; '.join(problems)}"
            warnings.warn(text, IncompleteListWarning, stacklevel=3)


class _Failures:
    """The dialogs whose data could not be read."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self._in_a_row = 0

    def count(self, dialog: ConversationDetails) -> ConversationDetails:
        """Count a dialog; raise its error if too many in a row have failed."""
        error = dialog.error
        if error is None or isinstance(error, (NotFound, Forbidden)):  # it was deleted meanwhile
            self._in_a_row = 0
            return dialog
        self._in_a_row += 1
        if self._in_a_row == MAX_FAILURES_IN_A_ROW:
            raise error
        self.sentences.append(f"the data of dialog {dialog.id} could not be read: {error}")
        return dialog


def read_details(body: bytes) -> ConversationDetails:
    """Read a dialog with its data from the JSON of a response (methods 2 and 6)."""
    try:
        return ConversationDetails.model_validate_json(body)
    except ValueError:
        return ConversationDetails.read(decode_json(body))


def _read_page(body: bytes) -> ConversationPage:
    page = ConversationPage.read_json(body)
    return page if page is not None else ConversationPage.read(decode_json(body))
