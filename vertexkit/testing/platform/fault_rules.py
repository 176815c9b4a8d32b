"""Faults of one call of a block: several rules at once, with probabilities drawn from a seed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from vertexkit.testing.platform.faults import Fault, validate_fault

ANY_METHOD = ""
"""A rule with this method hits messages and completions."""
SLOW = "slow"


@dataclass(frozen=True, slots=True)
class FaultRule:
    """One rule for the requests of one call.

    Attributes:
        method: "send_message", "complete", or `ANY_METHOD`.
        kind: one of `FAULT_KINDS`, or None for a status alone.
        status: the response's status, as for `FakePlatform.fail`.
        retry_after: the header `Retry-After`.
        seconds: the delay of "slow".
        after: the number of matching requests that pass first.
        times: the number of requests that it hits; 0: all.
        probability: of each hit, from 0 to 1.

    Raises:
        ValueError: the values do not fit together.
    """

    method: str = ANY_METHOD
    kind: str | None = None
    status: int | None = None
    retry_after: str | None = None
    seconds: float = 0.0
    after: int = 0
    times: int = 1
    probability: float = 1.0

    def __post_init__(self) -> None:
        validate_fault(replace(self.fault(), times=max(1, self.times), after=self.after))
        if self.method not in (ANY_METHOD, "send_message", "complete"):
            raise ValueError(f"method must be send_message or complete, got {self.method!r}")
        if self.times < 0:
            raise ValueError(f"times must be at least 0, got {self.times}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be between 0 and 1, got {self.probability}")

    def fault(self) -> Fault:
        """Return what happens to a request that the rule hits."""
        return Fault(
            self.method, self.kind, self.status, self.retry_after, seconds=float(self.seconds)
        )


class FaultPlan:
    """The rules of one call, and what is left of them.

    A request may be hit by several rules: it is delayed by "slow", and the first other rule that
    hits it decides the response.

    Args:
        rules: in their order.
        seed: of the probabilities.
    """

    def __init__(self, rules: Iterable[FaultRule], seed: int) -> None:
        self._rules = [_Counted(rule) for rule in rules]
        self._random = Random(seed)

    def take(self, method: str) -> Fault | None:
        """Return the fault that hits this request of the method, if any."""
        hits = [
            counted.rule.fault() for counted in self._rules if counted.hits(method, self._random)
        ]
        delay = sum(fault.seconds for fault in hits if fault.kind == SLOW)
        other = next((fault for fault in hits if fault.kind != SLOW), None)
        if other is not None:
            return replace(other, method=method, seconds=delay)
        return replace(hits[0], method=method, seconds=delay) if hits else None


class _Counted:
    """A rule, and the requests that it has seen and hit."""

    def __init__(self, rule: FaultRule) -> None:
        self.rule = rule
        self._seen = 0
        self._hit = 0

    def hits(self, method: str, random: Random) -> bool:
        rule = self.rule
        if rule.method not in (ANY_METHOD, method):
            return False
        self._seen += 1
        if self._seen <= rule.after or (rule.times and self._hit >= rule.times):
            return False
        hit = rule.probability >= 1 or random.random() < rule.probability
        self._hit += hit
        return hit
