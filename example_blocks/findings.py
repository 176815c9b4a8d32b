"""What the probe's observations show about a platform."""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from math import ceil
from typing import Any

MIN_TYPING_SECONDS = 0.5
"""A smaller difference between messages with and without typing is not counted."""
DEFAULT_SEND_TIMEOUT_SECONDS = 15
"""The default of VERTEXKIT_SEND_TIMEOUT."""


def fingerprint(secret: str | bytes) -> str:
    return sha256(secret.encode() if isinstance(secret, str) else secret).hexdigest()[:8]


class Findings:
    """What was observed so far, and the settings that follow from it.

    Args:
        observations: The observations, in the order in which they were made.
    """

    def __init__(self, observations: Iterable[dict[str, Any]]) -> None:
        self.repeats: list[float] = []  # seconds between two calls of one execution
        self.returns: list[float] = []  # seconds from an end to a new call with the same token
        self.reactivated: set[str] = set()  # the tokens of those calls
        self.answers: list[str] = []  # statuses of a second `complete`
        self.seconds: dict[bool, list[float]] = {False: [], True: []}  # per message, by typing
        self.held = 0.0  # seconds of the longest hold
        self._called: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._tokens: defaultdict[str, set[str]] = defaultdict(set)  # by dialog
        for observation in observations:
            self._add(**observation)

    def _add(self, at: float, what: str, token: str, **seen: Any) -> None:
        match what:
            case "call":
                if token in self._ended:
                    self.returns.append(at - self._ended[token])
                    self.reactivated.add(token)
                elif token in self._called:
                    self.repeats.append(at - self._called[token])
                self._called[token] = at
            case "started":
                self._ended.pop(token, None)
                self._tokens[seen["dialog"] or token].add(token)
            case "sent":
                self.seconds[seen["typing"]].append(seen["seconds"])
            case "ended":
                self._ended[token], self.held = at, max(self.held, seen["held"])
                self.reactivated.discard(token)
            case "second":
                self.answers.append(seen["answer"])

    @property
    def tokens(self) -> str:
        """The value for VERTEXKIT_TOKENS; empty if it is still unknown."""
        if self.returns:
            return "reused"
        return "unique" if any(len(tokens) > 1 for tokens in self._tokens.values()) else ""

    @property
    def slowest(self) -> float:
        """Seconds that the slowest message took."""
        return max(self.seconds[False] + self.seconds[True], default=0)

    @property
    def send_timeout(self) -> int:
        """The value for VERTEXKIT_SEND_TIMEOUT."""
        return max(DEFAULT_SEND_TIMEOUT_SECONDS, ceil(3 * self.slowest))

    @property
    def delay(self) -> float:
        """Seconds that typing adds to a message; 0 if the difference is too small to count."""
        added = min(self.seconds[True], default=0) - min(self.seconds[False], default=0)
        return added if added > MIN_TYPING_SECONDS else 0
