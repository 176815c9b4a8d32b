"""The one process that has a journal lets others use it, over a socket of this machine."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import structlog

from vertexkit.errors import JournalError, QueueFull
from vertexkit.journal.protocol import Journal
from vertexkit.journal.shared.framing import Frames
from vertexkit.journal.shared.methods import (
    BROKE,
    CLAIM,
    FIGURES,
    NEWS,
    QUESTIONS,
    READY,
    REPORT,
    STATE,
)
from vertexkit.journal.shared.socket import HAS_SOCKETS, offering
from vertexkit.telemetry.prometheus import MetricsAggregator, Snapshot

TELLING = 1.0
"""Seconds after which also those who ask nothing learn how long the queue is."""
LAST_ANSWERS = 2.0
"""Seconds for what is asked while the owner ends."""
REPORTS = 1.0
"""Seconds for the processes to tell their figures; of one that stands still the last ones count."""

log = structlog.get_logger("vertexkit")


@asynccontextmanager
async def letting_in(journal: Journal, file: Path | None) -> AsyncIterator[None]:
    """Let operators' commands use the journal of this process, as long as it is at work.

    Args:
        journal: opened; this process alone claims from it.
        file: that it is kept in; None: nobody else can look for it.
    """
    if file is None or not HAS_SOCKETS:
        yield
        return
    owner = Owner(journal)
    async with AsyncExitStack() as stack:
        try:
            listener, _ = stack.enter_context(offering(file))
            await owner.listen(listener)
            stack.push_async_callback(owner.close)
        except OSError as error:  # the service does its work all the same
            log.warning("journal_unreachable", reason=f"operators cannot reach it: {error}")
        yield


class Owner:
    """Offers a journal to other processes.

    A process whose connection ends is dead, or as good as dead: what its workers held is due at
    once. One that is only stopped keeps its connection, and loses its executions by their leases.

    Args:
        journal: opened by whoever has it, with `ready` and `broke` of this owner if others than
            this process are to claim from it.
        tally: adds up what the processes count.
    """

    def __init__(self, journal: Journal, tally: MetricsAggregator | None = None) -> None:
        self._journal = journal
        self._tally = tally or MetricsAggregator()
        self._peers: set[Peer] = set()
        self._server: asyncio.Server | None = None
        self._telling: asyncio.Task[None] | None = None

    async def listen(self, listener: socket.socket) -> None:
        """Let in whoever connects to this socket."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._welcome, sock=listener)
        self._telling = loop.create_task(self._tell())

    async def close(self) -> None:
        """Let nobody in any more, answer what was asked, and let go of those who are in."""
        if self._server is not None and self._telling is not None:
            self._server.close()
            self._telling.cancel()
        with suppress(TimeoutError):  # a full disk answers nothing
            async with asyncio.timeout(LAST_ANSWERS):
                await asyncio.gather(*(peer.over() for peer in self._peers))
        for peer in self._peers:
            peer.frames.close()

    def ready(self) -> None:
        """There may be something to claim."""
        for peer in self._peers:
            peer.ready()

    def broke(self, reason: str) -> None:
        """The journal cannot be written any more."""
        for peer in self._peers:
            peer.broke(reason)

    async def figures(self) -> Snapshot:
        """What all processes have counted until now."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REPORTS):
                await asyncio.gather(*(peer.report() for peer in self._peers))
        return self._tally.merged()

    def _welcome(self) -> Frames:
        peer = Peer(self._journal, self._peers.discard, self._tally, self.figures)
        self._peers.add(peer)
        return peer.frames

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELLING)
            for peer in self._peers:
                peer.tell()


class Peer:
    """One process that uses the journal.

    Args:
        journal: that it uses.
        ended: called when the process is gone and all that it asked is done.
        tally: is told what the process counts.
        figures: gives those of all.
    """

    def __init__(
        self,
        journal: Journal,
        ended: Callable[["Peer"], None],
        tally: MetricsAggregator,
        figures: Callable[[], Awaitable[Snapshot]],
    ) -> None:
        self.frames = Frames(self._heard, self._lost, self.tell)
        self._journal = journal
        self._ended = ended
        self._tally = tally
        self._figures = figures
        self._reported: asyncio.Event | None = None
        """None: the process counts nothing."""
        self._workers: set[str] = set()
        self._hungry = True
        """It does not know yet that there may be something to claim."""
        self._told: list[Any] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._burial: asyncio.Task[None] | None = None

    def ready(self) -> None:
        """There may be something to claim."""
        if self._hungry:
            self._hungry = False
            self.frames.say([NEWS, READY])

    def broke(self, reason: str) -> None:
        """The journal cannot be written any more."""
        self.frames.say([NEWS, BROKE, reason])

    def tell(self) -> None:
        """Say how the journal is, if that has changed."""
        journal = self._journal
        if self.frames.clogged:
            return
        state = [
            journal.backlog(),
            sorted(journal.unserved_blocks(())),
            journal.unavailable_reason(),
        ]
        if state != self._told:
            self._told = state
            self.frames.say([NEWS, STATE, *state])

    async def report(self) -> None:
        """Let the process tell what it has counted, if it does count."""
        if self._reported is not None and not self.frames.clogged:
            self._reported.clear()
            self.frames.say([NEWS, REPORT])
            await self._reported.wait()

    async def over(self) -> None:
        """Wait until all that it asked is done."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _heard(self, frame: list[Any]) -> None:
        for number, method, *said in frame:
            if method == REPORT:
                self._take(*said)
                continue
            task = asyncio.get_running_loop().create_task(self._answer(number, method, said))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _take(self, snapshot: Snapshot) -> None:
        self._tally.update(self, snapshot)
        if self._reported is None:
            self._reported = asyncio.Event()
        self._reported.set()

    async def _answer(self, number: int, method: str, said: list[Any]) -> None:
        try:
            if method == CLAIM:
                self._hungry = True
                self._workers.add(said[0])
            if method == FIGURES:
                answer = [number, await self._figures()]
            else:
                answer = [number, await QUESTIONS[method](self._journal, *said)]
        except (JournalError, QueueFull) as error:
            answer = [number, None, type(error).__name__, str(error)]
        except Exception as error:
            log.exception("journal_failed", method=method)
            answer = [number, None, JournalError.__name__, f"the journal failed: {error}"]
        if self.frames.open:
            self.frames.say(answer)

    def _lost(self) -> None:
        """The process is gone; what it asked for last is done all the same."""
        self._tally.remove(self)
        if self._reported is not None:
            self._reported.set()
            self._reported = None
        self._release_worker()
        self._burial = asyncio.get_running_loop().create_task(self._bury())

    async def _bury(self) -> None:
        await self.over()
        self._release_worker()  # what its last words have claimed
        self._ended(self)

    def _release_worker(self) -> None:
        for worker in self._workers:
            self._journal.release_worker(worker)
