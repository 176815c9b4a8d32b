"""The process that has started this one."""

import asyncio
import multiprocessing


async def wait_for_end_of_parent() -> None:
    """Return when the process that has started this worker has ended; without one, never."""
    ended = asyncio.Event()
    loop, parent = asyncio.get_running_loop(), multiprocessing.parent_process()
    if parent is not None:  # its end of the pipe is closed then
        loop.add_reader(parent.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        if parent is not None:
            loop.remove_reader(parent.sentinel)
