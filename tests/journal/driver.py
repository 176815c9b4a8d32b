"""An open journal of each kind, and shortcuts for tests of it."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from tests.journal.shared.served_journal import LEASE, ClientWithServer
from vertexkit.clock import Clock
from vertexkit.execution import Execution
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Acceptance, Journal, JournalAdmin, Lease, NullJournalObserver
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock
from vertexkit.token import Token

WORKER = "first"
JOURNAL_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
"""A key for journals that are encrypted."""
OTHER_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
"""Another one."""
PLENTY = 1000


class CompleteJournal(Journal, JournalAdmin, Protocol):
    """A journal with the methods for operators."""


Make: TypeAlias = Callable[[Clock, Path], CompleteJournal]

JOURNALS: dict[str, Make] = {
    "memory": lambda clock, _: MemoryJournal(clock, JournalSettings(lease=LEASE)),
    "sqlite": lambda clock, folder: SqliteJournal(
        folder / "journal.db", clock, JournalSettings(lease=LEASE)
    ),
    "shared": lambda clock, folder: ClientWithServer(folder / "journal.db", clock),
    "sqlite, encrypted": lambda clock, folder: SqliteJournal(
        folder / "journal.db", clock, JournalSettings(lease=LEASE, keys=JOURNAL_KEY)
    ),
}
"""Makes each kind of journal in an empty folder; the names are the tests' parameters."""


class JournalDriver(NullJournalObserver):
    """An open journal, its observer, and shortcuts for tests.

    Attributes:
        journal: opened.
        clock: of the journal.
        ready_count: how often the journal has reported that it is ready.
        lost_reasons: what the journal has reported as lost.
        numbers: of the executions that it makes; drivers that share them make no call twice.
    """

    def __init__(self, journal: CompleteJournal, clock: VirtualClock) -> None:
        self.journal = journal
        self.clock = clock
        self.ready_count = 0
        self.lost_reasons: list[str] = []
        self.numbers = count(1)

    def ready(self) -> None:
        self.ready_count += 1

    def lost(self, reason: str) -> None:
        self.lost_reasons.append(reason)

    def execution(
        self, token: str = "", block: str = "loan", key: str | None = None, **inputs: Any
    ) -> Execution:
        """One call; without a token, of another dialog each time; with a key, it is limited."""
        number = next(self.numbers)
        token = token or f"token-{number}"
        return Execution(
            f"{number:022x}",
            block,
            Token(token),
            inputs,
            b"raw " + token.encode(),
            1000.0 + number,
            limit_key=key,
        )

    async def accept(self, token: str = "", block: str = "loan", room: int = PLENTY) -> Acceptance:
        return await self.journal.accept(self.execution(token, block), room)

    async def claim(
        self, worker: str = WORKER, limit: int = PLENTY, *, early: bool = False, **room: int
    ) -> list[Lease]:
        """Claim; blocks that are not named have room."""
        places = {"loan": PLENTY, "story": PLENTY} | room
        return await self.journal.claim(worker, places, limit, early=early)

    async def claim_one(self, worker: str = WORKER) -> Lease:
        [lease] = await self.claim(worker)
        return lease

    async def claim_when_due(self, within: float) -> list[Lease]:
        """Claim again and again, until there is something.

        Args:
            within: Seconds of the clock after which the wait fails.
        """
        give_up_at = self.clock.now() + within
        while not (leases := await self.claim()):
            assert self.clock.now() < give_up_at, f"nothing can be claimed within {within:g} s"
            await self.clock.sleep(within / 100)
        return leases

    async def newest(self) -> Lease:
        """A lease of a new execution, also where others can be claimed."""
        accepted = await self.accept()
        leases = {lease.execution.id: lease for lease in await self.claim()}
        return leases[accepted.execution]

    async def held(self, token: str = "") -> Lease:
        """Accepted and claimed."""
        await self.accept(token)
        return await self.claim_one()

    def pass_lease(self) -> None:
        """A worker has said nothing for longer than a lease."""
        self.clock.skip_to(self.clock.now() + LEASE + 1)
