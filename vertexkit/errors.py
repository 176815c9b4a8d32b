"""Every error of vertexkit.

VertexkitError
├── Retry                     for authors: run the handler again later
├── BlockFailed               for authors: end the block as failed
├── DefinitionError           a block is declared wrongly (at import, with file and line)
├── SettingsError             a setting does not fit
├── CallError                 a call to a block's URL that is refused
├── ExecutionEnded            the handler asks for something after its end
│   ├── AlreadyCompleted      the block is complete
│   ├── DeadlineExceeded      its time is over
│   └── ShuttingDown          the service is being stopped
├── NonDeterministic          a second run took another way than the first
├── DialogUnknown             the token does not say which dialog it is
├── QueueFull                 no room for another execution
├── JournalError              the journal
│   ├── Fenced                another worker owns the execution by now
│   ├── JournalUnavailable    it cannot be written; nothing was accepted
│   ├── JournalRefused        it cannot be used at all (at start, with the mend)
│   └── CannotDo              an operator asked for what this execution does not allow
└── PlatformError             the platform (status, method, path, body)
    ├── BadRequest            400 and other lasting 4xx
    ├── Unauthorized          401
    ├── Forbidden             403
    │   └── DialogGone        403 on a Vertex method
    ├── NotFound              404
    ├── RateLimited           429, 408
    ├── ServerError           5xx
    ├── UnexpectedAnswer      3xx and whatever else no method answers
    ├── FileTooLarge          a download that is larger than was allowed
    ├── PlatformUnreachable   not a byte of the request was sent
    └── SendOutcomeUnknown    sent, perhaps; nobody can tell
"""

from enum import StrEnum
from typing import Any

BODY_SHOWN = 2048
"""Characters of an answer's body that an error keeps."""


class Fate(StrEnum):
    """What became of a request that did not simply succeed."""

    NOT_SENT = "not_sent"
    """Nothing left this machine: it may be sent again."""
    REFUSED = "refused"
    """The platform asked to come back later: it may be sent again, after the pause."""
    REJECTED = "rejected"
    """The platform said no for good."""
    GONE = "gone"
    """403: no dialog, or none that can be reached now."""
    UNKNOWN = "unknown"
    """It may have been carried out: sending it again may do it twice."""


class VertexkitError(Exception):
    """The root of every error that vertexkit raises. It may be copied, and pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Else the text, being all of `args`, would be taken for the constructor's arguments.
        return _as_it_was, (type(self), self.args), self.__dict__


def _as_it_was(kind: type[VertexkitError], args: tuple[Any, ...]) -> VertexkitError:
    return kind.__new__(kind, *args)


class Retry(VertexkitError):
    """Raised by a handler: run me again later, from the top.

    What was sent or stepped before is not repeated: it gives back what it gave the first time.

    Args:
        after: seconds until the next run, 0 or more.
        reason: said in the log.
    """

    def __init__(self, after: float = 1.0, reason: str = "") -> None:
        super().__init__(f"run again after {after:g} s" + (f": {reason}" if reason else ""))
        self.after = max(0.0, after)
        self.reason = reason


class BlockFailed(VertexkitError):
    """Raised by a handler: end this block as failed.

    The block is completed with `{"ok": false, "error": {"code", "message"}}`, with `data` beside
    them when given, so that the bot can branch on the code.

    Args:
        code: a short stable word for the bot, for example `no_such_city`.
        message: a sentence; it reaches the bot, so it must hold no secret.
        data: any JSON value for the bot.
    """

    def __init__(self, code: str, message: str = "", data: Any = None) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.data = data


class DefinitionError(VertexkitError):
    """A block is declared wrongly; the message begins with its file and line."""


class SettingsError(VertexkitError):
    """A setting does not fit; the message names it and the mend."""


class CallError(VertexkitError):
    """A call to a block's URL that is refused.

    A `read_call` of an author raises it to answer with a status and a code of its own.

    Args:
        status: the HTTP status of the answer, 400 to 599.
        code: a stable word, for example `malformed_json`.
        detail: what was wrong and what would be right, without anything the caller sent.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


class ExecutionEnded(VertexkitError):
    """The execution is over (deadline, handler returned, shutdown): nothing more is sent."""


class AlreadyCompleted(ExecutionEnded):
    """The block has been completed: a dialog that went on takes no more messages from it."""


class DeadlineExceeded(ExecutionEnded):
    """The handler's deadline has passed: nothing more is sent."""


class ShuttingDown(ExecutionEnded):
    """The service is shutting down: nothing more is sent by this run of the handler."""


class NonDeterministic(VertexkitError):
    """A second run of a handler did something else than the first at the same position."""


class DialogUnknown(VertexkitError):
    """The token does not say which dialog it speaks in."""


class QueueFull(VertexkitError):
    """As many executions wait as are allowed to; nothing was kept of this one."""


class JournalError(VertexkitError):
    """The journal could not do what was asked."""


class Fenced(JournalError):
    """The execution belongs to another worker by now; this one must not touch it any more."""


class JournalUnavailable(JournalError):
    """The journal cannot be written now. Whatever was asked did not happen."""


class JournalRefused(JournalError):
    """The journal cannot be used at all; the message names the cause and the mend."""


class CannotDo(JournalError):
    """An operator asked for something that the execution's state does not allow."""


class PlatformError(VertexkitError):
    """The platform did not do what was asked.

    Attributes:
        method, path: of the request; the path is without host and query.
        status: the answer's HTTP status, or None if there was none.
        body: the beginning of the answer's body, at most 2,048 characters.
        fate: what became of the request.
        retry_after: seconds that the platform asked to wait, or None.
    """

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
        self.body = body[:BODY_SHOWN]
        self.reason = reason
        self.retry_after = retry_after
        said = reason or (f"answered {status}" if status is not None else "failed")
        super().__init__(f"{method} {path}: {said}")


class BadRequest(PlatformError):
    """400, or another 4xx that trying again would not change."""


class Unauthorized(PlatformError):
    """401: login or password are wrong."""


class Forbidden(PlatformError):
    """403: the instance or the dialog cannot be reached."""

    fate = Fate.GONE


class DialogGone(Forbidden):
    """403 on a Vertex method: the dialog is finished or deleted, or cannot be reached now."""


class NotFound(PlatformError):
    """404: no such object."""


class RateLimited(PlatformError):
    """429 (or 408): the platform refused for now and did nothing."""

    fate = Fate.REFUSED


class ServerError(PlatformError):
    """5xx. The request may have been carried out, unless the platform asked to come back."""

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
        self.fate = Fate.REFUSED if asked_to_wait else Fate.UNKNOWN


class UnexpectedAnswer(PlatformError):
    """An answer that no method of the platform gives: a redirect, or JSON of another shape."""


class FileTooLarge(PlatformError):
    """A file is larger than the `limit` of its download; nothing of it is left on disk."""


class PlatformUnreachable(PlatformError):
    """No connection to the platform: not a byte of the request was sent."""

    fate = Fate.NOT_SENT


class SendOutcomeUnknown(PlatformError):
    """The request went out and no answer came back: it may have been carried out."""

    fate = Fate.UNKNOWN
