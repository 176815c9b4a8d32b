"""What goes wrong on the platform's side, in the order in which a test has ordered it."""

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

KINDS = {
    "cut": "the connection is lost before the platform has read the request",
    "garbage": "processed, and answered 200 (or, if refused, 403) with a page of HTML",
    "gone": "the dialog is deleted from this request on: 403 (once, where it asks for none)",
    "half": "processed, and the answer breaks off in its middle",
    "lost": "processed, and the answer is lost (or, with a status, replaced by that answer)",
    "slow": "processed, and answered only after so many seconds of the clock",
}
"""Every kind of fault and what it means."""
SLOW_SECONDS = 60.0
"""How slow "slow" is when a test does not say."""
STATUSES = range(200, 600)
SUCCESSES = range(200, 300)
REDIRECTS = range(300, 400)
ELSEWHERE = "https://elsewhere.invalid/"
"""Where an ordered redirect points to: nobody should ever go there."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One ordered fault.

    Attributes:
        kind: one of `KINDS`, or None for a status alone.
        status: what is answered. Not processed, unless it is a 2xx or the kind is "lost".
        retry_after: the header `Retry-After`.
        body: the answer's body in place of a short JSON object.
        seconds: how slow "slow" is.
        times: how many requests it still hits.
        after: how many requests it still lets pass first.
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
        """Whether the platform does what the request asks for, whatever it answers."""
        if self.kind == "cut":
            return False
        return self.status is None or self.status in SUCCESSES or self.kind == "lost"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of an answer with `status`."""
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        if self.status in REDIRECTS:
            headers["Location"] = ELSEWHERE
        return headers

    def __str__(self) -> str:
        return " ".join(str(word) for word in (self.kind, self.status) if word is not None)


class Faults:
    """A queue of faults for each method; the head of a queue is used up before the next.

    Args:
        methods: the names that may be given.
        seed: of the random faults.
    """

    def __init__(self, methods: Iterable[str], seed: int) -> None:
        self._queues: dict[str, deque[Fault]] = {name: deque() for name in methods}
        self._random = Random(seed)
        self._rate = 0.0
        self._kinds: Sequence[str | int] = ()

    def order(self, fault: Fault) -> None:
        """Put a fault at the end of its method's queue.

        Raises:
            ValueError: an unknown method or kind, or parts that do not go together.
        """
        if fault.method not in self._queues:
            raise ValueError(
                f"no method {fault.method!r}: it is one of {', '.join(sorted(self._queues))}"
            )
        _check(fault)
        self._queues[fault.method].append(fault)

    def forget(self) -> None:
        """Nothing that was ordered and has not happened will."""
        for queue in self._queues.values():
            queue.clear()

    def chaos(self, rate: float, kinds: Sequence[str | int]) -> None:
        """Hit each request that no ordered fault hits with this probability.

        Raises:
            ValueError: the rate is not within 0 and 1, or a kind is neither a status nor known.
        """
        if not 0 <= rate <= 1 or (rate and not kinds):
            raise ValueError("a rate is within 0 and 1, and takes at least one kind")
        for kind in kinds:
            _check(_random_fault("", kind))
        self._rate, self._kinds = rate, tuple(kinds)

    def take(self, method: str) -> Fault | None:
        """The fault that hits this request of the method, if any."""
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
        """A sentence for each ordered fault that has not hit all it was ordered for."""
        return [
            f"an ordered fault was not used: {fault} on {method}, {fault.times} more time(s)"
            for method, queue in self._queues.items()
            for fault in queue
        ]


def body_of(body: str | bytes | Mapping[str, Any] | None) -> bytes | None:
    """The bytes of an ordered body: text as UTF-8, an object as JSON."""
    if isinstance(body, str):
        return body.encode()
    if body is None or isinstance(body, bytes):
        return body
    return json.dumps(body, ensure_ascii=False).encode()


def _random_fault(method: str, kind: str | int) -> Fault:
    if isinstance(kind, int):
        return Fault(method, status=kind)
    return Fault(method, kind=kind, seconds=SLOW_SECONDS if kind == "slow" else 0.0)


def _check(fault: Fault) -> None:
    if fault.kind is None and fault.status is None:
        raise ValueError(f"say what goes wrong: a status, or a kind of {', '.join(KINDS)}")
    if fault.kind is not None and fault.kind not in KINDS:
        raise ValueError(f"no kind {fault.kind!r}: it is one of {', '.join(KINDS)}")
    if fault.status is not None and fault.status not in STATUSES:
        raise ValueError(f"a status is within 200 and 599, not {fault.status}")
    if fault.status is not None and fault.kind not in (None, "lost", "slow"):
        raise ValueError(f"a fault of kind {fault.kind!r} has no status")
    if fault.status is None and fault.retry_after is not None:
        raise ValueError("retry_after needs a status to go with")
    if fault.status is None and fault.body is not None and fault.kind != "garbage":
        raise ValueError('body needs a status to go with, or the kind "garbage"')
    if fault.seconds and fault.kind != "slow":
        raise ValueError('seconds are for the kind "slow"')
    if fault.times < 1 or fault.after < 0:
        raise ValueError("times is 1 or more, and after is 0 or more")
