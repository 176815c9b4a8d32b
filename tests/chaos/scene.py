"""A platform in this process, and services on one journal that die one after the other."""

import asyncio
import json
import multiprocessing
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any

import aiohttp

from tests.chaos import failpoints
from tests.chaos.dump import dump
from tests.chaos.invariants import check
from tests.chaos.kill_blocks import TERMS
from tests.chaos.observed import Call, Observed, Policy
from vertexkit.journal.protocol import Record
from vertexkit.testing import FakePlatform
from vertexkit.testing.platform.ledger import Entry

ROOT = Path(__file__).parents[2]
APP = "tests.chaos.kill_blocks:app"
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([failpoints.__name__])
POLICIES = {
    name: Policy(terms.get("on_unknown", "assume_sent"), terms.get("on_park", "complete"))
    for name, terms in TERMS.items()
}


class Child:
    """One process of the service."""

    def __init__(
        self, pid: int, output: asyncio.StreamReader, wait: Callable[[], Awaitable[int]]
    ) -> None:
        self.pid = pid
        self.lines: list[bytes] = []
        self.code: int | None = None
        self._output = output
        self._wait = wait

    @property
    def told(self) -> list[dict[str, Any]]:
        """What it has logged."""
        return [json.loads(line) for line in self.lines if line.startswith(b"{")]

    async def said(self, event: str, **fields: Any) -> dict[str, Any]:
        """Wait until it has logged this, and give the line."""
        at = 0
        while True:
            if at == len(self.lines) and not await self._read():
                raise AssertionError(f"it never said {event} {fields}:\n{self}")
            line = self.lines[at]
            at += 1
            if line.startswith(b"{"):
                told: dict[str, Any] = json.loads(line)
                if told["event"] == event and fields.items() <= told.items():
                    return told

    async def _read(self) -> bool:
        line = await self._output.readline()
        if line:
            self.lines.append(line)
        return bool(line)

    async def ended(self) -> int:
        """Wait for its end; gives the exit code, or minus the signal."""
        while await self._read():
            pass
        self.code = await self._wait()
        return self.code

    def send(self, number: Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def end(self, number: Signals = SIGTERM) -> int:
        """Send it a signal and wait for its end; gives the exit code."""
        self.send(number)
        return await self.ended()

    def __str__(self) -> str:
        return b"".join(self.lines).decode(errors="replace")


class Gate:
    """A place where a handler waits until the test lets it pass."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._pipe = os.open(path, os.O_RDWR)

    def open(self) -> None:
        os.write(self._pipe, b"!")

    def close(self) -> None:
        os.close(self._pipe)


class Scene:
    """Calls, processes and what came of them.

    Args:
        folder: of the journal.
        platform: served at `port`.
        port: of the platform.
        client: for the calls of blocks.
    """

    def __init__(
        self, folder: Path, platform: FakePlatform, port: int, client: aiohttp.ClientSession
    ) -> None:
        self.folder = folder
        self.platform = platform
        self.journal = folder / "home" / "journal.db"
        self.children: list[Child] = []
        self._port = port
        self._client = client
        self._calls: list[Call] = []
        self._gates: list[Gate] = []
        self._url = ""

    def gate(self) -> Gate:
        """A new gate, closed."""
        self._gates.append(Gate(self.folder / f"gate{len(self._gates)}"))
        return self._gates[-1]

    def _environment(self, settings: dict[str, Any]) -> dict[str, str]:
        defaults = {
            "platform_url": f"http://127.0.0.1:{self._port}/api",
            "journal": f"sqlite:{self.journal}",
            "log_format": "json",
            "cleanup": 0.2,
            "send_timeout": 10,
        }
        own = {k: v for k, v in os.environ.items() if "VERTEXKIT" not in k}
        given = {f"VERTEXKIT_{k.upper()}": str(v) for k, v in (defaults | settings).items()}
        return own | given | {"PYTHONPATH": str(ROOT)}

    async def launch(self, point: str = "", **settings: Any) -> Child:
        """A new process on the journal as it is, by forking; it may refuse to start."""
        ours, theirs = FORKS.Pipe(duplex=False)
        arguments = ("run", APP, "--port", "0")
        process = FORKS.Process(
            target=failpoints.start, args=(point, arguments, self._environment(settings), theirs)
        )
        process.start()
        theirs.close()
        output = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(os.dup(ours.fileno()), "rb")
        )
        ours.close()

        async def wait() -> int:
            # Not in a thread: whoever starts another process looks after all of them, and of two
            # who wait for one, one is told 255. It has no output left, so it is over.
            process.join()
            assert process.exitcode is not None
            return process.exitcode

        assert process.pid is not None
        self.children.append(Child(process.pid, output, wait))
        return self.children[-1]

    async def start(self, point: str = "", **settings: Any) -> Child:
        """A new process that serves."""
        return await self.serving(await self.launch(point, **settings))

    async def serving(self, child: Child) -> Child:
        """Wait until it serves; from now on blocks are called there."""
        self._url = (await child.said("address_bound"))["blocks"][0].rpartition("/")[0]
        await child.said("started")
        return child

    async def call(self, block: str, token: str = "", **inputs: Any) -> Call:
        """Call a block as the platform does, with a token of its own if none is given."""
        token = token or self.platform.issue(block)
        url, body = f"{self._url}/{block}", {"token": token, **inputs}
        try:
            async with self._client.post(url, json=body) as answer:
                told = await answer.json(content_type=None)
                again = answer.headers.get("Retry-After", "")
                call = Call(token, block, answer.status, told.get("execution", ""), again)
        except (aiohttp.ClientError, ValueError):
            call = Call(token, block, None)
        self._calls.append(call)
        return call

    async def readiness(self) -> tuple[int, list[str]]:
        """What the service says of itself."""
        async with self._client.get(self._url.replace("/blocks", "/readyz")) as answer:
            told = await answer.json()
            return answer.status, told.get("reasons", [])

    def kill_at(self, method: str, child: Child, times: int = 1) -> None:
        """Kill this process as its n-th request of a method arrives: it never reads the answer."""
        left = [times]

        def arrived(entry: Entry) -> None:
            if entry.method == method and entry.answered_at is None:
                left[0] -= 1
                if left[0] == 0:
                    child.send(SIGKILL)

        self.platform.subscribe(arrived, arrivals=True)

    def messages(self, call: Call) -> list[int]:
        """Which of its messages the platform has, in order."""
        return [int(e.json["text"].split()[1]) for e in self._done("send_message", call)]

    def results(self, call: Call) -> list[Any]:
        """What its block was completed with, once for each time that the platform took it."""
        return [entry.json["data"] for entry in self._done("complete", call)]

    def tries(self, call: Call) -> list[bytes]:
        """The bytes of each request to complete its block."""
        return [
            e.body for e in self.platform.ledger if (e.token, e.method) == (call.token, "complete")
        ]

    def _done(self, method: str, call: Call) -> list[Entry]:
        return [
            entry
            for entry in self.platform.ledger
            if entry.method == method and entry.token == call.token and entry.processed
        ]

    def record(self, call: Call) -> Record:
        """What the journal has of it, once no process writes there."""
        [record] = [each for each in dump(self.journal) if each.execution == call.execution]
        return record

    async def finish(self, *, code: int = 0) -> None:
        """End the last process well; then everything must be as it was promised."""
        assert await self.children[-1].end() == code, str(self.children[-1])
        assert check(self.observed()) == []

    def observed(self) -> Observed:
        """All that was seen."""
        told = [line for child in self.children for line in child.told]
        return Observed(
            tuple(self._calls),
            tuple(self.platform.ledger),
            dump(self.journal),
            b"".join(b"".join(child.lines) for child in self.children),
            POLICIES,
            settled=tuple(line["execution"] for line in told if line["event"] == "settled"),
        )

    async def close(self) -> None:
        """Leave nothing behind."""
        for gate in self._gates:
            gate.close()
        for child in self.children:
            if child.code is None:
                with suppress(ProcessLookupError):
                    child.send(SIGKILL)
                await child.ended()
