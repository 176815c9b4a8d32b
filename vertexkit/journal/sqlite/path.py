"""The path of a journal's file: what it may be, before it is opened."""

import errno
import os
import re
import stat
import tempfile
from pathlib import Path

from vertexkit.errors import JournalUnusable, SettingsError


def path_in(place: str) -> Path:
    """Return the path in `sqlite:PATH` or, as a URL, `sqlite:///PATH` (an absolute path).

    Args:
        place: what follows `sqlite:`.

    Raises:
        SettingsError: there is no path, or it cannot be one.
    """
    path = place.removeprefix("//")
    if not path:
        raise SettingsError(
            "VERTEXKIT_JOURNAL: sqlite: needs a path, for example sqlite:.vertexkit/journal.db"
        )
    if path.strip("/") == ":memory:" or "\0" in path:
        raise SettingsError(
            "VERTEXKIT_JOURNAL: sqlite: needs the path of a file. A journal in memory, which loses "
            "unfinished executions in a crash, is memory:"
        )
    return Path(re.sub("^/+", "/", path))


def check_path(path: Path) -> None:
    """Check that the path is a file's, or can become one.

    Raises:
        JournalUnusable: it is a folder, a pipe or a device, or leads nowhere.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        if path.is_symlink() and not Path(os.path.realpath(path)).parent.is_dir():
            raise not_openable(path, error) from error
    except OSError as error:
        raise not_openable(path, error) from error
    else:
        if stat.S_ISDIR(mode):
            raise not_openable(path, OSError(errno.EISDIR, os.strerror(errno.EISDIR)))
        if not stat.S_ISREG(mode):
            raise not_openable(path, OSError(errno.EINVAL, "It is not a regular file"))


def try_to_create(path: Path) -> None:
    """Create and remove another file, in the nearest folder that exists."""
    folder = next((folder for folder in path.parents if folder.exists()), path.parent)
    try:
        number, name = tempfile.mkstemp(prefix=".vertexkit-check-", dir=folder)
        os.close(number)
        Path(name).unlink()
    except OSError as error:
        raise not_openable(path, error) from error


def not_openable(path: Path, error: OSError) -> JournalUnusable:
    """Return the error of a path that cannot be opened, with the cause and the fix."""
    return JournalUnusable(
        f"the journal {path} cannot be opened: {error.strerror}. Set VERTEXKIT_JOURNAL to sqlite: "
        "and a path that this user may write"
    )
