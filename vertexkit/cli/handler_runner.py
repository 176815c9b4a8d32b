"""The event loop of a command that runs handlers in its own process."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from vertexkit.cli.ending import Ending

TASK_SECONDS = 1.0
"""How long tasks that are cancelled at the end may take."""
THREAD_PREFIX = "asyncio"
"""Start of the names of threads that asyncio itself starts."""


@contextmanager
def handler_runner() -> Iterator[asyncio.Runner]:
    """A runner that waits at its end neither for threads nor for tasks that ignore a cancellation.

    The process does not wait for them either; see `vertexkit.cli.ending`.
    """
    Ending.runs_handlers = True
    runner, threads = asyncio.Runner(), ThreadPoolExecutor(thread_name_prefix=THREAD_PREFIX)
    loop = runner.get_loop()
    loop.set_default_executor(threads)
    try:
        yield runner
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        if _cancel_tasks(loop):
            loop.set_default_executor(ThreadPoolExecutor(1))  # the runner waits for its threads
            runner.close()
        else:
            Ending.has_left_tasks = True


def _cancel_tasks(loop: asyncio.AbstractEventLoop) -> bool:
    """Cancel the tasks that still run; return whether all of them have ended."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=TASK_SECONDS))
    return all(task.done() for task in tasks)
