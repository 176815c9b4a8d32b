"""What stands behind a context: the process, the terms of a run, the facts of an execution."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import structlog

from vertexkit.botone.instance_clients import InstanceClients
from vertexkit.botone.vertex import Vertex
from vertexkit.clock import Clock
from vertexkit.errors import VertexkitError
from vertexkit.journal.protocol import Journal, Lease
from vertexkit.telemetry.events import Events
from vertexkit.token import Claims

OnUnknown = Literal["assume_sent", "resend", "raise", "park"]
"""What to do with a message of which nobody can tell whether it was sent."""

OnCrash = Literal["run", "fail"]
"""After the death of its process: run the handler again, or complete the block as `crashed`."""
OnPark = Literal["complete", "leave"]
"""Before an execution is parked: complete the block as failed, or leave the dialog as it is."""

log = structlog.get_logger("vertexkit.block")


@dataclass(frozen=True, slots=True)
class Runtime:
    """What stands behind every context of a process."""

    journal: Journal
    vertex: Vertex
    events: Events
    clock: Clock
    clients: InstanceClients
    state: Any = None
    """What the app's lifespan yielded."""

    def emit(self, name: str, lease: Lease, **fields: Any) -> None:
        """Say that `name` happened to the execution of this lease."""
        self.events.emit(name, lease.execution.id, lease.execution.block, **fields)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The terms of one run of a handler."""

    deadline: float
    """On the clock."""
    on_unknown: OnUnknown
    stop: Callable[[VertexkitError], None]
    """Ends the run from within: the dialog is gone, the lease is lost, the run went astray."""
    complete: Callable[[Any], Awaitable[None]]
    """Completes the block with a value, now."""
    first_position: int = 0


class Facts:
    """What a handler may know of its execution."""

    def __init__(self, runtime: Runtime, lease: Lease, terms: RunOptions) -> None:
        self._runtime = runtime
        self._lease = lease
        self._options = terms

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._lease.execution.block} {self.execution_id}>"

    @property
    def execution_id(self) -> str:
        """The execution's id, as it was answered to the platform's call and as it is logged."""
        return self._lease.execution.id

    @property
    def attempt(self) -> int:
        """1 for the first run of the handler."""
        return self._lease.attempt

    @property
    def inputs(self) -> dict[str, Any]:
        """What the call brought for the block, before it was validated."""
        return self._lease.execution.inputs

    @property
    def raw(self) -> bytes:
        """The body of the platform's call as it came. It holds the token: never log it."""
        return self._lease.execution.raw

    @property
    def claims(self) -> Claims | None:
        """What the token says of itself, **unverified**; None if it is no JWT."""
        return self._lease.execution.token.claims

    @property
    def state(self) -> Any:
        """What the app's lifespan yielded."""
        return self._runtime.state

    @property
    def log(self) -> Any:
        """A structlog logger; each of its lines names the execution."""
        return log

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; 0 once it has passed."""
        return max(0.0, self._options.deadline - self._runtime.clock.now())

    @property
    def deadline(self) -> datetime:
        """When this run of the handler is ended (UTC)."""
        clock = self._runtime.clock
        return datetime.fromtimestamp(clock.unix() + self._options.deadline - clock.now(), UTC)


def subject(facts: Facts) -> tuple[str, str]:
    """Block and execution that a handler's context speaks of."""
    execution = facts._lease.execution  # noqa: SLF001 - authors need no name for it
    return execution.block, execution.id
