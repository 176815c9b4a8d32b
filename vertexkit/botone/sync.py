"""The client for scripts that have no event loop: the same methods, blocking."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from vertexkit.botone.dialogs import V1, V2, Dialogs
from vertexkit.botone.models import Conversation, ConversationPage
from vertexkit.botone.pages import Conversations

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V", bound=Dialogs)
Run = Callable[..., Any]


class SyncDialogs(Generic[V]):
    """One version of the API, blocking.

    Args:
        dialogs: does it.
        portal: gives the event loop, once there is one.
    """

    def __init__(self, dialogs: V, portal: Callable[[], BlockingPortal]) -> None:
        self.dialogs = dialogs
        self.portal = portal


def blocking(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[SyncDialogs[Any], P], T]:
    """The method, as one that waits."""

    @wraps(method)
    def wait(self: SyncDialogs[Any], /, *args: P.args, **kwargs: P.kwargs) -> T:
        async def ask() -> T:
            return await method(self.dialogs, *args, **kwargs)

        return self.portal().call(ask)

    return wait


def listing(
    method: Callable[Concatenate[Any, P], Conversations],
) -> Callable[Concatenate[SyncDialogs[Any], P], "SyncConversations"]:
    """The method, as one that gives a list to be walked through with `for`."""

    @wraps(method)
    def walk(self: SyncDialogs[Any], /, *args: P.args, **kwargs: P.kwargs) -> SyncConversations:
        return SyncConversations(method(self.dialogs, *args, **kwargs), self.portal)

    return walk


class SyncConversations:
    """The dialogs of a list: `for dialog in bot.v2.conversations(): ...`."""

    def __init__(self, found: Conversations, portal: Callable[[], BlockingPortal]) -> None:
        self._found = found
        self._portal = portal

    def page(self, number: int = 1) -> ConversationPage:
        """One page, with its pagination; as `Conversations.page`, and it raises the same."""
        return self._portal().call(self._found.page, number)

    def __iter__(self) -> Iterator[Conversation]:
        portal, walk = self._portal(), aiter(self._found)
        nothing = object()

        async def following() -> Any:
            return await anext(walk, nothing)

        try:
            while (dialog := portal.call(following)) is not nothing:
                yield dialog
        finally:
            portal.call(walk.aclose)


class SyncV1(SyncDialogs[V1]):
    """Version 1; see `V1`."""

    conversations = listing(V1.conversations)
    conversation = blocking(V1.conversation)
    create = blocking(V1.create)
    download = blocking(V1.download)


class SyncV2(SyncDialogs[V2]):
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

    def __init__(self, v1: V1, v2: V2, close: Callable[[], Awaitable[None]]) -> None:
        self.v1 = SyncV1(v1, self._running)
        self.v2 = SyncV2(v2, self._running)
        self._close = close
        self._portal: BlockingPortal | None = None
        self._thread: AbstractContextManager[BlockingPortal] | None = None

    def __enter__(self) -> Self:
        self._thread = start_blocking_portal("asyncio")
        self._portal = self._thread.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections, and end the thread."""
        portal, thread = self._portal, self._thread
        self._portal = self._thread = None
        if portal is not None and thread is not None:
            try:
                portal.call(self._close)
            finally:
                thread.__exit__(None, None, None)

    def _running(self) -> BlockingPortal:
        if self._portal is None:
            raise RuntimeError("use it inside `with BotOne.sync(...) as bot:`")
        return self._portal
