"""The client for scripts that have no event loop: the same methods, blocking."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from vertexkit.botone.blocking import Blocking, blocking
from vertexkit.botone.dialogs import V1, V2
from vertexkit.botone.models import Conversation, ConversationDetails
from vertexkit.botone.pages import Conversations

P = ParamSpec("P")
T = TypeVar("T")


class Thread:
    """An event loop in a thread, while it is entered."""

    def __init__(self) -> None:
        self._portal: BlockingPortal | None = None
        self._running: AbstractContextManager[BlockingPortal] | None = None

    def start(self) -> None:
        """Begin."""
        self._running = start_blocking_portal("asyncio")
        self._portal = self._running.__enter__()

    def stop(self) -> None:
        """End, when what is under way is done; harmless if it has ended."""
        running, self._running, self._portal = self._running, None, None
        if running is not None:
            running.__exit__(None, None, None)

    def wait(self, doing: Coroutine[Any, Any, T]) -> T:
        """Wait until its loop has done it.

        Raises:
            RuntimeError: it is not running.
        """
        if self._portal is None:
            doing.close()
            raise RuntimeError("use it inside `with BotOne.sync(...) as bot:`")
        done: T = self._portal.call(_done, doing)
        return done


async def _done(doing: Coroutine[Any, Any, T]) -> T:
    return await doing


def listing(
    method: Callable[Concatenate[Any, P], Conversations],
) -> Callable[Concatenate[Blocking[Any], P], "SyncConversations"]:
    """The method, as one that gives a list to be walked through with `for`."""

    @wraps(method)
    def walk(self: Blocking[Any], /, *args: P.args, **kwargs: P.kwargs) -> SyncConversations:
        return SyncConversations(method(self.target, *args, **kwargs), self.wait)

    return walk


class SyncConversations(Blocking[Conversations]):
    """The dialogs of a list: `for dialog in bot.v2.conversations(): ...`."""

    page = blocking(Conversations.page)

    def __iter__(self) -> Iterator[Conversation]:
        return self._walk(aiter(self.target))

    def detailed(self, at_once: int = 8) -> Iterator[ConversationDetails]:
        """The dialogs with what they have collected; as `Conversations.detailed`."""
        return self._walk(self.target.detailed(at_once))

    def _walk(self, walk: AsyncGenerator[T, None]) -> Iterator[T]:
        async def following() -> T | None:
            return await anext(walk, None)

        try:
            while (dialog := self.wait(following())) is not None:
                yield dialog
        finally:
            with suppress(RuntimeError):  # its thread has ended, and the walk with it
                self.wait(walk.aclose())


class SyncV1(Blocking[V1]):
    """Version 1; see `V1`."""

    conversations = listing(V1.conversations)
    conversation = blocking(V1.conversation)
    create = blocking(V1.create)
    download = blocking(V1.download)


class SyncV2(Blocking[V2]):
    """Version 2; see `V2`."""

    conversations = listing(V2.conversations)
    conversation = blocking(V2.conversation)
    create = blocking(V2.create)
    create_and_start = blocking(V2.create_and_start)
    stop = blocking(V2.stop)
    start = blocking(V2.start)
    send = blocking(V2.send)
    goto = blocking(V2.goto)
    download = blocking(V2.download)


class SyncBotOne:
    """As `BotOne`, for `with` and `for`; made by `BotOne.sync`. An event loop runs in a thread."""

    def __init__(self, v1: V1, v2: V2, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._thread = Thread()
        self._close = close
        self.v1 = SyncV1(v1, self._thread.wait)
        self.v2 = SyncV2(v2, self._thread.wait)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._thread.wait(self._close())
        finally:
            self._thread.stop()
