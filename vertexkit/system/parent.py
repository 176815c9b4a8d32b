"""The process that has started this one."""

import asyncio
import multiprocessing

CHECK_SECONDS = 0.5
"""How often it is checked whether the parent process still runs."""


async def wait_for_end_of_parent() -> None:
    """Return when the process that has started this worker has ended; without one, never."""
    parent = multiprocessing.parent_process()
    while parent is None or parent.is_alive():  # noqa: ASYNC110 - nothing reports it
        await asyncio.sleep(CHECK_SECONDS)
