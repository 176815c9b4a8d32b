"""The command `vertexkit` in a folder, as a process that is forked from a warm one."""

import os
import re
import subprocess
from pathlib import Path

from tests import forked, forked_workers
from tests.forked_programs import PYTHON_VARIABLE, ForkedPrograms

HELLO = """
from vertexkit import App, BlockFailed, Context, Retry

app = App()


@app.block("hello", title="Greeting")
async def hello(ctx: Context, name: str, times: int = 1) -> dict[str, str]:
    for _ in range(times):
        await ctx.send_message(f"Привет, {name}!")
    if name == "boom":
        raise ValueError("no such thing")
    if name == "unknown":
        raise BlockFailed("no_such_person", "There is no such person.")
    if name == "later" and ctx.attempt == 1:
        raise Retry(after=30, reason="not yet")
    ctx.log.info("greeted", name=name)
    return {"greeted": name}
"""
"""An app file, as an author writes it."""
URL = re.compile(r"http://127\.0\.0\.1:(\d+)")


class Shell:
    """Runs the command in a folder that contains `hello.py`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "hello.py").write_text(HELLO, encoding="utf-8")
        self.forks_workers: bool = False
        """Whether the workers of a command that is started are forked from a warm process, too."""
        self.variables: dict[str, str] = {}
        """What is set for a command that is started, beside vertexkit's settings."""
        self._started: list[Process] = []
        self._programs: ForkedPrograms | None = None

    def environment(self, **variables: str) -> dict[str, str]:
        """This process's environment without vertexkit's settings, and with other variables."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("VERTEXKIT_")}
        return kept | variables

    def _settings(self, settings: dict[str, str]) -> dict[str, str]:
        return self.environment(**{f"VERTEXKIT_{name.upper()}": v for name, v in settings.items()})

    def run(
        self, *arguments: str, stdin: str = "", **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and wait until it exits; a test that fails shows its output."""
        done = forked.run(
            "vertexkit",
            arguments,
            folder=self.folder,
            environment=self._settings(settings),
            stdin=stdin,
        )
        shown = f"vertexkit {arguments}: exit code {done.returncode}"
        print(shown, done.stdout, done.stderr, sep="\n")  # noqa: T201 - pytest captures it
        return done

    def start(self, *arguments: str, **settings: str) -> "Process":
        """Start a command that runs until it is stopped."""
        own = {"PYTHONUNBUFFERED": "1"} | (
            {forked_workers.VARIABLE: "1"} if self.forks_workers else {}
        )
        process = forked.start(
            "vertexkit",
            arguments,
            folder=self.folder,
            environment=self._settings(settings) | own | self.variables,
        )
        self._started.append(Process(process))
        return self._started[-1]

    def fork_python(self) -> None:
        """Fork what a command that is started runs with `python -m` from a warm process, too."""
        if self._programs is None:
            self._programs = ForkedPrograms()
            self.variables[PYTHON_VARIABLE] = str(self._programs.python())

    def close(self) -> None:
        """Kill the processes that are still running; a test that fails shows their outputs."""
        for process in self._started:
            process.forked.close()
            print(process.forked.returncode, *process.lines, sep="\n")  # noqa: T201
        if self._programs is not None:
            self._programs.close()


class Process:
    """A running command whose output is read line by line."""

    def __init__(self, process: forked.ForkedProcess) -> None:
        self.forked = process
        self.lines: list[str] = []

    def wait_for(self, *texts: str) -> str:
        """Read the output until each text was in a line, in any order; return the last such line."""
        assert self.forked.stdout is not None
        missing = set(texts)
        for line in self.forked.stdout:
            self.lines.append(line.rstrip("\n"))
            found = {text for text in missing if text in line}
            missing -= found
            if found and not missing:
                return line
        printed = "\n".join(self.lines)
        raise AssertionError(f"the process did not print {sorted(missing)}:\n{printed}")

    def end(self, signal: int) -> int:
        """Send a signal, read the remaining output, and return the exit code."""
        self.forked.send_signal(signal)
        return self.finish()

    def finish(self) -> int:
        """Read the remaining output, and return the exit code."""
        assert self.forked.stdout is not None
        self.lines += [line.rstrip("\n") for line in self.forked.stdout]
        return self.forked.wait(60)

    @property
    def port(self) -> str:
        """The port in the first URL that the process printed."""
        found = URL.search("\n".join(self.lines))
        assert found is not None, self.lines
        return found[1]
