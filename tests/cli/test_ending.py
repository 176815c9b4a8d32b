"""Commands that run handlers end when they have printed their result, whatever threads do."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests.cli.shell import Shell

BLOCKS = """
import asyncio, atexit, threading
from vertexkit import App, Context, SyncContext
app = App()
never = threading.Event()

@app.block("handler", timeout=0.2)
def handler(ctx: SyncContext) -> None:
    print("it works", flush=True)
    never.wait(90)

@app.block("asyncio", timeout=0.2)
async def in_asyncio(ctx: Context) -> None:
    print("it works", flush=True)
    await asyncio.to_thread(never.wait, 90)

@app.block("step", timeout=0.2)
async def step(ctx: Context) -> None:
    print("it works", flush=True)
    await ctx.step("wait", never.wait, 90)

@app.block("slow", timeout=100)
def slow(ctx: SyncContext) -> None:
    print("it works", flush=True)
    never.wait(90)

atexit.register(print, "cleaned up")
"""
REAL_SECONDS = 60.0
"""Less than any thread works."""


@pytest.fixture
def stuck(shell: Shell) -> Shell:
    """A folder with blocks whose threads do not end."""
    (shell.folder / "stuck.py").write_text(BLOCKS)
    return shell


@pytest.mark.parametrize("block", ["handler", "asyncio", "step"])
def test_a_run_ends_although_its_thread_works(stuck: Shell, block: str) -> None:
    """The result is complete, the run is recorded, and functions of `atexit` are called."""
    began = time.monotonic()
    done = stuck.run("trigger", "stuck:app", block, "--json", cleanup="0.1")
    assert time.monotonic() - began < REAL_SECONDS
    assert done.returncode == 1
    printed = done.stdout.replace("it works", "").replace("cleaned up", "")
    assert json.loads(printed)["outcome"]["code"] == "timeout"
    assert done.stdout.rstrip().endswith("cleaned up")
    assert list(Path(stuck.folder).glob(".vertexkit/runs/*"))


@pytest.mark.parametrize("arguments", [["replay", "last"], ["check", "stuck:app", "--chaos"]])
def test_other_commands_end_too(stuck: Shell, arguments: list[str]) -> None:
    """They run the handler in their own process as well."""
    stuck.run("trigger", "stuck:app", "handler", "--json")
    block = ["--block", "handler"] if arguments[0] == "check" else []
    began = time.monotonic()
    done = stuck.run(*arguments, *block)
    assert time.monotonic() - began < REAL_SECONDS
    assert "timeout" in done.stdout


def test_a_chat_ends_too(stuck: Shell) -> None:
    """It ends at the end of its input, and not with the thread."""
    began = time.monotonic()
    done = stuck.run("chat", "stuck:app", "handler", "--fast", stdin="\n")
    assert time.monotonic() - began < REAL_SECONDS
    assert "timeout" in done.stdout
    assert done.returncode == 0


def test_ctrl_c_ends_a_run_whose_thread_works(stuck: Shell) -> None:
    """The exit code is that of an interruption, and no traceback is printed."""
    process = stuck.start("trigger", "stuck:app", "slow")
    process.wait_for("it works")
    began = time.monotonic()
    assert process.end(signal.SIGINT) == 130
    assert time.monotonic() - began < REAL_SECONDS
    assert "cleaned up" in process.lines
    assert "Traceback" not in "\n".join(process.lines)
