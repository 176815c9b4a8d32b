"""`vertexkit journal migrate`: create or change the schema of the journal's database."""

import asyncio

from vertexkit.cli import output
from vertexkit.cli.translation import translate_sentence
from vertexkit.clock import Clock
from vertexkit.journal import make_journal
from vertexkit.settings import Settings


def migrate_journal(*, as_json: bool = False) -> None:
    """Bring the journal of the settings to this version of vertexkit.

    Args:
        as_json: print JSON instead of text.

    Raises:
        JournalUnusable: that is not possible; the message names the cause and the fix.
    """
    settings = Settings.load().journal
    done = asyncio.run(make_journal(settings, Clock()).migrate())
    if as_json:
        output.print_json({"journal": done})
    else:
        output.echo(f"  {translate_sentence(done)}")
