"""The filters of `vertexkit executions`, as they are written on the command line."""

import re
import time
from dataclasses import dataclass
from datetime import datetime

from vertexkit.errors import SettingsError
from vertexkit.execution import OutcomeStatus, Phase
from vertexkit.journal.protocol import Query

AGO = re.compile(r"(\d+)([smhd])")
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class ExecutionFilters:
    """Filters for executions; a filter that is None matches every execution."""

    phase: Phase | None = None
    outcome: OutcomeStatus | None = None
    block: str | None = None
    dialog: int | None = None
    code: str | None = None
    since: str | None = None
    """As `parse_since` takes it."""
    limit: int = 50
    waiting_for: str | None = None
    """Name of an event or of a limit that it waits for; see `Query.waiting_for`."""

    def query(self) -> Query:
        """Return the journal's query.

        Raises:
            SettingsError: `since` is not a time.
        """
        since = None if self.since is None else parse_since(self.since)
        return Query(
            self.phase,
            self.outcome,
            self.block,
            self.dialog,
            self.code,
            since,
            self.limit,
            waiting_for=self.waiting_for,
        )


def parse_since(text: str) -> float:
    """Return Unix seconds.

    Args:
        text: a duration before now, such as `2h`, or an ISO date or time; without a time zone it is
            local time.

    Raises:
        SettingsError: it is neither.
    """
    if (duration := AGO.fullmatch(text)) is not None:
        return time.time() - int(duration[1]) * UNIT_SECONDS[duration[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise SettingsError(
            "--since must be a duration such as 30m, 2h or 7d, or an ISO time such as "
            f"2026-11-23T10:00, got {text!r}"
        ) from None
