"""The client of the dialog API for scripts without an event loop: `BotOne.sync(...)`."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, cast
from uuid import UUID

from anyio.from_thread import BlockingPortal, start_blocking_portal

from vertexkit.botone.blocking import Blocking, BlockingMethod, blocking
from vertexkit.botone.dialogs import V1, V2
from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.botone.pages import Conversations

P = ParamSpec("P")
T = TypeVar("T")


class EventLoopThread:
    """A thread with an event loop, between `start` and `stop`."""

    def __init__(self) -> None:
        self._portal: BlockingPortal | None = None
        self._context: AbstractContextManager[BlockingPortal] | None = None

    def start(self) -> None:
        """Start the thread."""
        self._context = start_blocking_portal("asyncio")
        self._portal = self._context.__enter__()

    def stop(self) -> None:
        """Stop the thread after the coroutines in progress; no effect if it does not run."""
        context, self._context, self._portal = self._context, None, None
        if context is not None:
            context.__exit__(None, None, None)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the thread's event loop and wait for its result.

        Raises:
            RuntimeError: the thread does not run.
        """
        if self._portal is None:
            coroutine.close()
            raise RuntimeError("call this method inside `with BotOne.sync(...) as bot:`")
        result: T = self._portal.call(_await, coroutine)
        return result


async def _await(coroutine: Coroutine[Any, Any, T]) -> T:
    return await coroutine


def blocking_list(
    method: Callable[Concatenate[Any, P], Conversations],
) -> BlockingMethod[P, "SyncConversations"]:
    """Return the blocking form of a method that returns `Conversations`."""

    @wraps(method)
    def call(self: Blocking[Any], /, *args: P.args, **kwargs: P.kwargs) -> SyncConversations:
        return SyncConversations(method(self.target, *args, **kwargs), self.run)

    return cast(BlockingMethod[P, SyncConversations], call)


class SyncConversations(Blocking[Conversations]):
    """A list of dialogs for `for`; see `Conversations`."""

    page: Final = blocking(Conversations.page)
    details: Final = blocking(Conversations.details)
    to_arrow: Final = blocking(Conversations.to_arrow)
    to_pandas: Final = blocking(Conversations.to_pandas)
    to_polars: Final = blocking(Conversations.to_polars)

    @property
    def total(self) -> int | None:
        """See `Conversations`."""
        return self.target.total

    @property
    def total_at_start(self) -> int | None:
        """See `Conversations`."""
        return self.target.total_at_start

    def resume_after(self, ids: Iterable[int | UUID], total_at_start: int) -> None:
        """Continue an interrupted iteration; see `Conversations.resume_after`."""
        self.target.resume_after(ids, total_at_start)

    @property
    def problems(self) -> tuple[str, ...]:
        """See `Conversations`."""
        return self.target.problems

    def __iter__(self) -> Iterator[Conversation]:
        # A switch of the thread for each dialog would take much longer than reading it.
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[list[Conversation]]:
        """Iterate over the dialogs in lists; see `Conversations.batches`."""
        return self._iterate(self.target.batches())

    def detailed(
        self, at_once: int = 8, *, skip: Callable[[Conversation], bool] | None = None
    ) -> Iterator[ConversationDetails]:
        """Iterate over the dialogs with their data; see `Conversations.detailed`."""
        return self._iterate(self.target.detailed(at_once, skip=skip))

    def _iterate(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        async def next_item() -> T | None:
            return await anext(items, None)

        try:
            while (item := self.run(next_item())) is not None:
                yield item
        finally:
            with suppress(RuntimeError):  # the thread has stopped, and the iteration with it
                self.run(items.aclose())


class SyncV1(Blocking[V1]):
    """The blocking form of `V1`."""

    conversations: Final = blocking_list(V1.conversations)
    conversation: Final = blocking(V1.conversation)
    find: Final = blocking(V1.find)
    create: Final = blocking(V1.create)
    download: Final = blocking(V1.download)


class SyncV2(Blocking[V2]):
    """The blocking form of `V2`."""

    conversations: Final = blocking_list(V2.conversations)
    conversation: Final = blocking(V2.conversation)
    find: Final = blocking(V2.find)
    create: Final = blocking(V2.create)
    create_and_start: Final = blocking(V2.create_and_start)
    stop: Final = blocking(V2.stop)
    start: Final = blocking(V2.start)
    send: Final = blocking(V2.send)
    goto: Final = blocking(V2.goto)
    download: Final = blocking(V2.download)


class SyncBotOne:
    """The blocking form of `BotOne`, created by `BotOne.sync`.

    Use it as a context manager: `with BotOne.sync(...) as bot:`. Its event loop runs in a thread.

    Attributes:
        v1: version 1 of the API.
        v2: version 2 of the API.
    """

    def __init__(self, v1: V1, v2: V2, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._thread = EventLoopThread()
        self._close = close
        self.v1: SyncV1 = SyncV1(v1, self._thread.run)
        self.v2: SyncV2 = SyncV2(v2, self._thread.run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._thread.run(self._close())
        finally:
            self._thread.stop()
