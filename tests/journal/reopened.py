"""Journals that are opened one after the other with different keys."""

from itertools import count
from typing import Any

from tests.journal.driver import JournalDriver
from tests.journal.shared.served_journal import LEASE
from vertexkit.journal import make_journal
from vertexkit.journal.encryption import journal_keys
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock


class Journals:
    """The journals of one file or database, opened one after the other with different keys."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = VirtualClock()
        self._numbers = count(1)
        self._open: list[Any] = []

    def settings(self, *keys: str, **fields: Any) -> JournalSettings:
        return JournalSettings(url=self.url, lease=LEASE, keys=",".join(keys), **fields)

    async def open(self, *keys: str, **fields: Any) -> JournalDriver:
        """Close the journal that is open, and open it with these keys."""
        await self.close()
        driver = JournalDriver(make_journal(self.settings(*keys, **fields), self.clock), self.clock)
        driver.numbers = self._numbers
        await driver.journal.open(driver)
        self._open.append(driver.journal)
        return driver

    async def close(self) -> None:
        for journal in self._open:
            await journal.close()
        self._open.clear()


async def rekey(driver: JournalDriver, key: str) -> int:
    """Seal everything again; return the number of rows."""
    rows, after = 0, ""
    while True:
        part = await driver.journal.rekey(key, after)
        rows, after = rows + part.rows, part.after
        if not after:
            return rows


def key_id(key: str) -> str:
    keys = journal_keys(JournalSettings(keys=key))
    assert keys is not None
    return keys.newest
