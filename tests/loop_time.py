"""Skips of an event loop's time: asyncio's own timers are due without a wait.

The virtual clock of the testing kit does this for everything that uses a `Clock`. The server and
aiohttp use timers of the event loop.
"""

import asyncio


def skip(seconds: float) -> None:
    """Set the running loop's time forward: every timer that is due until then fires at once."""
    loop = asyncio.get_running_loop()
    time = loop.time
    # Timers are compared with what this method returns.
    loop.time = lambda: time() + seconds  # pyrefly: ignore[method-assign]
