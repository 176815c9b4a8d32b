"""Opening the journal's file."""

import errno
import os
import re
import sqlite3
import stat
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import quote

from vertexkit.errors import JournalUnusable, SettingsError
from vertexkit.journal.sqlite.schema import APPLICATION_ID, TABLES, VERSION
from vertexkit.private_files import make_private_folder

OLDEST_SQLITE = (3, 37, 0)
"""The first version with STRICT tables."""
LOCK_TIMEOUT_SECONDS = 5.0
"""How long opening waits until another process has closed the file."""


def path_in(place: str) -> Path:
    """Return the path in `sqlite:PATH` or, as a URL, `sqlite:///PATH` (an absolute path).

    Args:
        place: what follows `sqlite:`.

    Raises:
        SettingsError: there is no path.
    """
    path = place.removeprefix("//")
    if not path:
        raise SettingsError(
            "VERTEXKIT_JOURNAL: sqlite: needs a path, for example sqlite:.vertexkit/journal.db"
        )
    return Path(re.sub("^/+", "/", path))


def open_file(path: Path) -> sqlite3.Connection:
    """Open or create a journal's file, for this process only.

    The lock is SQLite's own (`locking_mode = EXCLUSIVE`): a second connection, even of another
    program, fails. That also avoids the bug of SQLite before 3.51.3 that may corrupt a file in WAL
    mode which several connections write (https://sqlite.org/wal.html).

    Args:
        path: of the file.

    Returns:
        A connection whose rows are `sqlite3.Row`.

    Raises:
        JournalUnusable: the message names the path, the cause and the fix.
    """
    _check_version()
    try:
        unclean = _prepare(path)
    except OSError as error:
        raise _cannot_be_opened(path, error) from error
    connection = _connect(path)
    try:
        _check(connection, path, unclean=unclean)
    except sqlite3.Error as error:
        connection.close()
        raise JournalUnusable(_explain(path, error)) from error
    except JournalUnusable:
        connection.close()
        raise
    return connection


def check_file(path: Path) -> str:
    """Check that a journal's file could be opened or created; change nothing.

    Args:
        path: of the file. A running service may have it open.

    Returns:
        A sentence without its end.

    Raises:
        JournalUnusable: as `open_file`.
    """
    _check_version()
    try:
        if not path.exists():
            folder = next((folder for folder in path.parents if folder.exists()), Path())
            with TemporaryFile(dir=folder):
                return f"{path} will be created"
        os.close(os.open(path, os.O_RDWR))
        _check_permissions(path)
    except OSError as error:
        raise _cannot_be_opened(path, error) from error
    connection = _connect(path, "mode=ro&immutable=1")  # without locks
    try:
        _recognise(connection, path)
    except sqlite3.Error as error:
        raise JournalUnusable(_explain(path, error)) from error
    finally:
        connection.close()
    return f"{path} exists"


def _check_version() -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        raise JournalUnusable(
            f"this Python's SQLite is {sqlite3.sqlite_version}, and the journal needs {needed} or "
            "newer: use a newer Python, or VERTEXKIT_JOURNAL=memory: (which loses unfinished "
            "executions in a crash)"
        )


def _cannot_be_opened(path: Path, error: OSError) -> JournalUnusable:
    return JournalUnusable(
        f"the journal {path} cannot be opened: {error.strerror}. Set VERTEXKIT_JOURNAL to "
        "sqlite: and a path that this user may write"
    )


def _check_permissions(path: Path) -> None:
    mode = path.stat().st_mode
    if os.name == "posix" and mode & (stat.S_IROTH | stat.S_IWOTH):
        raise JournalUnusable(
            f"the journal {path} contains tokens, and every user of this machine can read it. "
            f"Run: chmod o-rwx {path}"
        )


def _prepare(path: Path) -> bool:
    """Create folder and file, readable by this user only; return whether recovery is needed."""
    folder = path.parent
    if not folder.is_dir():
        if folder.exists():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        make_private_folder(folder)
        (folder / ".gitignore").write_text("*\n", encoding="ascii")
        _sync_name(folder)
    new = not path.exists()
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    if new:
        _sync_name(path)
    _check_permissions(path)
    wal = path.with_name(f"{path.name}-wal")
    return wal.exists() and wal.stat().st_size > 0


def _sync_name(path: Path) -> None:
    """Write a new file's name to the disk: otherwise a loss of power loses the whole file."""
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _connect(path: Path, options: str = "mode=rw") -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?{options}"
    connection = sqlite3.connect(
        uri, uri=True, timeout=LOCK_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    return connection


def _check(connection: sqlite3.Connection, path: Path, *, unclean: bool) -> None:
    execute = connection.execute
    execute("PRAGMA locking_mode = EXCLUSIVE")
    new = _recognise(connection, path)  # before any change: it may be another program's
    execute("PRAGMA journal_mode = WAL")
    execute("PRAGMA synchronous = FULL")
    execute("PRAGMA secure_delete = FAST")
    execute("PRAGMA journal_size_limit = 16777216")
    execute("BEGIN EXCLUSIVE")  # from here on no other process can open it
    if new:
        for statement in TABLES.split(";"):
            execute(statement)
        execute(f"PRAGMA application_id = {APPLICATION_ID}")
        execute(f"PRAGMA user_version = {VERSION}")
    execute("COMMIT")
    if unclean:
        [found] = execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)


def _recognise(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file is empty, so that the tables have to be created.

    Raises:
        JournalUnusable: it is another kind of file, or a journal of another version.
    """
    execute = connection.execute
    [application] = execute("PRAGMA application_id").fetchone()
    [version] = execute("PRAGMA user_version").fetchone()
    [tables] = execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not tables and not application:
        return True
    if application != APPLICATION_ID:
        raise JournalUnusable(
            f"{path} is an SQLite file, but not a journal of vertexkit: set VERTEXKIT_JOURNAL to "
            "another path"
        )
    if version != VERSION:
        raise JournalUnusable(
            f"the journal {path} has format version {version}, and this vertexkit uses version "
            f"{VERSION}: run the vertexkit that wrote it until all executions have ended "
            "(vertexkit executions list), then move the file away"
        )
    return False


def _explain(path: Path, error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_BUSY"):
        return (
            f"the journal {path} is in use by another process: stop that process, or set "
            "VERTEXKIT_JOURNAL=sqlite:PATH to a separate journal; several processes of one app "
            "share a journal with vertexkit run --workers"
        )
    if name.startswith("SQLITE_FULL"):
        return (
            f"the journal {path} cannot be written: the disk is full. Free some space, then restart"
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return (
            f"the journal {path} cannot be written ({error}): make the file and its folder "
            "writable for this user, or set VERTEXKIT_JOURNAL to another path"
        )
    return (
        f"the journal {path} is damaged ({error}). Nothing was changed. Keep a copy of it and of "
        f"{path.name}-wal. To recover what can be read, run: sqlite3 {path} .recover. To start with "
        "an empty journal, move both files away"
    )
