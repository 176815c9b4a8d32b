"""A journal of each kind, open, with a clock that the test controls."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journal.driver import JOURNAL_KEY, JOURNALS, CompleteJournal, JournalDriver
from tests.journal.postgres.emptied import EMPTY
from tests.journal.postgres.patience import patient
from tests.journal.reopened import Journals
from tests.journal.shared.served_journal import LEASE
from tests.postgres_server import PostgresServer
from vertexkit.journal import make_journal
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock

POSTGRES, ENCRYPTED_POSTGRES = "postgres", "postgres, encrypted"
"""Names of the journals that need a server."""


@pytest.fixture(scope="session")
def contract_database(postgres_server: PostgresServer) -> Iterator[Any]:
    """A connection to a database in which the first journal creates the schema."""
    psycopg = pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    postgres_server.sql("CREATE DATABASE contract")
    with psycopg.connect(postgres_server.url("contract"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, contract_database: Any) -> Iterator[str]:
    """URL of a database whose journal is empty, and whose answers are waited for."""
    contract_database.execute(EMPTY)
    with patient():
        yield postgres_server.url("contract")


@pytest.fixture(
    params=[
        # Without the encryption it is the same code.
        pytest.param(name, marks=pytest.mark.unmeasured if "encrypted" in name else ())
        for name in sorted([*JOURNALS, POSTGRES, ENCRYPTED_POSTGRES])
    ]
)
async def driver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[JournalDriver]:
    clock = VirtualClock()
    if request.param in {POSTGRES, ENCRYPTED_POSTGRES}:
        url = request.getfixturevalue("postgres_url")
        encrypted = request.param == ENCRYPTED_POSTGRES
        keys = JOURNAL_KEY if encrypted else ()
        # Without prepared statements, as behind some poolers of connections, it opens sooner.
        settings = JournalSettings(url=url, lease=LEASE, keys=keys, prepare=not encrypted)
        journal: CompleteJournal = make_journal(settings, clock)
    else:
        journal = JOURNALS[request.param](clock, tmp_path)
    driver = JournalDriver(journal, clock)
    await driver.journal.open(driver)
    yield driver
    await driver.journal.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def journals(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journals]:
    """Journals of one file, or of one database."""
    url = f"sqlite:{tmp_path}/journal.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    journals = Journals(url)
    yield journals
    await journals.close()
