"""Makes the journal of `postgresql://...`."""

from vertexkit.clock import Clock
from vertexkit.journal.postgres.address import parse_address
from vertexkit.journal.postgres.database import Database
from vertexkit.journal.postgres.journal import PostgresJournal
from vertexkit.settings import JournalSettings


def make(rest: str, clock: Clock, settings: JournalSettings) -> PostgresJournal:
    """Make the journal of `postgresql://user@host/database`.

    Raises:
        SettingsError: the URL is not valid.
    """
    return PostgresJournal(Database(parse_address(rest), settings), clock, settings)
