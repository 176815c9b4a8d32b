"""The errors of language models. They end the block as failed unless the handler catches them."""

from vertexkit.errors import BlockFailed

BACKOFF_SECONDS = 1.0
"""Pause before a request is repeated for the first time; servers of models recover slowly."""


class ModelFailed(BlockFailed):
    """The model's server did not give an answer, and the same request would fail again.

    If the handler does not catch it, its block is completed as failed with code `model_failed`.

    Args:
        reason: Why, without any part of the request or of the response's body.
        status: HTTP status of the response; None if there was no response.
        code: The error's code or type, as the server names it.

    Attributes:
        status: HTTP status of the response; None if there was no response.
        reason: Why the request failed.
        error_code: The error's code or type, as the server names it; empty if it does not.
    """

    failure_code = "model_failed"

    def __init__(self, reason: str, *, status: int | None = None, code: str = "") -> None:
        super().__init__(self.failure_code, f"The model did not answer: {reason}.")
        self.reason = reason
        self.status = status
        self.error_code = code


class ModelUnavailable(ModelFailed):
    """The model's server cannot answer now: it is busy, has failed, or the connection was lost.

    The request has been repeated as often as the model's `attempts` allow. If the handler does not
    catch it, its block is completed as failed with code `model_unavailable`.

    Args:
        reason: As for `ModelFailed`.
        status: As for `ModelFailed`.
        code: As for `ModelFailed`.
        retry_after: Seconds that the server asked to wait; None if it did not.

    Attributes:
        retry_after: Seconds that the server asked to wait; None if it did not.
    """

    failure_code = "model_unavailable"

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        code: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason, status=status, code=code)
        self.retry_after = retry_after


class BudgetExceeded(BlockFailed):
    """The budget of the execution or of the dialog is spent, and it has no `fallback`.

    If the handler does not catch it, its block is completed as failed with code `budget_exceeded`.
    """

    def __init__(self) -> None:
        super().__init__("budget_exceeded", "The budget for language models is spent.")
