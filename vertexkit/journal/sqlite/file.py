"""Opening the journal's file."""

import ctypes
import errno
import os
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

import structlog
from structlog.typing import FilteringBoundLogger

from vertexkit.errors import JournalUnusable
from vertexkit.journal.encryption import JournalKeys
from vertexkit.journal.sqlite.connection import JournalConnection
from vertexkit.journal.sqlite.header import check_keys
from vertexkit.journal.sqlite.path import check_path, not_openable, try_to_create
from vertexkit.journal.sqlite.queries import read_last_number
from vertexkit.journal.sqlite.schema import (
    APPLICATION_ID,
    MIGRATIONS,
    PAGE_BYTES,
    TABLES,
    VERSION,
)
from vertexkit.journal.sqlite.watch import (
    LOG_SUFFIX,
    MARK_SUFFIX,
    count_commits,
    read_mark,
    remove_mark,
)
from vertexkit.system.private_files import create_private_text, make_private_folder

OLDEST_SQLITE = (3, 37, 0)
"""The first version with STRICT tables."""
LOCK_TIMEOUT_SECONDS = 5.0
"""How long opening waits until another process has closed the file."""
CHECK_LOCK_TIMEOUT_SECONDS = 0.2
"""How long a check waits for it: a service that runs keeps the file open."""
MAX_CHECKED_BYTES = 256 << 20
"""Largest file that is checked at every start; a larger one only after a crash."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class JournalInUse(JournalUnusable):
    """Another process has the file open."""


class JournalOfOtherFormat(JournalUnusable):
    """A vertexkit with another format of the journal wrote the file."""


def open_file(path: Path) -> JournalConnection:
    """Open or create a journal's file, for this process only.

    The lock is SQLite's own (`locking_mode = EXCLUSIVE`): a second connection, even of another
    program, fails. That also avoids the bug of SQLite before 3.51.3 that may corrupt a file in WAL
    mode which several connections write (https://sqlite.org/wal.html).

    Args:
        path: of the file.

    Returns:
        A connection whose rows are `sqlite3.Row`.

    Raises:
        JournalUnusable: the message names the path, the cause and the fix; nothing was changed.
    """
    _check_sqlite()
    check_path(path)
    _check_files(path)
    try:
        _create(path)
    except OSError as error:
        raise not_openable(path, error) from error
    with _opened(path, "mode=rw", LOCK_TIMEOUT_SECONDS) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        new = _check_content(connection, path)
        _prepare(connection, path, new=new)
        return connection


def check_file(path: Path, keys: JournalKeys | None = None) -> str:
    """Check everything that `open_file` and `use_keys` check; change nothing.

    Args:
        path: of the file. A running service may have it open.
        keys: of the settings.

    Returns:
        A sentence without its end.

    Raises:
        JournalUnusable: as `open_file`.
    """
    _check_sqlite()
    check_path(path)
    _check_files(path)
    if not path.exists():
        try_to_create(path)
        return f"{path} will be created"
    if not os.access(path, os.R_OK | os.W_OK):
        raise not_openable(path, OSError(errno.EACCES, os.strerror(errno.EACCES)))
    index = path.with_name(f"{path.name}-shm")
    had_index = index.exists()
    # Without a log no process has the file open, and no log has to be created to read it.
    has_log = path.with_name(path.name + LOG_SUFFIX).exists()
    mode = "mode=ro" if has_log else "mode=ro&immutable=1"
    try:
        with _opened(path, mode, CHECK_LOCK_TIMEOUT_SECONDS) as connection:
            if not _check_content(connection, path):
                check_keys(connection, path, keys)
            connection.close()
    except JournalInUse:  # a service that runs has checked it
        pass
    finally:
        if not had_index:
            index.unlink(missing_ok=True)
    return f"{path} exists"


def close_unchanged(connection: JournalConnection, path: Path) -> None:
    """Close a connection without moving what the write-ahead log has into the file."""
    if _log_bytes(path):
        abandon(connection)
    else:
        connection.close()


def abandon(connection: JournalConnection) -> None:
    """Close the connection without the write and sync that SQLite would do."""
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE)
        connection.close()
    else:  # never closed, not even when the process ends
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


@contextmanager
def reading(
    connection: JournalConnection, path: Path, *, read_only: bool = False
) -> Iterator[None]:
    """A context that reads the file: what cannot be read is `JournalUnusable`.

    The connection is closed then, and nothing is changed.
    """
    close = connection.close if read_only else partial(close_unchanged, connection, path)
    try:
        yield
    except JournalUnusable:
        close()
        raise
    except (sqlite3.Error, ValueError, TypeError, KeyError, AttributeError) as error:
        close()
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
            raise JournalInUse(_explain(path, error)) from error
        raise JournalUnusable(_explain(path, error)) from error


@contextmanager
def _opened(path: Path, mode: str, lock_timeout: float) -> Iterator[JournalConnection]:
    uri = f"file:{quote(os.fsencode(path.absolute()))}?{mode}"  # its bytes may not be UTF-8
    try:
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=lock_timeout,
            isolation_level=None,
            check_same_thread=False,
            factory=JournalConnection,
        )
    except sqlite3.Error as error:
        raise JournalUnusable(_explain(path, error)) from error
    connection.row_factory = sqlite3.Row
    with reading(connection, path, read_only="mode=ro" in mode):
        yield connection


def _check_sqlite() -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        raise JournalUnusable(
            f"this Python's SQLite is {sqlite3.sqlite_version}, and the journal needs {needed} or "
            "newer: use a newer Python, or VERTEXKIT_JOURNAL=memory: (which loses unfinished "
            "executions in a crash)"
        )


def _check_files(path: Path) -> None:
    """Check what can be seen without opening the file."""
    size = 0
    with suppress(OSError):
        status = path.stat()
        size = status.st_size
        readable = status.st_mode & (stat.S_IROTH | stat.S_IWOTH)
        if os.name == "posix" and stat.S_ISREG(status.st_mode) and readable:
            raise JournalUnusable(
                f"the journal {path} contains tokens, and every user of this machine can read it. "
                f"Run: chmod o-rwx {path}"
            )
    if size == 0 and (unread := _log_bytes(path)):
        raise JournalUnusable(
            f"the journal {path} is missing or empty, but its write-ahead log {path.name}"
            f"{LOG_SUFFIX} has {unread} bytes: executions are only in the log. Nothing was changed. "
            f"Restore {path.name} next to it if there is a copy. To start with an empty journal, move "
            "both files away"
        )


def _log_bytes(path: Path) -> int:
    """Return the size of the write-ahead log: after a clean end there is none."""
    try:
        return path.with_name(path.name + LOG_SUFFIX).stat().st_size
    except OSError:
        return 0


def _create(path: Path) -> None:
    """Create folder and file, readable by this user only."""
    folder = path.parent
    if not folder.is_dir():
        if folder.exists():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        make_private_folder(folder)
        with create_private_text(folder / ".gitignore") as ignored:
            ignored.write("*\n")
        _sync_name(folder)
    new = not path.exists()
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    if new:
        _sync_name(path)


def _sync_name(path: Path) -> None:
    """Write a new file's name to the disk: otherwise a loss of power loses the whole file."""
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _prepare(connection: JournalConnection, path: Path, *, new: bool) -> None:
    """Set up a file that has been checked; create the tables of a new one."""
    execute = connection.execute
    if new and (last := read_mark(path)):
        log.warning(
            "journal_replaced",
            path=str(path),
            reason=f"an earlier journal, with {last} executions, is not there any more",
        )
        remove_mark(path)
    if new:  # before all else; the change of the journal mode syncs it
        execute("PRAGMA synchronous = OFF")
        execute(f"PRAGMA page_size = {PAGE_BYTES}")
        execute("PRAGMA auto_vacuum = INCREMENTAL")
        execute("PRAGMA synchronous = FULL")
    execute("PRAGMA journal_mode = WAL")
    execute("PRAGMA synchronous = FULL")
    execute("PRAGMA secure_delete = ON")
    execute("PRAGMA journal_size_limit = 16777216")
    execute("BEGIN EXCLUSIVE")  # from here on no other process can open it
    if new:
        for statement in TABLES.split(";"):
            execute(statement)
        execute(f"PRAGMA application_id = {APPLICATION_ID}")
        execute(f"PRAGMA user_version = {VERSION}")
    else:
        _migrate(connection)
    execute("COMMIT")
    if not new and _log_bytes(path):
        _report_ignored_commits(connection, path)


def _migrate(connection: JournalConnection) -> None:
    """Bring the tables of an earlier version to this one, in the transaction that is open."""
    [version] = connection.execute("PRAGMA user_version").fetchone()
    for earlier in range(version, VERSION):
        connection.execute(MIGRATIONS[earlier])
        connection.execute(f"PRAGMA user_version = {earlier + 1}")


def _check_content(connection: JournalConnection, path: Path) -> bool:
    """Check that the file can be read, and has what was acknowledged.

    Returns:
        Whether the file is empty, so that the tables have to be created.

    Raises:
        sqlite3.DatabaseError: it is damaged.
        JournalUnusable: it has less than was acknowledged.
    """
    size = path.stat().st_size
    if _recognise(connection, path):  # before any change: it may be another program's
        if size:  # its tables were in the log, which is not there
            _check_complete(path, 0)
        return True
    if _log_bytes(path) or size <= MAX_CHECKED_BYTES:
        [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
    _check_complete(path, read_last_number(connection))
    return False


def _check_complete(path: Path, last: int) -> None:
    """Check that a file has all executions that were acknowledged, up to the last one."""
    acknowledged = read_mark(path)
    if last < acknowledged:
        raise JournalUnusable(
            f"the journal {path} is incomplete: {acknowledged - last} of the executions that it has "
            f"acknowledged are missing. {path.name}{LOG_SUFFIX} is missing, damaged or shorter than "
            f"it was, or {path.name} is an older copy. Nothing was changed. Restore the files that "
            f"belong together. To start without these executions, delete {path.name}{MARK_SUFFIX}"
        )


def _report_ignored_commits(connection: JournalConnection, path: Path) -> None:
    """Log a warning if the write-ahead log is damaged: SQLite ignores all that follows."""
    [page_size] = connection.execute("PRAGMA page_size").fetchone()
    _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if frames >= 0 and (commits := count_commits(path, page_size, frames)):
        log.warning(
            "journal_commits_ignored",
            path=str(path),
            commits=commits,
            reason="the end of the write-ahead log is damaged, as by a loss of power",
        )


def _recognise(connection: JournalConnection, path: Path) -> bool:
    """Return whether the file is empty, so that the tables have to be created.

    Raises:
        JournalOfOtherFormat: it is a journal of a version that cannot be migrated.
        JournalUnusable: it is another kind of file.
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
    if version != VERSION and version not in MIGRATIONS:
        raise JournalOfOtherFormat(
            f"the journal {path} has format version {version}, and this vertexkit uses version "
            f"{VERSION} and can migrate from {min(MIGRATIONS)} or newer: run the vertexkit that wrote it until all executions have ended "
            "(vertexkit executions list), then move the file away"
        )
    return False


def _explain(path: Path, error: Exception) -> str:
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
