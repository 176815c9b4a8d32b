"""A journal that another process of this machine has, used over its socket."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from vertexkit.errors import JournalError, JournalUnavailable, JournalUnusable
from vertexkit.execution import Effect, Execution, Outcome, Result
from vertexkit.journal.protocol import Acceptance, Lease, Query, Record, Renewal
from vertexkit.journal.shared import encoding
from vertexkit.journal.shared.framing import Frames
from vertexkit.journal.shared.methods import (
    BROKE,
    CLAIM,
    ERRORS,
    FIGURES,
    NEWS,
    READY,
    REPORT,
    STATE,
    VERSION,
)
from vertexkit.telemetry.prometheus import Snapshot
from vertexkit.text import replace_surrogates


class OwnerAbsent(JournalUnusable):
    """Nobody listens at this socket."""


class RemoteJournal:
    """What one worker, or one command, sees of a journal; its owner keeps it and its rules.

    Without the connection it is nothing: then everything raises `JournalUnavailable`, for good.

    Args:
        socket: the owner's.
    """

    def __init__(self, socket: Path) -> None:
        self.durability = ""
        self.durable = True
        self.count: Callable[[], Snapshot] | None = None
        """Gives the figures of this process, to be added to the others'."""
        self._socket = socket
        self._frames: Frames
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._lost = "it is not open"
        self._backlog = 0
        self._waiting: frozenset[str] = frozenset()
        self._trouble = ""
        self._ready: Callable[[], None]
        self._broke: Callable[[str], None] | None = None

    async def open(
        self, ready: Callable[[], None], broke: Callable[[str], None] = lambda _: None
    ) -> None:
        self._ready, self._broke = ready, broke
        loop = asyncio.get_running_loop()
        try:
            _, self._frames = await loop.create_unix_connection(
                lambda: Frames(self._heard, self._disconnected), str(self._socket)
            )
        except OSError as error:
            raise OwnerAbsent(
                f"the process that has the journal does not answer at {self._socket} "
                f"({error.strerror}): start it again"
            ) from error
        self._lost = ""
        try:
            version, self.durability, self.durable = await self._ask("hello")
        except JournalUnavailable as error:
            raise OwnerAbsent("the process that has the journal is just ending") from error
        if version != VERSION:
            raise JournalUnusable(
                "the process that has the journal runs another version of vertexkit: use that "
                "version here too, or start the service again"
            )
        self._report()
        ready()

    async def close(self) -> None:
        self._broke = None
        if not self._lost:
            self._report()
            self._frames.close()
            self._lose("it is closed")

    async def accept(self, execution: Execution, room: int) -> Acceptance:
        call = encoding.from_execution(execution)
        try:
            name, new, supersedes = await self._ask("accept", call, room)
        except ValueError as error:
            raise JournalUnavailable(f"the inputs of the call cannot be kept: {error}") from error
        return Acceptance(name, new, supersedes)

    async def claim(
        self, worker: str, room: Mapping[str, int], limit: int, *, early: bool = False
    ) -> list[Lease]:
        return [
            encoding.to_lease(said) for said in await self._ask(CLAIM, worker, room, limit, early)
        ]

    async def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        lost, superseded = await self._ask("renew", worker, list(executions))
        return Renewal(frozenset(lost), frozenset(superseded))

    def release_worker(self, worker: str) -> None:
        if not self._lost:
            self._frames.say([NEWS, "release_worker", worker])

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        await self._ask("record_intent", encoding.proof(lease), encoding.from_effect(effect))

    async def record_effect(self, lease: Lease, effect: Effect) -> None:
        await self._ask("record_effect", encoding.proof(lease), encoding.from_effect(effect))

    async def record_result(
        self, lease: Lease, result: Result, *, completing: bool = False
    ) -> None:
        await self._ask(
            "record_result", encoding.proof(lease), encoding.from_result(result), completing
        )

    async def begin_completion(self, lease: Lease) -> bool:
        answer: bool = await self._ask("begin_completion", encoding.proof(lease))
        return answer

    async def withdraw_completion(self, lease: Lease) -> None:
        await self._ask("withdraw_completion", encoding.proof(lease))

    async def release(self, lease: Lease, after: float, why: str = "") -> None:
        await self._ask("release", encoding.proof(lease), after, replace_surrogates(why))

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        await self._ask("settle", encoding.proof(lease), encoding.from_outcome(outcome))

    def backlog(self) -> int:
        return self._backlog

    def unserved_blocks(self, blocks: Collection[str]) -> set[str]:
        return set(self._waiting.difference(blocks))

    def unavailable_reason(self) -> str:
        return self._lost or self._trouble

    async def find(self, execution: str) -> Record | None:
        said = await self._ask("find", execution)
        return None if said is None else encoding.to_record(said)

    async def search(self, query: Query) -> list[Record]:
        found = await self._ask("search", encoding.from_query(query))
        return [encoding.to_record(said) for said in found]

    async def retry(self, execution: str, *, fresh: bool = False) -> Record:
        return encoding.to_record(await self._ask("retry", execution, fresh))

    async def drop(self, execution: str) -> Record:
        return encoding.to_record(await self._ask("drop", execution))

    async def figures(self) -> Snapshot:
        """What all processes that use this journal have counted.

        Raises:
            JournalUnavailable: the connection is lost.
        """
        found: Snapshot = await self._ask(FIGURES)
        return found

    def _report(self) -> None:
        if self.count is not None:
            self._frames.say([NEWS, REPORT, self.count()])

    async def _ask(self, method: str, *said: Any) -> Any:
        """Put a question to the owner.

        Raises:
            JournalUnavailable: the connection is lost; nobody knows whether it happened.
            JournalError, QueueFull: as the owner's journal raised it.
            ValueError: it cannot be said in JSON; it was not asked.
        """
        if self._lost:
            raise JournalUnavailable(f"the journal cannot be written: {self._lost}")
        number = self._number = self._number + 1
        self._frames.say([number, method, *said])
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            return await answer
        finally:
            del self._asked[number]

    def _heard(self, frame: list[Any]) -> None:
        for number, *said in frame:
            if number == NEWS:
                self._learn(*said)
            elif (asked := self._asked.get(number)) is not None and not asked.done():
                answer, *error = said
                if error:
                    asked.set_exception(ERRORS.get(error[0], JournalError)(error[1]))
                else:
                    asked.set_result(answer)

    def _learn(self, what: str, *said: Any) -> None:
        if what == READY:
            self._ready()
        elif what == STATE:
            self._backlog, waiting, self._trouble = said
            self._waiting = frozenset(waiting)
        elif what == REPORT:
            self._report()
        elif what == BROKE:
            self._break(said[0])

    def _disconnected(self) -> None:
        if not self._lost:
            self._lose("the process that has it has ended")

    def _lose(self, reason: str) -> None:
        """The connection is over: whoever waits for an answer gets none."""
        self._lost = reason
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(JournalUnavailable(f"the journal cannot be written: {reason}"))
        self._break(reason)

    def _break(self, reason: str) -> None:
        broke, self._broke = self._broke, None
        if broke is not None:
            broke(reason)
