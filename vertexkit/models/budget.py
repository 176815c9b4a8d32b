"""How much executions and dialogs may spend on models."""

from dataclasses import dataclass

from vertexkit.models.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much may be spent. It is checked before each request.

    A request that has started is not interrupted, so the last answer may exceed the budget: limit
    its length with the option `max_completion_tokens` of the request. What a dialog has used is kept
    in `ctx.memory`, which needs the dialog's id in the token.
    """

    execution_tokens: int | None = None
    """Tokens of one execution; None: no limit."""
    execution_cost: float | None = None
    """Money of one execution, in the currency of the model's `Price`; None: no limit."""
    dialog_tokens: int | None = None
    """Tokens of all executions of a dialog, as long as its memory is kept; None: no limit."""
    dialog_cost: float | None = None
    """Money of all executions of a dialog, as long as its memory is kept; None: no limit."""
    fallback: str = ""
    """What is answered instead when the budget is spent; empty: `BudgetExceeded` is raised."""

    @property
    def limits_dialog(self) -> bool:
        """Whether what a dialog may spend is limited."""
        return not (self.dialog_tokens is None and self.dialog_cost is None)

    @property
    def has_limits(self) -> bool:
        """Whether anything is limited."""
        limits_execution = not (self.execution_tokens is None and self.execution_cost is None)
        return limits_execution or self.limits_dialog

    def admits(self, execution: Usage, dialog: Usage) -> bool:
        """Check whether another request may be made.

        Args:
            execution: What the execution has used.
            dialog: What all executions of the dialog have used.
        """
        limits = (
            (execution.tokens, self.execution_tokens),
            (execution.cost, self.execution_cost),
            (dialog.tokens, self.dialog_tokens),
            (dialog.cost, self.dialog_cost),
        )
        return all(limit is None or used < limit for used, limit in limits)
