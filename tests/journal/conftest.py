"""Every journal, opened, with the time in the test's hands."""

from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.journal.shared.served_journal import LEASE, Shared
from vertexkit.clock import Clock
from vertexkit.execution import Execution
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Acceptance, Journal, Lease
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock
from vertexkit.token import Token

WORKER = "first"
PLENTY = 1000

Make: TypeAlias = Callable[[Clock, Path], Journal]

JOURNALS: dict[str, Make] = {
    "memory": lambda clock, _: MemoryJournal(clock, JournalSettings(lease=LEASE)),
    "sqlite": lambda clock, folder: SqliteJournal(
        folder / "journal.db", clock, JournalSettings(lease=LEASE)
    ),
    "owner": lambda clock, folder: Shared(folder / "journal.db", clock),
}
"""Each kind of journal, made in an empty folder. What it is called is the test's parameter."""


class Desk:
    """A journal at work, and the short words of its tests.

    Attributes:
        journal: opened.
        clock: of the journal.
        calls: how often the journal has said that there may be something to claim.
    """

    def __init__(self, journal: Journal, clock: VirtualClock) -> None:
        self.journal = journal
        self.clock = clock
        self.calls = 0
        self._numbers = count(1)

    def ready(self) -> None:
        self.calls += 1

    def execution(self, token: str = "", block: str = "loan", **inputs: Any) -> Execution:
        """One call; without a token, of another dialog each time."""
        number = next(self._numbers)
        token = token or f"token-{number}"
        return Execution(
            f"{number:022x}", block, Token(token), inputs, b"raw " + token.encode(), 1000.0 + number
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

    async def held(self, token: str = "") -> Lease:
        """Accepted and claimed."""
        await self.accept(token)
        return await self.claim_one()

    def pass_lease(self) -> None:
        """A worker has said nothing for longer than a lease."""
        self.clock.skip_to(self.clock.now() + LEASE + 1)


@pytest.fixture
def make_desk() -> type[Desk]:
    return Desk


@pytest.fixture(params=sorted(JOURNALS))
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    clock = VirtualClock()
    desk = Desk(JOURNALS[request.param](clock, tmp_path), clock)
    await desk.journal.open(desk.ready)
    yield desk
    await desk.journal.close()
