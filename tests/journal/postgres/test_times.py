"""The times in the database, which are of the server's clock."""

import pytest

from vertexkit.clock import Clock
from vertexkit.journal import make_journal
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock

pytest.importorskip("psycopg", reason="the extra postgres is not installed")

PAUSE_SECONDS = 2.0


class PausedClock(Clock):
    """A clock of a process that is stopped after each reading."""

    def now(self) -> float:
        return super().now() - PAUSE_SECONDS


@pytest.mark.parametrize("clock", [PausedClock(), VirtualClock()], ids=["paused", "virtual"])
def test_only_skipped_time_is_added_to_the_server_s(clock: Clock) -> None:
    """A pause of the process between two readings of a clock does not shorten its leases."""
    journal = make_journal(JournalSettings(url="postgresql://localhost/bots"), clock)
    assert journal._ahead() == 0.0  # pyrefly: ignore[missing-attribute]
    if isinstance(clock, VirtualClock):
        clock.skip_to(clock.now() + PAUSE_SECONDS)
        assert 0.0 < journal._ahead() == clock.skipped  # pyrefly: ignore[missing-attribute]
