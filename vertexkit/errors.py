"""The errors of vertexkit.

VertexkitError
├── Retry                     for authors: run the handler again later
├── BlockFailed               for authors: end the block as failed
├── DefinitionError           a block's declaration is invalid (at import)
├── SettingsError             a setting is invalid
├── CallError                 a call to a block's URL is rejected
├── ExecutionEnded            the handler used its context after its end
│   ├── AlreadyCompleted      the block has been completed
│   ├── DeadlineExceeded      the handler's deadline has passed
│   └── ShuttingDown          the service is shutting down
├── NonDeterministic          a later run did something else than the first
├── WaitTimeout               the event that the handler waits for did not come in time
├── DialogUnknown             the dialog's id is not in the token, or its number not in the list
├── MemoryFull                the memory of a dialog would be larger than its limit
├── QueueFull                 no room for another execution
├── JournalError              the journal
│   ├── Fenced                another worker has taken over the execution
│   ├── JournalUnavailable    the journal cannot be written now
│   ├── JournalUnusable       the journal cannot be used at all (at start)
│   └── OperationNotAllowed   an execution's state does not allow the operation
└── PlatformError             the platform (status, method, path, body)
    ├── BadRequest            400 and other 4xx that trying again would not change
    ├── Unauthorized          401
    ├── Forbidden             403
    │   └── DialogGone        403 on a Vertex method
    ├── NotFound              404
    ├── RateLimited           429, 408
    ├── ServerError           5xx
    ├── UnexpectedResponse    3xx, or a body of another shape than documented
    ├── FileTooLarge          a download is larger than the limit
    ├── PlatformUnreachable   no byte of the request was sent
    └── SendOutcomeUnknown    the request may have been carried out
"""

import math
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from numbers import Real
from typing import Any, ClassVar

ERROR_BODY_CHARACTERS = 2048
"""Number of characters of a response's body that an error keeps."""

MAX_RETRY_SECONDS = 7 * 24 * 3600
"""Longest time until the next run of a handler."""


class Fate(StrEnum):
    """What happened to a request that failed, and so whether it may be sent again."""

    NOT_SENT = "not_sent"
    """No byte left this machine: it may be sent again."""
    RETRYABLE = "retryable"
    """The platform did nothing and asked to try later: it may be sent again after a pause."""
    REJECTED = "rejected"
    """The platform will never accept this request."""
    FORBIDDEN = "forbidden"
    """403: the dialog does not exist, or cannot be reached now."""
    UNKNOWN = "unknown"
    """It may have been carried out: sending it again may do it twice."""


class VertexkitError(Exception):
    """The base class of all errors of vertexkit. Its instances can be copied and pickled."""

    reference: ClassVar[str] = "VK-000"
    """Identifies the kind of error in docs/errors.md; the command line prints it after the message."""

    def __reduce__(self) -> tuple[Any, ...]:
        # By default the constructor would be called with `args`, which contains only the text.
        return _restore, (type(self), self.args), self.__dict__


def _restore(kind: type[VertexkitError], args: tuple[Any, ...]) -> VertexkitError:
    return kind.__new__(kind, *args)


class Retry(VertexkitError):
    """Raised by a handler to be run again later, from the top.

    Messages and steps of this run are not repeated: the next run gets their stored results.

    Args:
        after: Seconds until the next run, or a timedelta; at most 7 days. A negative number counts
            as 0.
        reason: A sentence for the log and the journal.

    Raises:
        TypeError: `after` is neither a number nor a timedelta.
        ValueError: `after` is NaN, infinite, or more than 7 days.
    """

    reference: ClassVar[str] = "VK-607"

    def __init__(self, after: float | timedelta = 1.0, reason: str = "") -> None:
        self.after: float = _retry_seconds(after)
        self.reason = reason
        super().__init__(f"run again after {self.after:g} s" + (f": {reason}" if reason else ""))


def _retry_seconds(after: object) -> float:
    if isinstance(after, timedelta):
        after = after.total_seconds()
    if not isinstance(after, (Real, Decimal)):
        raise TypeError(
            f"Retry needs a number of seconds or a timedelta in `after`, got {after!r:.100}"
        )
    try:
        seconds = float(after)
    except (OverflowError, ValueError):  # too large, or a signalling NaN
        seconds = math.nan
    if not seconds <= MAX_RETRY_SECONDS:
        raise ValueError(
            f"Retry needs at most {MAX_RETRY_SECONDS} seconds (7 days) in `after`, got {after!r:.100}"
        )
    return max(0.0, seconds)


class BlockFailed(VertexkitError):
    """Raised by a handler to end the block as failed.

    The block is completed with `{"ok": false, "error": {"code", "message"}}`, with `data` next to
    them if it is given, so that the bot can branch on the code (`POST /vertex/v1/complete`).

    Args:
        code: A short, stable code for the bot, for example `no_such_city`.
        message: A sentence. It reaches the bot and must not contain a secret.
        data: Any JSON value for the bot.
    """

    reference: ClassVar[str] = "VK-608"

    def __init__(self, code: str, message: str = "", data: Any = None) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.data = data


class DefinitionError(VertexkitError):
    """The declaration of a block or an app is invalid. The message starts with its file and line."""

    reference: ClassVar[str] = "VK-101"


class SettingsError(VertexkitError):
    """A setting is invalid. The message has its name and how to fix it."""

    reference: ClassVar[str] = "VK-102"


class CallError(VertexkitError):
    """A call to a block's URL is rejected.

    An author's `read_call` raises it to respond with a status and a code of its own.

    Args:
        status: HTTP status of the response, 400 to 599.
        code: A stable code, for example `malformed_json`.
        detail: What is wrong and how to fix it, without anything that the caller sent.
        token: The call's token, if it could be read. Its block is completed as failed, so that the
            dialog continues; without it, the dialog waits until the platform's own timeout.
    """

    reference: ClassVar[str] = "VK-103"

    def __init__(self, status: int, code: str, detail: str, token: str = "") -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.token = token


