"""`vertexkit journal migrate`: create or change the schema of the journal's database."""

import asyncio

from vertexkit.cli import output
from vertexkit.clock import Clock
from vertexkit.journal import make_journal
from vertexkit.settings import Settings


def migrate_journal() -> None:
    """Bring the journal of the settings to this version of vertexkit.

    Raises:
        JournalUnusable: that is not possible; the message names the cause and the fix.
    """
    settings = Settings.load().journal
    output.echo(f"  {asyncio.run(make_journal(settings, Clock()).migrate())}")
