"""A failed block, as its bot sees it."""

from dataclasses import dataclass, field
from typing import Any

import structlog
from pydantic_core import to_json

from vertexkit.execution import Result

log = structlog.get_logger("vertexkit")

CODES = {
    "internal": "The block failed.",
    "timeout": "The block did not finish in time.",
    "gone": "The dialog could not be reached.",
    "attempts": "The block gave up after several tries.",
    "bad_result": "The block's result cannot be sent.",
    "invalid_input": "The block was called with inputs that it does not take.",
    "unknown_block": "There is no such block.",
    "overloaded": "There is too much to do just now.",
    "shutdown": "The service stopped before the block ended.",
    "nondeterministic": "The block could not be resumed.",
    "unknown": "A message of the block may or may not have been sent.",
    "crashed": "The service died while the block was running.",
    "dropped": "The block was given up by an operator.",
    "refused": "The platform does not take the block's result.",
}
"""The failures that vertexkit names, each with the sentence that reaches the bot."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a block failed. An `on_failure` hook gets one."""

    code: str
    """A stable word: one of vertexkit's own, or the author's of `BlockFailed`."""
    message: str = ""
    """One sentence; it reaches the bot."""
    data: Any = None
    """What `BlockFailed` brought."""
    error: BaseException | None = field(default=None, repr=False, compare=False)
    """The exception, if there was one. It does not reach the bot."""

    def result(self) -> Result:
        """What the block is completed with if nobody says otherwise."""
        error = {"code": self.code, "message": self.message or CODES.get(self.code, "")}
        if self.data is not None:
            error["data"] = self.data
        return Result(to_json({"ok": False, "error": error}, inf_nan_mode="null"), self.code)

    def result_within(self, limit: int) -> Result:
        """As `result`, without what cannot be put into JSON, or into so many bytes of it."""
        for each in (self, Failure(self.code, self.message), Failure(self.code)):
            try:
                result = each.result()
            except ValueError as error:
                reason = f"it cannot be put into JSON: {str(error)[:200]}"
            else:
                if len(result.data) <= limit:
                    return result
                reason = f"its JSON has {len(result.data)} bytes, {limit} are allowed"
            log.warning("failure_not_serialisable", reason=reason)
        return Failure("internal").result()
