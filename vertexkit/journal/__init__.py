"""Journals: they store each execution from its acceptance to its outcome."""

from importlib import import_module
from typing import cast

from vertexkit.clock import Clock
from vertexkit.errors import SettingsError
from vertexkit.journal.protocol import JournalBackend
from vertexkit.settings import JournalSettings
from vertexkit.settings.database_url import SCHEME

KINDS = {
    "memory": "vertexkit.journal.memory:make",
    "sqlite": "vertexkit.journal.sqlite.journal:make",
    "postgresql": "vertexkit.journal.postgres.factory:make",
    "postgres": "vertexkit.journal.postgres.factory:make",
}
"""Factories of journals by the URL's scheme, `MODULE:FUNCTION`.

A factory takes the rest of the URL, a clock and the settings, and returns a `JournalBackend` that is
not open yet. It is imported when it is used, so that a journal's driver can be an extra.
"""
EXTRAS = {"postgresql": "postgres", "postgres": "postgres"}
"""Extras that contain the driver of a kind of journal."""


def make_journal(settings: JournalSettings, clock: Clock) -> JournalBackend:
    """Make the journal that `VERTEXKIT_JOURNAL` names; it is not open yet.

    Args:
        settings: of the journal.
        clock: of the process.

    Raises:
        SettingsError: no kind of journal is registered for the scheme, its driver is not installed,
            or the rest is not valid.
    """
    scheme, _, rest = settings.url.partition(":")
    if scheme not in KINDS:
        known = ", ".join(f"{kind}:" for kind in KINDS)
        shown = f"; got {scheme!r}" if SCHEME.fullmatch(scheme) else ""  # else it may be a secret
        raise SettingsError(f"VERTEXKIT_JOURNAL must start with one of {known}{shown}")
    module, _, name = KINDS[scheme].partition(":")
    try:
        make = getattr(import_module(module), name)
    except ImportError as error:
        if scheme not in EXTRAS or (error.name or "").startswith("vertexkit"):
            raise
        raise SettingsError(
            f"VERTEXKIT_JOURNAL={scheme}: needs a driver that cannot be imported ({error}). Run: "
            f"pip install 'vertexkit[{EXTRAS[scheme]}]'"
        ) from error
    return cast(JournalBackend, make(rest, clock, settings))
