"""What a handler can read about its run: the call, the attempt, the deadline."""

from datetime import UTC, datetime
from typing import Any, Generic, cast

import structlog
from structlog.typing import FilteringBoundLogger
from typing_extensions import TypeVar

from vertexkit.context.runtime import RunOptions, Runtime
from vertexkit.journal.protocol import Lease
from vertexkit.token import Claims

State = TypeVar("State", default=Any)
"""What the app's lifespan yields."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit.block")


class RunInfo(Generic[State]):
    """The properties that `Context` and `SyncContext` have in common.

    Args:
        runtime: Objects of the process.
        lease: Lease of the execution.
        options: Options of the run.
    """

    def __init__(self, runtime: Runtime, lease: Lease, options: RunOptions) -> None:
        self._runtime = runtime
        self._lease = lease
        self._options = options

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.block} {self.execution_id}>"

    @property
    def block(self) -> str:
        """Name of the block."""
        return self._lease.execution.block

    @property
    def execution_id(self) -> str:
        """Id of the execution: the response to the platform's call and every log line have it."""
        return self._lease.execution.id

    @property
    def attempt(self) -> int:
        """Number of this run of the handler: 1 for the first."""
        return self._lease.attempt

    @property
    def inputs(self) -> dict[str, Any]:
        """The block's inputs as the platform sent them, before validation."""
        return self._lease.execution.inputs

    @property
    def raw(self) -> bytes:
        """Body of the platform's call, decompressed. It contains the token: never log it."""
        return self._lease.execution.raw

    @property
    def claims(self) -> Claims | None:
        """Claims of the token, **unverified**; None if the token is not a JWT."""
        return self._lease.execution.token.claims

    @property
    def state(self) -> State:
        """What the app's lifespan yielded."""
        return cast("State", self._runtime.state)

    @property
    def log(self) -> FilteringBoundLogger:
        """A structlog logger whose lines contain the execution's id, block and dialog."""
        return log

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; 0 after it has passed."""
        return max(0.0, self._options.deadline - self._runtime.clock.now())

    @property
    def deadline(self) -> datetime:
        """Time (UTC) at which this run of the handler is ended."""
        clock = self._runtime.clock
        return datetime.fromtimestamp(clock.unix() + self._options.deadline - clock.now(), UTC)
