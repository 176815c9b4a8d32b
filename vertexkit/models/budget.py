"""How much executions and dialogs may spend on models."""

from dataclasses import dataclass

from vertexkit.models.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much may be spent. It is checked before each request.

    A request that has started is not interrupted, so the last answer may exceed the budget: limit
    its length with the option `max_completion_tokens` of the request.
    """

    execution_tokens: int | None = None
    """Tokens of one execution; None: no limit."""
    execution_cost: float | None = None
    """Money of one execution, in the currency of the model's `Price`; None: no limit."""
    fallback: str = ""
    """What is answered instead when the budget is spent; empty: `BudgetExceeded` is raised."""

    @property
    def has_limits(self) -> bool:
        """Whether anything is limited."""
        return not (self.execution_tokens is None and self.execution_cost is None)

    def admits(self, spent: Usage) -> bool:
        """Check whether an execution that has spent this much may make another request."""
        return (self.execution_tokens is None or spent.tokens < self.execution_tokens) and (
            self.execution_cost is None or spent.cost < self.execution_cost
        )
