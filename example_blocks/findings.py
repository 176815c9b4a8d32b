"""What the probe's observations, in the order in which they were made, say of a platform."""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from math import ceil
from typing import Any

TYPING, PATIENCE = 0.5, 15
"""Seconds that typing has to cost before it counts; the default of VERTEXKIT_SEND_TIMEOUT."""


def fingerprint(secret: str | bytes) -> str:
    return sha256(secret.encode() if isinstance(secret, str) else secret).hexdigest()[:8]


class Findings:
    """What was seen so far, and the settings that follow from it."""

    def __init__(self, observations: Iterable[dict[str, Any]]) -> None:
        self.repeats: list[float] = []  # seconds after the call before, in one execution
        self.returns: list[float] = []  # seconds from an end to a call with its token
        self.back: set[str] = set()  # the tokens of those calls
        self.answers: list[str] = []  # to a second `complete`
        self.seconds: dict[bool, list[float]] = {False: [], True: []}  # of messages, by typing
        self.held = 0.0
        self._called: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._tokens: defaultdict[str, set[str]] = defaultdict(set)  # by dialog
        for each in observations:
            self._take(**each)

    def _take(self, at: float, what: str, token: str, **seen: Any) -> None:
        match what:
            case "call":
                if token in self._ended:
                    self.returns.append(at - self._ended[token])
                    self.back.add(token)
                elif token in self._called:
                    self.repeats.append(at - self._called[token])
                self._called[token] = at
            case "began":
                self._ended.pop(token, None)
                self._tokens[seen["dialog"] or token].add(token)
            case "sent":
                self.seconds[seen["typing"]].append(seen["seconds"])
            case "ended":
                self._ended[token], self.held = at, max(self.held, seen["held"])
                self.back.discard(token)
            case "second":
                self.answers.append(seen["answer"])

    @property
    def tokens(self) -> str:
        """The value for VERTEXKIT_TOKENS; empty while it is not known."""
        if self.returns:
            return "reused"
        return "unique" if any(len(each) > 1 for each in self._tokens.values()) else ""

    @property
    def slowest(self) -> float:
        return max((each for seconds in self.seconds.values() for each in seconds), default=0)

    @property
    def send_timeout(self) -> int:
        """The value for VERTEXKIT_SEND_TIMEOUT."""
        return max(PATIENCE, ceil(3 * self.slowest))

    @property
    def delay(self) -> float:
        """Seconds that typing adds to an answer; 0 if that is too little to count."""
        added = min(self.seconds[True], default=0) - min(self.seconds[False], default=0)
        return added if added > TYPING else 0
