"""An execution in this process's hands."""

import asyncio
from dataclasses import dataclass

from vertexkit.attempt import Attempt
from vertexkit.completion import Completion
from vertexkit.execution import Outcome
from vertexkit.journal.base import Lease


@dataclass(slots=True)
class Active:
    """An execution that this process holds."""

    lease: Lease
    task: asyncio.Task[None] | None = None
    attempt: Attempt | None = None
    completion: Completion | None = None
    outcome: asyncio.Future[Outcome] | None = None
    """Of a completion that the handler itself asked for."""
    began: float = 0.0
