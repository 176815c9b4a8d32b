"""Durations that authors give: a number of seconds or a timedelta."""

from datetime import timedelta


def seconds_of(method: str, value: object) -> float:
    """Return a duration in seconds.

    Args:
        method: Name of the method that got it, for the error.
        value: What the author gave.

    Raises:
        TypeError: It is neither a number nor a timedelta.
        ValueError: It is negative or not finite.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not isinstance(seconds, (int, float)):
        raise TypeError(f"{method} needs a number of seconds or a timedelta, got {value!r:.100}")
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{method} needs 0 seconds or more, got {value!r:.100}")
    return float(seconds)
