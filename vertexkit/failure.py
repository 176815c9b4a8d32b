"""A block's failure, as its bot gets it."""

from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from vertexkit.execution import Result
from vertexkit.references import RESULT_REFERENCE
from vertexkit.serialization import ANYTHING, TooLarge, dump_json, reject_nan, serializable

ERROR_CHARACTERS = 200
"""Length at which a serializer's error is cut in a log line."""
FAILURE_MESSAGES = {
    "internal": "The block failed.",
    "timeout": "The block did not finish in time.",
    "gone": "The dialog could not be reached.",
    "attempts": "The block failed after several attempts.",
    "bad_result": "The result of the block is invalid.",
    "invalid_input": "The inputs are invalid.",
    "unknown_block": "The block does not exist.",
    "overloaded": "The service is overloaded.",
    "shutdown": "The service stopped before the block finished.",
    "nondeterministic": "The block could not be resumed.",
    "unknown": "A message of the block may or may not have been sent.",
    "crashed": "The service crashed while the block was running.",
    "dropped": "An operator cancelled the block.",
    "refused": "The platform rejected the result of the block.",
}
"""The failure codes of vertexkit, each with the sentence that reaches the bot."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a block failed. An `on_failure` hook gets one."""

    code: str
    """A stable code: one of vertexkit's own, or an author's from `BlockFailed`."""
    message: str = ""
    """One sentence; it reaches the bot."""
    data: Any = None
    """The `data` of `BlockFailed`."""
    error: BaseException | None = field(default=None, repr=False, compare=False)
    """The exception, if there was one. It does not reach the bot."""

    def result(self) -> Result:
        """Return the result that a failed block is completed with by default."""
        error = {"code": self.code, "message": self.message or FAILURE_MESSAGES.get(self.code, "")}
        if self.data is not None:
            error["data"] = self.data
        content = {"ok": False, "error": error}
        data = dump_json(ANYTHING, content, by_alias=True)
        reject_nan(ANYTHING, content, data)
        return Result(data, self.code)

    def result_within(self, limit: int) -> Result:
        """Return the default result, without the parts that cannot be sent.

        The data, and then the message, are left out if they cannot be serialised to JSON or make
        the result too large.

        Args:
            limit: Maximum size of the result in bytes of JSON.
        """
        for failure in (self, Failure(self.code, self.message), Failure(self.code)):
            try:
                result = replace(failure, data=serializable(failure.data, limit)).result()
            except TooLarge as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 - also of an author's serializers
                reason = f"it cannot be serialised to JSON: {str(error)[:ERROR_CHARACTERS]}"
            else:
                if len(result.data) <= limit:
                    return result
                reason = f"its JSON has {len(result.data)} bytes; the limit is {limit}"
            log.warning("failure_not_serialisable", reason=reason, reference=RESULT_REFERENCE)
        return Failure("internal").result()
