"""Where executions are kept, so that each of them ends."""

from importlib import import_module
from typing import cast

from vertexkit.clock import Clock
from vertexkit.errors import SettingsError
from vertexkit.journal.base import Journal

KINDS = {"memory": "vertexkit.journal.memory:MemoryJournal"}
"""By the URL's scheme; import strings, so that a journal's driver can stay an extra."""


def open_journal(url: str, clock: Clock, lease: float, *, unique_tokens: bool) -> Journal:
    """Make the journal that `VERTEXKIT_JOURNAL` names; it still has to be opened.

    Raises:
        SettingsError: no such kind of journal.
    """
    scheme = url.partition(":")[0]
    if scheme not in KINDS:
        known = ", ".join(f"{kind}:" for kind in KINDS)
        raise SettingsError(f"VERTEXKIT_JOURNAL: there is no journal {scheme}: (there is {known})")
    module, _, name = KINDS[scheme].partition(":")
    kind = getattr(import_module(module), name)
    return cast(Journal, kind(clock, lease, unique_tokens=unique_tokens))
