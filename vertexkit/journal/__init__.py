"""Where executions are kept, so that each of them ends."""

from importlib import import_module
from typing import cast

from vertexkit.clock import Clock
from vertexkit.errors import SettingsError
from vertexkit.journal.protocol import Journal
from vertexkit.settings import JournalSettings

KINDS = {
    "memory": "vertexkit.journal.memory:make",
    "sqlite": "vertexkit.journal.sqlite.journal:make",
}
"""By the URL's scheme; import strings, so that a journal's driver can stay an extra."""


def open_journal(settings: JournalSettings, clock: Clock) -> Journal:
    """Make the journal that `VERTEXKIT_JOURNAL` names; it still has to be opened.

    Raises:
        SettingsError: no such kind of journal.
    """
    scheme, _, rest = settings.url.partition(":")
    if scheme not in KINDS:
        known = ", ".join(f"{kind}:" for kind in KINDS)
        raise SettingsError(f"VERTEXKIT_JOURNAL: there is no journal {scheme}: (there is {known})")
    module, _, name = KINDS[scheme].partition(":")
    make = getattr(import_module(module), name)
    return cast(Journal, make(rest, clock, settings))
