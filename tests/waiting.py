"""Waits of tests: each one has an end, and says what it waited for."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""Seconds after which a wait fails. Only a wait for something that does not happen takes them."""
POLL_INTERVAL_SECONDS = 0.001
"""Seconds between two looks at something that has no event of its own."""
PROCESS_POLL_INTERVAL_SECONDS = 0.02
"""The same for another process, which needs the processor to get there."""


async def until(condition: Callable[[], T], expected: str) -> T:
    """Run the event loop until a condition is true.

    Args:
        condition: It is checked after each turn of the loop.
        expected: What it says, for the message of the failure.

    Returns:
        The first true value of the condition.

    Raises:
        AssertionError: The condition was not true within the patience.
    """
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    turns = 0
    while not (value := condition()):
        assert time.monotonic() < give_up_at, f"not within {PATIENCE_SECONDS:g} s: {expected}"
        turns += 1
        # The first turns take no time; then threads and other processes get the processor.
        await asyncio.sleep(0 if turns < 100 else POLL_INTERVAL_SECONDS)
    return value


def until_outside(condition: Callable[[], T], expected: str) -> T:
    """Wait, without an event loop, until a condition is true that another process brings about.

    Args:
        condition: It is checked again and again.
        expected: What it says, for the message of the failure.

    Returns:
        The first true value of the condition.

    Raises:
        AssertionError: The condition was not true within the patience.
    """
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < give_up_at, f"not within {PATIENCE_SECONDS:g} s: {expected}"
        time.sleep(PROCESS_POLL_INTERVAL_SECONDS)
    return value


async def occurs(event: asyncio.Event, expected: str) -> None:
    """Wait until an event is set.

    Args:
        event: What is waited for.
        expected: What the event says, for the message of the failure.

    Raises:
        AssertionError: The event was not set within the patience.
    """
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await event.wait()
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE_SECONDS:g} s: {expected}") from None
