"""What a context works with: the objects of its process, and the options of its run."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from vertexkit.botone.instance_clients import InstanceClients
from vertexkit.botone.vertex import Vertex
from vertexkit.clock import Clock
from vertexkit.context.event_types import EventTypes
from vertexkit.context.lifetime import Lifetime
from vertexkit.errors import VertexkitError
from vertexkit.journal.protocol import Journal, Lease
from vertexkit.telemetry.events import Events

OnUnknown = Literal["assume_sent", "resend", "raise", "park"]
"""What to do about a message when it is unknown whether it was sent: treat it as sent, send it
again, raise `SendOutcomeUnknown`, or park the execution."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The objects of a process that every execution in it uses."""

    journal: Journal
    vertex: Vertex
    events: Events
    clock: Clock
    clients: InstanceClients
    state: Any = None
    """What the app's lifespan yielded."""
    event_types: EventTypes = field(default_factory=EventTypes)
    """Of the events that handlers wait for."""
    public_url: str = ""
    """Address at which callers from outside reach this service, for the URLs of events."""

    def emit(self, name: str, lease: Lease, **fields: Any) -> None:
        """Report an event of the lease's execution.

        Args:
            name: Name of the event, a past participle.
            lease: Lease of the execution.
            **fields: Fields of the event.
        """
        self.events.emit(name, lease.execution.id, lease.execution.block, **fields)

    def record(self, name: str, lease: Lease, /, **fields: Any) -> None:
        """Report an event of the lease's execution to recordings and tests; it is not logged.

        Args:
            name: Name of the event, a past participle.
            lease: Lease of the execution.
            **fields: Fields of the event, which may contain what users wrote.
        """
        self.events.record(name, lease.execution.id, lease.execution.block, **fields)

    def emit_contents(self, name: str, lease: Lease, **fields: Any) -> None:
        """Report contents of the lease's execution, for recordings: see `Events.emit_contents`.

        Args:
            name: Name of the contents.
            lease: Lease of the execution.
            **fields: The contents.
        """
        self.events.emit_contents(name, lease.execution.id, lease.execution.block, **fields)


class RunControl(Protocol):
    """What a context needs of the attempt that it belongs to."""

    def stop(self, reason: VertexkitError) -> None:
        """End the run now: the dialog is gone, the lease is lost, or the run cannot be matched."""

    def suspend(self, seconds: float) -> None:
        """End the run now: the handler waits, and runs again after some seconds or at an event."""

    async def complete(self, data: Any) -> None:
        """Complete the block with this value now."""

    async def ensure_lease(self) -> None:
        """Check that no other worker has taken over the execution; see `HeldLease.ensure`."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of one run of a handler or of an `on_failure` hook."""

    on_unknown: OnUnknown
    control: RunControl
    lifetime: Lifetime
    max_wait: float = math.inf
    """Seconds since the acceptance in which the execution may wait."""
    first_position: int = 0
    """Position of the run's first effect in the journal."""

    @property
    def deadline(self) -> float:
        """When the run is ended: a time of the clock's `now()`."""
        return self.lifetime.deadline
