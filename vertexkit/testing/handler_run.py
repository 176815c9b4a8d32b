"""The run of a handler whose waits take no time."""

from contextvars import ContextVar

from vertexkit.testing.clock import VirtualClock


class HandlerRun:
    """The run of a handler whose waits are virtual, until it has ended.

    Args:
        clock: of its waits.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.is_running = True


HANDLER_RUN: ContextVar[HandlerRun | None] = ContextVar("HANDLER_RUN", default=None)
"""The run that the current code belongs to: also in tasks and threads that it has started."""