class ExecutionEnded(VertexkitError):
    """The handler has returned, or its run has ended: nothing more can be sent."""

    reference: ClassVar[str] = "VK-600"


class AlreadyCompleted(ExecutionEnded):
    """The block has been completed: the dialog does not take messages from it any more."""

    reference: ClassVar[str] = "VK-601"


class DeadlineExceeded(ExecutionEnded):
    """The handler's deadline has passed: nothing more can be sent."""

    reference: ClassVar[str] = "VK-602"


class ShuttingDown(ExecutionEnded):
    """The service is shutting down: this run of the handler can send nothing more."""

    reference: ClassVar[str] = "VK-603"


class WaitTimeout(VertexkitError):
    """The event did not come in time, or the execution has waited for the block's `max_wait`.

    If the handler does not catch it, its block is completed as failed with code `timeout`.
    """

    reference: ClassVar[str] = "VK-605"


class NonDeterministic(VertexkitError):
    """A later run of a handler did something else than the first one at the same position."""

    reference: ClassVar[str] = "VK-604"


class DialogUnknown(VertexkitError):
    """The token does not contain the dialog's id, or no dialog of the list has this number."""

    reference: ClassVar[str] = "VK-606"


class MemoryFull(VertexkitError):
    """The memory of the dialog would be larger than 64 KiB of JSON. Nothing was changed."""

    reference: ClassVar[str] = "VK-105"


class QueueFull(VertexkitError):
    """The maximum number of executions is waiting. Nothing was kept of this one."""

    reference: ClassVar[str] = "VK-104"


class JournalError(VertexkitError):
    """An operation of the journal failed."""

    reference: ClassVar[str] = "VK-200"


class Fenced(JournalError):
    """Another worker has taken over the execution; this one must not change it any more."""

    reference: ClassVar[str] = "VK-203"


class JournalUnavailable(JournalError):
    """The journal cannot be written now. The operation did not happen."""

    reference: ClassVar[str] = "VK-202"


class JournalUnusable(JournalError):
    """The journal cannot be used at all. The message has the cause and how to fix it."""

    reference: ClassVar[str] = "VK-201"


class OperationNotAllowed(JournalError):
    """The state of the execution does not allow the operator's operation."""

    reference: ClassVar[str] = "VK-204"


class PlatformError(VertexkitError):
    """A request to the platform failed.

    Attributes:
        method: HTTP method of the request.
        path: Path of the request, without host and query.
        status: HTTP status of the response; None if there was no response.
        body: The first 2,048 characters of the response's body.
        reason: Why the request failed; empty if the status says it.
        retry_after: Seconds that the platform asked to wait; None if it did not.
        fate: Whether the request may have been carried out.
    """

    reference: ClassVar[str] = "VK-300"

    fate = Fate.REJECTED

    def __init__(
        self,
        method: str,
        path: str,
        *,
        status: int | None = None,
        body: str = "",
        reason: str = "",
        retry_after: float | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.status = status
        self.body: str = body[:ERROR_BODY_CHARACTERS]
        self.reason = reason
        self.retry_after = retry_after
        cause = reason or (f"answered {status}" if status is not None else "failed")
        super().__init__(f"{method} {path}: {cause}")


class BadRequest(PlatformError):
    """400, or another 4xx: sending the same request again would not change it."""

    reference: ClassVar[str] = "VK-400"


class Unauthorized(PlatformError):
    """401: the login or the password is wrong."""

    reference: ClassVar[str] = "VK-401"


class Forbidden(PlatformError):
    """403: the instance or the dialog cannot be reached."""

    reference: ClassVar[str] = "VK-403"

    fate = Fate.FORBIDDEN


class DialogGone(Forbidden):
    """403 on a Vertex method: the dialog is finished or deleted, or cannot be reached now."""

    reference: ClassVar[str] = "VK-410"


class NotFound(PlatformError):
    """404: the object does not exist."""

    reference: ClassVar[str] = "VK-404"


class RateLimited(PlatformError):
    """429 or 408: the platform did nothing; the request may be sent again later."""

    reference: ClassVar[str] = "VK-429"

    fate = Fate.RETRYABLE


class ServerError(PlatformError):
    """5xx. The request may have been carried out, unless the platform asked to try later."""

    reference: ClassVar[str] = "VK-500"

    def __init__(
        self,
        method: str,
        path: str,
        *,
        status: int | None = None,
        body: str = "",
        reason: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(
            method, path, status=status, body=body, reason=reason, retry_after=retry_after
        )
        asked_to_wait = status == 503 and retry_after is not None
        self.fate = Fate.RETRYABLE if asked_to_wait else Fate.UNKNOWN


class UnexpectedResponse(PlatformError):
    """A response that the platform's document does not have: a redirect, or other JSON."""

    reference: ClassVar[str] = "VK-303"


class FileTooLarge(PlatformError):
    """A file is larger than the `limit` of its download. No part of it is left on disk."""

    reference: ClassVar[str] = "VK-304"


class PlatformUnreachable(PlatformError):
    """No connection to the platform could be made: no byte of the request was sent."""

    reference: ClassVar[str] = "VK-301"

    fate = Fate.NOT_SENT


class SendOutcomeUnknown(PlatformError):
    """The request was sent and no response was received: it may have been carried out."""

    reference: ClassVar[str] = "VK-302"

    fate = Fate.UNKNOWN


class IncompleteListWarning(UserWarning):
    """A list of dialogs could not be read completely; the text says what is missing."""
