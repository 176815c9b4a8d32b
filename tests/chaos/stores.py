"""The journals of a soak test: how a service finds one, how it is attacked, and what it contains."""

import asyncio
import signal
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, Protocol

from pydantic_core import from_json

from tests.chaos.dump import dump, dump_memories
from tests.postgres_server import PostgresServer
from vertexkit.clock import Clock
from vertexkit.journal.admin import open_admin
from vertexkit.journal.protocol import Query, Record
from vertexkit.settings import JournalSettings

ALL = 1 << 40
"""More executions than a round has."""
ATTACKED = 0.2
"""Fraction of the attacks after which the server is attacked too."""

MEMORIES = "SELECT dialog, convert_from(value, 'UTF8') FROM vertexkit.memories"


class Store(Protocol):
    """The journal of one round."""

    url: str
    attacks: Counter[str]

    async def attack(self, random: Random) -> None:
        """Attack it, or not; it works again when this returns."""

    async def records(self) -> tuple[Record, ...]:
        """Return all executions, while services may use it."""

    def memories(self) -> dict[int, dict[str, Any]]:
        """Return the memories of all dialogs, by the numbers of the dialogs, at the end."""


class SqliteStore:
    """A file; the service's own death is all that it has to survive.

    Args:
        folder: of the file.
    """

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:{folder / 'journal.db'}"
        self.attacks: Counter[str] = Counter()
        self._file = folder / "journal.db"

    async def attack(self, random: Random) -> None:
        """Files are not attacked."""

    async def records(self) -> tuple[Record, ...]:
        return dump(self._file)

    def memories(self) -> dict[int, dict[str, Any]]:
        return dump_memories(self._file)


class PostgresStore:
    """A database of its own on a server, which is killed, restarted and frozen.

    Args:
        server: with fsync.
        name: of the database.
    """

    def __init__(self, server: PostgresServer, name: str) -> None:
        server.sql(f"CREATE DATABASE {name}")
        self.url = server.url(name)
        self.attacks: Counter[str] = Counter()
        self._server = server
        self._name = name

    async def attack(self, random: Random) -> None:
        if random.random() > ATTACKED:
            return
        kind = random.choices(("kill", "restart", "freeze"), (5, 2, 3))[0]
        self.attacks[f"server: {kind}"] += 1
        if kind == "freeze":
            self._server.freeze()
            await asyncio.sleep(random.random() * 2)
            self._server.thaw()
            return
        number = signal.SIGKILL if kind == "kill" else signal.SIGINT
        await asyncio.to_thread(self._server.stop, number)
        await asyncio.sleep(random.random())
        await asyncio.to_thread(self._server.start)

    async def records(self) -> tuple[Record, ...]:
        async with open_admin(JournalSettings(url=self.url), Clock()) as journal:
            return tuple(await journal.search(Query(limit=ALL)))

    def memories(self) -> dict[int, dict[str, Any]]:
        rows = self._server.sql(MEMORIES, database=self._name).splitlines()
        found = (row.split("|", 1) for row in rows)
        return {int(dialog): from_json(value) for dialog, value in found}
