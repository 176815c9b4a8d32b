"""A service under attack: `vertexkit run` with one journal, killed and restarted."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.forked import ForkedProcess

ROOT = Path(__file__).parents[2]
VERSIONS = ("tests.chaos.soak_blocks:app", "tests.chaos.soak_blocks:second")
"""The versions of the app, which replace each other."""
GENTLE = {"term", "term twice", "deploy"}
"""Signals after which the exit code must be 0."""


class Service:
    """Processes, one after the other, in a folder with a journal.

    Args:
        folder: of the journal and the logs.
        port: of the service.
        platform: the port of the platform.
        workers: processes of the service.
        lease: seconds.
        journal: URL; by default of a file in the folder.
        forked: Fork the processes from a warm one, instead of starting new ones.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        platform: int,
        *,
        workers: int = 1,
        lease: float = 2.0,
        journal: str = "",
        forked: bool = False,
    ) -> None:
        self.folder = folder
        self.lease = lease
        self.kills: Counter[str] = Counter()
        self.wrongs: list[str] = []
        self._port, self._workers, self._forked = port, workers, forked
        self._version = 0
        """Of the app; grows with each deployment."""
        self._environment = {k: v for k, v in os.environ.items() if "VERTEXKIT" not in k} | {
            "VERTEXKIT_PLATFORM_URL": f"http://127.0.0.1:{platform}/api",
            "VERTEXKIT_LOG_FORMAT": "json",
            "VERTEXKIT_LOG_LEVEL": "debug",
            "VERTEXKIT_LEASE": str(lease),
            "VERTEXKIT_ATTEMPTS": "100",
            "VERTEXKIT_SEND_TIMEOUT": "2",
            "VERTEXKIT_CLEANUP": "0.2",
            "VERTEXKIT_GRACE": "0.5",
            "VERTEXKIT_JOURNAL": journal or f"sqlite:{folder / 'journal.db'}",
            "PYTHONPATH": str(ROOT),
        }
        self._process: subprocess.Popen[bytes] | ForkedProcess
        self._began = 0
        """Offset at which the log of the process starts."""

    @property
    def url(self) -> str:
        """URL of the blocks."""
        return f"http://127.0.0.1:{self._port}/blocks"

    @property
    def is_alive(self) -> bool:
        """Whether the last process has not ended."""
        if isinstance(self._process, subprocess.Popen):
            self._process.poll()
        return self._process.returncode is None

    @property
    def logs(self) -> bytes:
        """Everything that the processes have written."""
        return (self.folder / "log").read_bytes()

    def start(self) -> None:
        """Start a process with the current journal."""
        arguments = ["run", VERSIONS[self._version % len(VERSIONS)]]
        arguments += ["--port", str(self._port), "--workers", str(self._workers)]
        environment = self._environment | {"VERTEXKIT_APP_VERSION": str(self._version)}
        with (self.folder / "log").open("ab") as log, Path(os.devnull).open("rb") as nothing:
            self._began = log.tell()
            if self._forked:
                streams = nothing.fileno(), log.fileno(), log.fileno()
                self._process = ForkedProcess("vertexkit", arguments, ROOT, environment, streams)
                return
            self._process = subprocess.Popen(
                [sys.executable, "-m", "vertexkit", *arguments],
                cwd=ROOT,
                env=environment,
                stdin=nothing,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    async def attack(self, random: Random) -> None:
        """Attack the process, and restart it if it has died, after a deployment in another version."""
        kinds, weights = ["kill", "term", "term twice", "stop", "deploy"], [40, 8, 7, 20, 25]
        if self._workers > 1:
            kinds, weights = [*kinds, "kill a worker"], [*weights, 60]
        kind = random.choices(kinds, weights)[0]
        workers = children(self._process.pid) if self._workers > 1 else []
        match kind:
            case "kill":
                self._process.kill()
            case "term" | "term twice" | "deploy":
                self._process.send_signal(signal.SIGTERM)
                if kind == "term twice":
                    await asyncio.sleep(random.random() * 0.2)
                    self._process.send_signal(signal.SIGTERM)
            case "stop":
                victim = random.choice([*workers, self._process.pid])
                await self._freeze(victim, random.random() * (self.lease + 1))
            case _ if workers:
                signal_to(random.choice(workers), signal.SIGKILL)
        self.kills[kind] += 1
        if kind in GENTLE | {"kill"}:
            code = await self.ended()
            if kind in GENTLE and code != 0 and self._served():
                self.wrongs.append(f"after {kind} the process ended with {code}")
            self._version += kind == "deploy"
            self.start()

    def _served(self) -> bool:
        """Return whether the process handles signals.

        Not `started`: a worker of the process before, which has been killed, may still log that.
        """
        return b'"address_bound"' in self.logs[self._began :]

    async def run_again(self, end: float) -> None:
        """Start a process if the last one has ended: workers of a killed one may have had the port.

        Args:
            end: time of the clock at which to give up.
        """
        while time.monotonic() < end:
            await self.serves(end)
            if self.is_alive:
                return
            self.start()

    async def serves(self, end: float) -> None:
        """Wait until a process has started to serve, or has ended, or until a time of the clock."""
        while time.monotonic() < end and self.is_alive:
            if b'"started"' in self.logs[self._began :]:
                return
            await asyncio.sleep(0.2)

    async def _freeze(self, pid: int, seconds: float) -> None:
        signal_to(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            signal_to(pid, signal.SIGCONT)

    async def ended(self) -> int:
        """Wait until the process ends; return its exit code."""
        return await asyncio.to_thread(self._process.wait, 60)

    async def stop(self) -> int:
        """Stop it; return the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return await self.ended()

    def kill(self) -> None:
        """Kill it in any state."""
        self._process.kill()
        self._process.wait()


def children(pid: int) -> list[int]:
    """Return the worker processes of a process."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [
            int(pid) for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
    except OSError:
        return []


def signal_to(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
