"""What a run of a handler leads to, and what the ways in which it ends mean."""

import asyncio
from dataclasses import dataclass
from typing import Any, TypeAlias

from vertexkit.botone.vertex import could_not_be_sent_in_time
from vertexkit.errors import (
    BlockFailed,
    DialogGone,
    Fenced,
    NonDeterministic,
    PlatformError,
    Retry,
    SendOutcomeUnknown,
    ShuttingDown,
    VertexkitError,
    WaitTimeout,
)
from vertexkit.execution import Result
from vertexkit.failure import Failure
from vertexkit.text import printable


@dataclass(frozen=True, slots=True)
class ParkRequest:
    """The execution has to be parked for an operator."""

    failure: Failure
    reason: str


@dataclass(frozen=True, slots=True)
class Suspension:
    """The handler waits: the execution is given back to the journal."""

    seconds: float
    """Until the first of its waits ends."""
    ran: float
    """Seconds for which this run has run."""


AttemptResult: TypeAlias = Result | Retry | ParkRequest | Suspension | ShuttingDown | Fenced | None
"""What a run led to. None: the handler completed the block itself."""


def result_of_stop(reason: VertexkitError) -> AttemptResult | Failure:
    """Return what a run leads to that was stopped; a failure: its block fails with it.

    Args:
        reason: why it was stopped.
    """
    match reason:
        case NonDeterministic():
            return ParkRequest(Failure("nondeterministic"), str(reason))
        case SendOutcomeUnknown():
            return ParkRequest(Failure("unknown"), str(reason))
        case ShuttingDown() | Fenced():
            return reason
        case DialogGone():  # the hook is not called: nothing can be sent any more
            return Failure("gone").result()
    return Failure("timeout")


def expected_failure(error: BaseException) -> Failure | None:
    """Return the failure that an exception of a handler stands for; None: it is unexpected."""
    if isinstance(error, BlockFailed):
        return Failure(printable(error.code), printable(error.message), error.data, error)
    if isinstance(error, WaitTimeout) or is_send_timeout(error):
        return Failure("timeout", error=error)
    return None


def is_send_timeout(error: BaseException) -> bool:
    """Whether a message could not be sent before the deadline."""
    return isinstance(error, PlatformError) and could_not_be_sent_in_time(error)


def error_of(task: asyncio.Future[Any]) -> BaseException | None:
    """Return what a task raised; for a group that holds one error, that error."""
    if not task.done():
        return None
    if task.cancelled():
        return asyncio.CancelledError()
    error = task.exception()
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
