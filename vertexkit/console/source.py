"""What the console reads from: a journal, and the service that uses it if there is one."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from vertexkit.blocks.registry import Blocks
from vertexkit.journal.protocol import Journal, JournalAdmin
from vertexkit.settings import Settings
from vertexkit.telemetry.log_tail import LogTail
from vertexkit.telemetry.prometheus import Snapshot


class ObservedService(Protocol):
    """A running service as the console sees it."""

    settings: Settings
    blocks: Blocks
    journal: Journal

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """Return status and content of `GET /readyz`."""

    async def snapshot(self) -> Snapshot:
        """Return the metrics of all processes of the service."""


@dataclass(frozen=True, slots=True)
class ConsoleSource:
    """What the console reads from."""

    open_journal: Callable[[], AbstractAsyncContextManager[JournalAdmin]]
    """Returns a context in which the journal can be asked; entered for each request."""
    journal_url: str
    """Where the journal is, without a password."""
    service: ObservedService | None = None
    """The service that uses the journal; None: only the journal is known."""
    writable: bool = False
    """Whether operators may retry, drop and send events."""
    log_tail: LogTail | None = None
    """The newest lines of the log of this process; None: they are not kept."""
