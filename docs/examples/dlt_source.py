"""A dlt source: dialogs with their answers, and the next time only what is new.

python dlt_source.py duckdb
DESTINATION__POSTGRES__CREDENTIALS=postgresql://... python dlt_source.py postgres
"""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dlt

from vertexkit import BotOne

FIRST = "2023-01-01T00:00:00+00:00"
OVERLAP = timedelta(days=2)
"""Dialogs of the days before the last run are asked for again: the platform's filter by update goes
by messages of users, and a dialog without a message is found only by its creation."""


@dlt.resource(name="dialogs", primary_key="id", write_disposition="merge")
def dialogs(
    updated: Any = dlt.sources.incremental(  # noqa: B008 - dlt reads the default
        "updated", initial_value=FIRST, on_cursor_value_missing="include"
    ),
) -> Iterator[dict[str, Any]]:
    """Yield dialogs that are new or changed since the last run, with their answers."""
    since = datetime.fromisoformat(updated.last_value) - OVERLAP
    names = ("PLATFORM_URL", "LOGIN", "PASSWORD")
    with BotOne.sync(*(os.environ[f"VERTEXKIT_{name}"] for name in names)) as bot:
        for listed in (
            bot.v2.conversations(updated_from=since),
            bot.v2.conversations(created_from=since),
        ):
            for dialog in listed.detailed():
                time = None if dialog.updated is None else dialog.updated.astimezone(UTC)
                yield dialog.to_json() | {"updated": time and time.isoformat()}


if __name__ == "__main__":
    destination = sys.argv[1] if len(sys.argv) > 1 else "duckdb"
    pipeline = dlt.pipeline("botone_dialogs", destination=destination, dataset_name="botone")
    print(pipeline.run(dialogs()))
