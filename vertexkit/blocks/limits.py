"""The limits of a block that hold over all processes: how they are written, and the key of a call."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from vertexkit.errors import DefinitionError
from vertexkit.journal.limits import Rate
from vertexkit.token import Claims

RATE_FORMAT = re.compile(r"(\d+)\s*/\s*(\d*)\s*(s|second|m|minute|h|hour|d|day)s?")
PERIOD_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
"""By the first letter of the unit."""
MAX_STARTS = 10_000
"""Largest number of runs of a rate: the journal keeps the time of each start in the period."""
MAX_PERIOD_SECONDS = 7 * 86_400
KEY_DIGITS = 32
"""Length of a key in the journal, which keeps a hash: a key may be a phone number."""


@dataclass(frozen=True, slots=True)
class CallInfo:
    """What is known of a call when it is accepted, before its handler runs."""

    block: str
    """Name of the block."""
    claims: Claims | None
    """Claims of the token, **unverified**; None if the token is not a JWT."""
    inputs: Mapping[str, Any] = field(repr=False)
    """The block's inputs as the platform sent them, before validation."""


LimitKey: TypeAlias = Callable[[CallInfo, Any], object]
"""Returns the key of a call: executions with equal keys share the limits of their block.

It takes what is known of the call, and the validated inputs: the author's model, or an object with
the plain parameters as attributes.
"""


def parse_rate(at: str, text: object) -> Rate:
    """Read a rate such as `10/second`, `100/minute` or `3/10s`.

    Args:
        at: the block and its place in the source, for the error.
        text: what the author wrote.

    Raises:
        DefinitionError: it is not a rate.
    """
    found = RATE_FORMAT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise DefinitionError(
            f"{at}: rate must be a number of runs and a period, such as '10/second', "
            f"'100/minute' or '3/10s', got {text!r}"
        )
    number, periods = int(found[1]), int(found[2] or 1)
    seconds = periods * PERIOD_SECONDS[found[3][0]]
    if not 0 < number <= MAX_STARTS:
        raise DefinitionError(
            f"{at}: rate must allow 1 to {MAX_STARTS} runs in its period, got {text!r}; "
            "for more, use a shorter period"
        )
    if not 0 < seconds <= MAX_PERIOD_SECONDS:
        raise DefinitionError(f"{at}: the period of rate must be 1 second to 7 days, got {text!r}")
    return Rate(number, float(seconds))


def hash_key(value: object) -> str:
    """Return a key as the journal keeps it."""
    return hashlib.sha256(str(value).encode(errors="replace")).hexdigest()[:KEY_DIGITS]
