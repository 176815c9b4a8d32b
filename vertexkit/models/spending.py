"""What one execution spends on models, and whether its budget is spent."""

from typing import Any
from weakref import WeakKeyDictionary

from vertexkit.context.context import Context
from vertexkit.context.run_info import RunInfo
from vertexkit.models.budget import Budget
from vertexkit.models.failures import BudgetExceeded
from vertexkit.models.usage import Usage

_spent: WeakKeyDictionary[RunInfo, Usage] = WeakKeyDictionary()
"""What each run has used. A later run of the handler adds it up again from the journal."""
MEMORY_NAME = "vertexkit.models"
"""Name under which the dialog's memory keeps what the dialog has used."""


class Spending:
    """Checks the budget of an execution and of its dialog, and counts what requests use.

    All requests of a run count, whatever model or agent has made them. Towards the dialog, those
    count whose budget limits the dialog.

    Args:
        ctx: Of the handler.
        budget: How much may be spent.
        name: Name of the steps of the requests.
    """

    def __init__(self, ctx: Context[Any], budget: Budget, name: str) -> None:
        self._ctx = ctx
        self._budget = budget
        self._name = name

    async def is_within_budget(self) -> bool:
        """Check the budget. It is a step, so that a deployment may change the budget."""
        if not self._budget.has_limits:
            return True
        dialog = await self._used_by_dialog() if self._budget.limits_dialog else Usage()

        async def check() -> bool:
            return self._budget.admits(_spent.get(self._ctx, Usage()), dialog)

        return await self._ctx.step(f"{self._name} budget", check)

    def fallback(self) -> str:
        """Return what is answered when the budget is spent.

        Raises:
            BudgetExceeded: The budget has no fallback.
        """
        if not self._budget.fallback:
            raise BudgetExceeded
        return self._budget.fallback

    async def add(self, usage: Usage) -> None:
        """Count what a request has used."""
        _spent[self._ctx] = _spent.get(self._ctx, Usage()) + usage
        if self._budget.limits_dialog:
            # Another execution of the dialog may spend at the same time.
            memory = self._ctx.memory
            await memory.update(MEMORY_NAME, lambda used: used + usage, Usage, Usage())

    async def _used_by_dialog(self) -> Usage:
        return await self._ctx.memory.get(MEMORY_NAME, Usage, Usage())

    def report(self, model: str, usage: Usage) -> None:
        """Report a response of a model as an event of the execution."""
        ctx = self._ctx
        ctx._runtime.emit(  # noqa: SLF001 - an event, not a log line: it is counted and recorded
            "model_answered",
            ctx._lease,  # noqa: SLF001
            model=model,
            step=self._name,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost=round(usage.cost, 6),
        )
