"""A platform in this process, and service processes with one journal, which are killed."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any

import aiohttp

from tests.chaos import failpoints, kill_blocks, versions
from tests.chaos.dump import dump
from tests.chaos.invariants import check
from tests.chaos.observed import Call, Observed, Policy
from tests.chaos.senders import Senders
from tests.chaos.waits import reads_in
from tests.forked import FORKS, fork
from vertexkit.journal.protocol import Record
from vertexkit.testing import FakePlatform
from vertexkit.testing.platform.ledger import Entry

ROOT = Path(__file__).parents[2]
APP = "tests.chaos.kill_blocks:app"
POLICIES = {
    name: Policy(terms.get("on_unknown", "assume_sent"), terms.get("on_park", "complete"))
    for name, terms in (kill_blocks.TERMS | versions.TERMS).items()
}


class Child:
    """A process of the service."""

    def __init__(
        self, pid: int, output: asyncio.StreamReader, wait: Callable[[], Awaitable[int]]
    ) -> None:
        self.pid = pid
        self.lines: list[bytes] = []
        self.code: int | None = None
        self.url = ""
        self._output = output
        self._wait = wait

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that it has logged."""
        return [json.loads(line) for line in self.lines if line.startswith(b"{")]

    async def wait_for_event(self, event: str, **fields: Any) -> dict[str, Any]:
        """Wait until it has logged an event with these fields; return the event."""
        at = 0
        while True:
            if at == len(self.lines) and not await self._read():
                raise AssertionError(f"it has not logged {event} {fields}:\n{self}")
            line = self.lines[at]
            at += 1
            if line.startswith(b"{"):
                logged: dict[str, Any] = json.loads(line)
                if logged["event"] == event and fields.items() <= logged.items():
                    return logged

    async def _read(self) -> bool:
        line = await self._output.readline()
        if line:
            self.lines.append(line)
        return bool(line)

    async def ended(self) -> int:
        """Wait until it ends; return the exit code, or minus the signal."""
        while await self._read():
            pass
        self.code = await self._wait()
        return self.code

    def send(self, number: Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def end(self, number: Signals = SIGTERM) -> int:
        """Send it a signal and wait until it ends; return the exit code."""
        self.send(number)
        return await self.ended()

    def __str__(self) -> str:
        return b"".join(self.lines).decode(errors="replace")


class Barrier:
    """A place where a handler waits until the test releases it."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._pipe = os.open(path, os.O_RDWR)

    def release(self) -> None:
        os.write(self._pipe, b"!")

    def close(self) -> None:
        os.close(self._pipe)


class Scene:
    """Calls, processes, and what was observed of them.

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
        self.journal_url = f"sqlite:{self.journal}"
        self.children: list[Child] = []
        self._port = port
        self._client = client
        self._calls: list[Call] = []
        self._senders = Senders(client, lambda: self._url.removesuffix("/blocks"))
        self._barriers: list[Barrier] = []
        self._url = ""

    def barrier(self) -> Barrier:
        """Make a barrier."""
        self._barriers.append(Barrier(self.folder / f"barrier{len(self._barriers)}"))
        return self._barriers[-1]

    def _environment(self, settings: dict[str, Any]) -> dict[str, str]:
        defaults = {
            "platform_url": f"http://127.0.0.1:{self._port}/api",
            "journal": self.journal_url,
            "log_format": "json",
            "cleanup": 0.2,
            "send_timeout": 10,
            "stall": 0,  # a process that was frozen for a moment is ready
        }
        own = {k: v for k, v in os.environ.items() if "VERTEXKIT" not in k}
        given = {f"VERTEXKIT_{k.upper()}": str(v) for k, v in (defaults | settings).items()}
        return own | given | {"PYTHONPATH": str(ROOT)}

    async def launch(self, point: str = "", *, app: str = APP, **settings: Any) -> Child:
        """Fork a new process with the current journal; it may fail to start."""
        ours, theirs = FORKS.Pipe(duplex=False)
        arguments = ("run", app, "--port", "0")
        process = fork(failpoints.start, point, arguments, self._environment(settings), theirs)
        theirs.close()
        output = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(os.dup(ours.fileno()), "rb")
        )
        ours.close()

        async def wait() -> int:
            # Not in a thread: starting another process waits for all of them, and of two threads
            # that wait for the same process one gets 255. Its output has ended, so it has too.
            process.join()
            assert process.exitcode is not None
            return process.exitcode

        assert process.pid is not None
        self.children.append(Child(process.pid, output, wait))
        return self.children[-1]

    async def start(self, point: str = "", *, app: str = APP, **settings: Any) -> Child:
        """Start a new process, and wait until it serves."""
        return await self.serving(await self.launch(point, app=app, **settings))

    async def serving(self, child: Child) -> Child:
        """Wait until it serves; blocks are called there from now on."""
        bound = await child.wait_for_event("address_bound")
        child.url = bound["blocks"][0].rpartition("/")[0]
        self.call_at(child)
        await child.wait_for_event("started")
        return child

    def call_at(self, child: Child) -> None:
        """Send calls and events to this process from now on."""
        self._url = child.url

    async def call(self, block: str, token: str = "", **inputs: Any) -> Call:
        """Call a block as the platform does, with a new token if none is given."""
        token = token or self.platform.issue(block)
        url, body = f"{self._url}/{block}", {"token": token, **inputs}
        try:
            async with self._client.post(url, json=body) as answer:
                reply = await answer.json(content_type=None)
                again = answer.headers.get("Retry-After", "")
                call = Call(token, block, answer.status, reply.get("execution", ""), again)
        except (aiohttp.ClientError, ValueError):
            call = Call(token, block, None)
        self._calls.append(call)
        return call

    async def send_event(self, call: Call) -> int | None:
        """Send the event that the block `wait` waits for; return the status of the response."""
        return await self._senders.send(call, "go")

    @property
    def events(self) -> list[int]:
        """Return the numbers of the events that were sent, in order."""
        return [event.number for event in self._senders.sent]

    async def readiness(self) -> tuple[int, list[str]]:
        """Return status and reasons of the readiness check."""
        async with self._client.get(self._url.replace("/blocks", "/readyz")) as answer:
            reply = await answer.json()
            return answer.status, reply.get("reasons", [])

    def kill_at(self, method: str, child: Child, times: int = 1) -> None:
        """Kill this process when its n-th request of a method arrives: it reads no response."""
        left = [times]

        def arrived(entry: Entry) -> None:
            if entry.method == method and entry.answered_at is None:
                left[0] -= 1
                if left[0] == 0:
                    child.send(SIGKILL)

        self.platform.subscribe(arrived, arrivals=True)

    def messages(self, call: Call) -> list[int]:
        """Return the numbers of its messages that the platform processed, in order."""
        return [int(e.json["text"].split()[1]) for e in self._done("send_message", call)]

    def texts(self, call: Call) -> list[str]:
        """Return the texts of its messages that the platform processed, in order."""
        return [entry.json["text"] for entry in self._done("send_message", call)]

    def results(self, call: Call) -> list[Any]:
        """Return the data of each completion that the platform processed."""
        return [entry.json["data"] for entry in self._done("complete", call)]

    def tries(self, call: Call) -> list[bytes]:
        """Return the bytes of each completion request."""
        return [
            e.body for e in self.platform.ledger if (e.token, e.method) == (call.token, "complete")
        ]

    def _done(self, method: str, call: Call) -> list[Entry]:
        return [
            entry
            for entry in self.platform.ledger
            if entry.method == method and entry.token == call.token and entry.processed
        ]

    def records(self) -> tuple[Record, ...]:
        """Return all records, once no process has the journal open."""
        return dump(self.journal)

    def record(self, call: Call) -> Record:
        """Return its record, once no process has the journal open."""
        [record] = [found for found in self.records() if found.execution == call.execution]
        return record

    async def finish(self, *, code: int = 0) -> None:
        """Stop the last process; all invariants must hold then."""
        assert await self.children[-1].end() == code, str(self.children[-1])
        assert check(self.observed()) == []

    def observed(self) -> Observed:
        """Return everything that was observed."""
        events = [event for child in self.children for event in child.events]
        return Observed(
            tuple(self._calls),
            tuple(self.platform.ledger),
            self.records(),
            b"".join(b"".join(child.lines) for child in self.children),
            POLICIES,
            settled=tuple(event["execution"] for event in events if event["event"] == "settled"),
            events=tuple(self._senders.sent),
            reads=reads_in(events),
        )

    async def close(self) -> None:
        """End all processes."""
        for barrier in self._barriers:
            barrier.close()
        for child in self.children:
            if child.code is None:
                with suppress(ProcessLookupError):
                    child.send(SIGKILL)
                await child.ended()
