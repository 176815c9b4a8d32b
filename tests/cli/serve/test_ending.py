"""The end of a process of `vertexkit run`: it comes in time, whatever handlers and threads do."""

import json
import signal
import threading
from typing import Any
from urllib.request import Request, urlopen

import pytest

STUCK = """
import asyncio
import sys
import threading
import time

from vertexkit import App, Context, SyncContext
from vertexkit.app import asgi_app

app = App()


@app.block("swallow")
async def swallow(ctx: Context) -> None:
    print("swallow runs", flush=True)
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass


@app.block("thread")
def thread(ctx: SyncContext) -> None:
    print("thread runs", flush=True)
    time.sleep(3600)


@app.block("threads")
async def threads(ctx: Context) -> None:
    threading.Thread(target=time.sleep, args=(3600,)).start()
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)
    print("threads run", flush=True)


@app.block("block")
async def block(ctx: Context) -> None:
    time.sleep(3600)


@app.block("exit")
async def exit_(ctx: Context) -> None:
    loop = asyncio.get_running_loop()
    loop.call_soon(sys.exit, 3)
    loop.call_soon(loop.stop)
    await asyncio.sleep(0.1)
    print("exit has continued", flush=True)


@app.block("break")
async def break_(ctx: Context) -> None:
    async def claim(*_):
        raise ValueError("no more")

    if ctx.attempt == 1:
        asgi_app(app).service.journal.claim = claim
        asgi_app(app).service.dispatcher.wake()
        await asyncio.Event().wait()
"""
"""An author's file whose handlers cannot be stopped, or break the process."""
SETTINGS = {"platform_url": "http://127.0.0.1:9/api", "grace": "0", "cleanup": "0"}


def call(service: Any, block: str) -> None:
    request = Request(
        f"http://127.0.0.1:{service.port}/blocks/{block}",
        json.dumps({"token": f"token-{block}"}).encode(),
        {"Content-Type": "application/json"},
    )
    urlopen(request, timeout=60).close()


def start(shell: Any, *options: str, **settings: str) -> Any:
    (shell.folder / "stuck.py").write_text(STUCK, encoding="utf-8")
    service = shell.start("run", "stuck:app", "--port=0", *options, **SETTINGS | settings)
    for _ in range(2 if "--workers=2" in options else 1):
        service.wait_for('"event":"started"')
    return service


def test_handlers_and_threads_that_do_not_end_do_not_keep_the_process(
    shell: Any, platform: Any
) -> None:
    """A swallowed cancellation, a `def` handler and an author's threads: exit code 0, in time."""
    service = start(shell, platform_url=f"http://127.0.0.1:{platform.port}/api")
    for block in ("exit", "swallow", "thread", "threads"):
        call(service, block)
    service.wait_for("exit has continued", "swallow runs", "thread runs", "threads run")
    code = service.end(signal.SIGTERM)
    assert code == 0, service.lines
    events = [json.loads(line)["event"] for line in service.lines if line.startswith("{")]
    assert events.count("loop_continued") == 2
    assert events[-2:] == ["stopped", "exit_forced"]


def test_a_blocked_event_loop_does_not_keep_the_process(shell: Any) -> None:
    """Nothing can be drained: exit code 1; the journal has what was accepted."""
    service = start(shell)
    call(service, "block")
    service.wait_for('"loop_blocked"')
    code = service.end(signal.SIGTERM)
    assert code == 1, service.lines
    assert '"exit_forced"' in service.lines[-1]


SLOW_START = """
import asyncio
import time
from contextlib import asynccontextmanager

from vertexkit import App, Context


@asynccontextmanager
async def lifespan(app):
    print("starting", flush=True)
    HANGS
    yield


app = App(lifespan=lifespan)


@app.block("never")
async def never(ctx: Context) -> None: ...
"""
"""An author's file whose lifespan does not get to the start of the service."""


@pytest.mark.parametrize("hangs", ["await asyncio.Event().wait()", "time.sleep(3600)"])
def test_a_start_that_does_not_end_does_not_keep_the_process(shell: Any, hangs: str) -> None:
    """SIGTERM during the author's lifespan ends the process in seconds."""
    source = SLOW_START.replace("HANGS", hangs)
    (shell.folder / "slow.py").write_text(source, encoding="utf-8")
    service = shell.start("run", "slow:app", "--port=0", **SETTINGS)
    service.wait_for("starting")
    code = service.end(signal.SIGTERM)
    assert code == 1, service.lines
    assert any('"exit_forced"' in line for line in service.lines)


def test_further_signals_do_not_change_the_exit_code(shell: Any) -> None:
    """SIGTERM again and again until the end of the process, which has stopped as it should: 0."""
    service = start(shell)
    closed = threading.Event()

    def repeat() -> None:
        while not closed.is_set():
            service.forked.send_signal(signal.SIGTERM)
            closed.wait(0.005)

    sender = threading.Thread(target=repeat)
    sender.start()
    try:
        service.lines += list(service.forked.stdout)
    finally:
        closed.set()
        sender.join()
    code = service.finish()
    assert code == 0, service.lines


def test_a_failed_background_task_ends_the_process(shell: Any) -> None:
    """Exit code 1 with the reason."""
    service = start(shell)
    call(service, "break")
    code = service.finish()
    assert code == 1, service.lines
    assert any("a background task failed" in line for line in service.lines)
    assert not any("did not start" in line for line in service.lines)


def test_another_worker_replaces_one_whose_background_task_failed(
    shell: Any, platform: Any
) -> None:
    """The execution continues there, and the service does not end."""
    url = f"http://127.0.0.1:{platform.port}/api"
    shell.forks_workers = True
    service = start(shell, "--workers=2", platform_url=url)
    call(service, "break")
    # Lines of several processes come in any order, and the other worker may be the faster one.
    service.wait_for('"background_task_failed"', '"event":"started"', '"settled"')
    code = service.end(signal.SIGTERM)
    assert code == 0, service.lines
