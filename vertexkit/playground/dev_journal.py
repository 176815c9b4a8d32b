"""The journal of `vertexkit dev`."""

import time
from contextlib import suppress
from pathlib import Path

from vertexkit.errors import JournalUnusable
from vertexkit.journal.sqlite.file import JournalOfOtherFormat, check_file

DEV_JOURNAL = Path(".vertexkit/dev/journal.db")


def move_old_journal() -> Path | None:
    """Move the journal away if a vertexkit with another format wrote it: it is development data.

    Returns:
        The folder in which it is now; None if nothing was moved.
    """
    if not DEV_JOURNAL.exists():
        return None
    folder = DEV_JOURNAL.parent
    try:
        check_file(DEV_JOURNAL)
    except JournalOfOtherFormat:
        with suppress(OSError):  # the app's process reports the journal then
            return folder.rename(f"{folder}-{time.strftime('%Y%m%d-%H%M%S')}")
    except JournalUnusable:  # the app's process reports it
        pass
    return None
