"""The faults that a test orders from the fake platform, in the order in which they happen."""

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

FAULT_KINDS = {
    "cut": "the connection is lost before the platform has read the request",
    "garbage": "processed, and answered 200 (or, if rejected, 403) with an HTML page",
    "gone": "the dialog is deleted from this request on: 403 (once, for methods without a dialog)",
    "half": "processed, and the response ends in the middle of its body",
    "lost": "processed, and the response is lost (or, with a status, replaced by that status)",
    "slow": "processed, and answered only after this many seconds of the clock",
}
"""Every kind of fault and what it does."""
DEFAULT_SLOW_SECONDS = 60.0
"""The delay of a "slow" fault for which the test gives none."""
ORDERABLE_STATUSES = range(200, 600)
SUCCESS_STATUSES = range(200, 300)
REDIRECT_STATUSES = range(300, 400)
REDIRECT_TARGET = "https://elsewhere.invalid/"
"""Where an ordered redirect points to; a client must not follow it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One ordered fault.

    Attributes:
        method: the name of the method whose requests it hits.
        kind: one of `FAULT_KINDS`, or None for a status alone.
        status: the response's status. The request is not processed, unless the status is a 2xx or
            the kind is "lost".
        retry_after: the header `Retry-After`.
        body: the response's body instead of a short JSON object.
        seconds: the delay of the kind "slow".
        times: how many more requests it hits.
        after: how many more requests pass before the first hit.
    """

    method: str
    kind: str | None = None
    status: int | None = None
    retry_after: str | None = None
    body: bytes | None = None
    seconds: float = 0.0
    times: int = 1
    after: int = 0

    @property
    def processed(self) -> bool:
        """Whether the platform does what the request asks for, independent of its response."""
        if self.kind == "cut":
            return False
        return self.status is None or self.status in SUCCESS_STATUSES or self.kind == "lost"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a response with `status`."""
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        if self.status in REDIRECT_STATUSES:
            headers["Location"] = REDIRECT_TARGET
        return headers

    def __str__(self) -> str:
        return " ".join(str(word) for word in (self.kind, self.status) if word is not None)


class Plan(Protocol):
    """The faults of one call of a block; `fault_rules.FaultPlan` is one."""

    def take(self, method: str) -> Fault | None:
        """Return the fault that hits this request of the method, if any."""


class Faults:
    """A queue of faults for each method; the first of a queue is used up before the next.

    Args:
        methods: the names of the methods.
        seed: of the random faults.
    """

    def __init__(self, methods: Iterable[str], seed: int) -> None:
        self._queues: dict[str, deque[Fault]] = {name: deque() for name in methods}
        self._plans: dict[str, Plan] = {}
        self._random = Random(seed)
        self._rate = 0.0
        self._kinds: Sequence[str | int] = ()

    def order(self, fault: Fault) -> None:
        """Add a fault to the end of its method's queue.

        Raises:
            ValueError: the method or kind is unknown, or the arguments do not fit together.
        """
        if fault.method not in self._queues:
            raise ValueError(
                f"unknown method {fault.method!r}; use one of {', '.join(sorted(self._queues))}"
            )
        validate_fault(fault)
        self._queues[fault.method].append(fault)

    def plan(self, token: str, plan: Plan) -> None:
        """Hit the requests with a token by a plan of their own."""
        self._plans[token] = plan

    def clear(self) -> None:
        """Remove the ordered faults that have not happened yet."""
        for queue in self._queues.values():
            queue.clear()

    def set_chaos(self, rate: float, kinds: Sequence[str | int]) -> None:
        """Hit each request that no ordered fault hits with this probability.

        Raises:
            ValueError: the rate is not between 0 and 1, or a kind is neither a status nor known.
        """
        if not 0 <= rate <= 1:
            raise ValueError(f"rate must be between 0 and 1, got {rate}")
        if rate and not kinds:
            raise ValueError("chaos needs at least one kind or status")
        for kind in kinds:
            validate_fault(_random_fault("", kind))
        self._rate, self._kinds = rate, tuple(kinds)

    def take(self, method: str, token: str = "") -> Fault | None:
        """Return the fault that hits this request of the method, if any.

        Args:
            method: name of the method.
            token: of the request; a token with a plan is hit by that alone.
        """
        if token in self._plans:
            return self._plans[token].take(method)
        queue = self._queues[method]
        if queue:
            fault = queue.popleft()
            if fault.after:
                queue.appendleft(replace(fault, after=fault.after - 1))
                return None
            if fault.times > 1:
                queue.appendleft(replace(fault, times=fault.times - 1))
            return fault
        if self._rate and self._random.random() < self._rate:
            return _random_fault(method, self._random.choice(self._kinds))
        return None

    def unused(self) -> list[str]:
        """Return a sentence for each ordered fault that has hits left."""
        return [
            f"an ordered fault was not used: {fault} on {method}, {fault.times} more time(s)"
            for method, queue in self._queues.items()
            for fault in queue
        ]


def encode_body(body: str | bytes | Mapping[str, Any] | None) -> bytes | None:
    """Return the bytes of an ordered body: a text as UTF-8, an object as JSON."""
    if isinstance(body, str):
        return body.encode()
    if body is None or isinstance(body, bytes):
        return body
    return json.dumps(body, ensure_ascii=False).encode()


def _random_fault(method: str, kind: str | int) -> Fault:
    if isinstance(kind, int):
        return Fault(method, status=kind)
    return Fault(method, kind=kind, seconds=DEFAULT_SLOW_SECONDS if kind == "slow" else 0.0)


def validate_fault(fault: Fault) -> None:
    """Check that the values of a fault fit together.

    Raises:
        ValueError: they do not.
    """
    kinds = ", ".join(FAULT_KINDS)
    if fault.kind is None and fault.status is None:
        raise ValueError(f"a fault needs a status, or a kind: one of {kinds}")
    if fault.kind is not None and fault.kind not in FAULT_KINDS:
        raise ValueError(f"unknown kind {fault.kind!r}; use one of {kinds}")
    if fault.status is not None and fault.status not in ORDERABLE_STATUSES:
        raise ValueError(f"status must be between 200 and 599, got {fault.status}")
    if fault.status is not None and fault.kind not in (None, "lost", "slow"):
        raise ValueError(f"a fault of kind {fault.kind!r} takes no status")
    if fault.status is None and fault.retry_after is not None:
        raise ValueError("retry_after needs a status")
    if fault.status is None and fault.body is not None and fault.kind != "garbage":
        raise ValueError('body needs a status, or the kind "garbage"')
    if fault.seconds and fault.kind != "slow":
        raise ValueError('seconds needs the kind "slow"')
    if fault.times < 1:
        raise ValueError(f"times must be at least 1, got {fault.times}")
    if fault.after < 0:
        raise ValueError(f"after must be at least 0, got {fault.after}")
