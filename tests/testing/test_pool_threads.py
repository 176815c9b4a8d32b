"""Threads of pools: those that work are distinguished from those that wait for work."""

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.waiting import PATIENCE_SECONDS, until
from vertexkit.testing.pool_threads import pool_threads


async def test_a_thread_of_a_pool_works_until_its_call_has_returned() -> None:
    """It is found by what it runs; the threads of other code are not threads of pools."""
    started, finish = threading.Event(), threading.Event()

    def work() -> int:
        started.set()
        finish.wait(PATIENCE_SECONDS)
        return threading.get_ident()

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(work)
        assert started.wait(PATIENCE_SECONDS)
        assert True in pool_threads().values()
        finish.set()
        thread = call.result(PATIENCE_SECONDS)
        await until(lambda: not pool_threads()[thread], "the thread waits for its next call")
        assert threading.get_ident() not in pool_threads()
