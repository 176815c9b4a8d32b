"""A run of pytest in a folder with an app, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from tests import forked

HELLO = """
import asyncio
from vertexkit import App, Context

app = App()

@app.block("hello")
async def hello(ctx: Context, name: str = "you") -> None:
    await ctx.send_message(f"Hello, {name}!")
    await ctx.send_message(str(ctx.remaining > 100))

@app.block("sleep")
async def sleep(ctx: Context) -> None:
    await asyncio.sleep(10)
    try:
        async with asyncio.timeout(10):
            await asyncio.Event().wait()
    except TimeoutError:
        pass

@app.block("hang")
async def hang(ctx: Context) -> None:
    await asyncio.Event().wait()
"""

OPTIONS = ["-q", "-p", "no:cacheprovider"]
ALREADY_IMPORTED = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
"""A forked process has imported vertexkit before pytest could rewrite its assertions."""
HYPOTHESIS = {"HYPOTHESIS_STORAGE_DIRECTORY": str(Path(".hypothesis").resolve())}
"""What hypothesis has read from the modules of vertexkit, which takes seconds, is used again."""
OWN = "from hello import app\n"


def run(folder: Path, test: str, *options: str, ini: str = "") -> tuple[int, str]:
    """Run a test file in a folder with `hello.py`; return exit code and output."""
    write(folder, test, ini)
    done = forked.run(
        "pytest",
        [*OPTIONS, *ALREADY_IMPORTED, *options],
        folder=folder,
        environment=os.environ | HYPOTHESIS,
    )
    return done.returncode, done.stdout + done.stderr


def run_in_new_process(folder: Path, test: str, *options: str) -> tuple[int, str]:
    """Run a test file in a new Python, in which nothing is imported yet."""
    write(folder, test)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def write(folder: Path, test: str, ini: str = "") -> None:
    """Write the app, the test and the options of pytest."""
    (folder / "hello.py").write_text(HELLO)
    (folder / "test_it.py").write_text(test)
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = .\n{ini}")
