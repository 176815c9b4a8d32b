"""What a `def` handler holds: the same as a `Context`, in blocking form."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Literal, ParamSpec, TypeVar

from vertexkit.botone.models import Message
from vertexkit.context.context import Context
from vertexkit.context.dialog import SyncDialogOfBlock
from vertexkit.context.runtime import Facts
from vertexkit.context.stream.splitter import Splitter

P = ParamSpec("P")
T = TypeVar("T")


class SyncContext(Facts):
    """The dialog, as a `def` handler sees it from its thread.

    Each method waits until the event loop has done it. Once the deadline has passed, the thread
    itself cannot be stopped, but whatever it asks of its context raises `ExecutionEnded`.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context._runtime, context._lease, context._options)  # noqa: SLF001
        self._context = context
        self._loop = asyncio.get_running_loop()

    @property
    def dialog(self) -> SyncDialogOfBlock:
        """This dialog through the platform's dialog API; as `Context.dialog`."""
        return SyncDialogOfBlock(self._context.dialog, self._wait)

    def send_message(self, text: str, typing: bool = True) -> Message:
        """Say something in the dialog; as `Context.send_message`, and it raises the same."""
        return self._wait(self._context.send_message(text, typing))

    def step(self, name: str, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something once for this execution; as `Context.step`, and it raises the same."""
        return self._wait(self._context.step(name, fn, *args, **kwargs))

    def stream(
        self,
        chunks: Iterable[str],
        *,
        by: Literal["paragraph", "sentence"] = "paragraph",
        limit: int = 1000,
        typing: bool = True,
    ) -> list[Message]:
        """Say a growing text in several messages; as `Context.stream`, and it raises the same."""
        splitter = Splitter(limit=limit, by=by)
        sent: list[Message] = []
        for chunk in chunks:
            sent.extend([self.send_message(text, typing) for text in splitter.feed(chunk)])
        sent.extend([self.send_message(text, typing) for text in splitter.finish()])
        return sent

    def complete(self, data: Any = None) -> None:
        """End the block now with this result; as `Context.complete`, and it raises the same."""
        self._wait(self._context.complete(data))

    def _wait(self, doing: Coroutine[Any, Any, T]) -> T:
        try:
            # Asked here and not on the loop: a thread that was given up may outlive it.
            self._context._check_open()  # noqa: SLF001
            done = asyncio.run_coroutine_threadsafe(doing, self._loop)
        except BaseException:
            doing.close()
            raise
        return done.result()
