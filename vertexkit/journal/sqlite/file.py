"""The journal's file: how it is opened, or refused."""

import os
import sqlite3
import stat
from pathlib import Path
from urllib.parse import quote

from vertexkit.errors import JournalUnusable, SettingsError
from vertexkit.journal.sqlite.schema import APPLICATION, TABLES, VERSION

OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""
BUSY = 5.0
"""Seconds that a start waits for another process to let go of the file."""


def file_of(url: str) -> Path | None:
    """The file of the journal that `VERTEXKIT_JOURNAL` names, if it is kept in one.

    Raises:
        SettingsError: there is no path.
    """
    kind, _, place = url.partition(":")
    return path_in(place) if kind == "sqlite" else None


def path_in(place: str) -> Path:
    """The file's path, as it is written after `sqlite:`: `PATH` or `///PATH`.

    Raises:
        SettingsError: there is no path.
    """
    place = place.removeprefix("//").removeprefix("/" if place.startswith("////") else "")
    if not place:
        raise SettingsError(
            "VERTEXKIT_JOURNAL: sqlite: needs a path, for example sqlite:.vertexkit/journal.db"
        )
    return Path(place)


def open_file(path: Path) -> sqlite3.Connection:
    """Open a journal's file, or make it; this process alone has it from now on.

    The lock is SQLite's own (`locking_mode = EXCLUSIVE`): a second connection, even of another
    program, is refused. That is also what keeps SQLite before 3.51.3 safe, which may corrupt a
    file in WAL mode that several connections write (https://sqlite.org/wal.html).

    Raises:
        JournalUnusable: with the path, the cause and the mend.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        raise JournalUnusable(
            f"this Python's SQLite is {sqlite3.sqlite_version}, and the journal needs {needed} or "
            "newer: take a newer Python, or VERTEXKIT_JOURNAL=memory: which survives no crash"
        )
    try:
        unclean = _prepare(path)
    except OSError as error:
        raise JournalUnusable(
            f"the journal {path} cannot be used: {error.strerror}. Set VERTEXKIT_JOURNAL to "
            "sqlite: and a path where this user may write"
        ) from error
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


def _prepare(path: Path) -> bool:
    """Make folder and file for this user's eyes only; was it left in the middle of something?"""
    folder = path.parent
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=0o700)
        (folder / ".gitignore").write_text("*\n", encoding="ascii")
        _keep_name(folder)
    new = not path.exists()
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    if new:
        _keep_name(path)
    mode = path.stat().st_mode
    if os.name == "posix" and mode & (stat.S_IROTH | stat.S_IWOTH):
        raise JournalUnusable(
            f"the journal {path} holds tokens, and everybody on this machine may read it: "
            f"chmod o-rwx {path}"
        )
    wal = path.with_name(f"{path.name}-wal")
    return wal.exists() and wal.stat().st_size > 0


def _keep_name(path: Path) -> None:
    """Put the name of what was just made on the disk: without it, a loss of power loses it all."""
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode=rw"
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False
    )


def _check(connection: sqlite3.Connection, path: Path, *, unclean: bool) -> None:
    execute = connection.execute
    execute("PRAGMA locking_mode = EXCLUSIVE")
    new = _recognise(connection, path)  # before anything is changed: it may be somebody else's
    execute("PRAGMA journal_mode = WAL")
    execute("PRAGMA synchronous = FULL")
    execute("PRAGMA secure_delete = FAST")
    execute("PRAGMA journal_size_limit = 16777216")
    execute("BEGIN EXCLUSIVE")  # from here on the file is this process's
    if new:
        for statement in TABLES.split(";"):
            execute(statement)
        execute(f"PRAGMA application_id = {APPLICATION}")
        execute(f"PRAGMA user_version = {VERSION}")
    execute("COMMIT")
    if unclean:
        [found] = execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)


def _recognise(connection: sqlite3.Connection, path: Path) -> bool:
    """Is the file empty, so that it has to be made a journal?

    Raises:
        JournalUnusable: it is something else, or a journal of another version.
    """
    execute = connection.execute
    [application] = execute("PRAGMA application_id").fetchone()
    [version] = execute("PRAGMA user_version").fetchone()
    [tables] = execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not tables and not application:
        return True
    if application != APPLICATION:
        raise JournalUnusable(
            f"{path} is an SQLite file, but no journal of vertexkit: set VERTEXKIT_JOURNAL to "
            "another path"
        )
    if version != VERSION:
        raise JournalUnusable(
            f"the journal {path} has version {version} of its tables, and this vertexkit writes "
            f"version {VERSION}: use the vertexkit that wrote it until nothing is under way "
            "(vertexkit executions list), then move the file away"
        )
    return False


def _explain(path: Path, error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_BUSY"):
        return (
            f"the journal {path} is in use by another process: stop it, or give this one a "
            "journal of its own (VERTEXKIT_JOURNAL=sqlite:PATH); several processes of one app "
            "share one with vertexkit run --workers"
        )
    if name.startswith("SQLITE_FULL"):
        return (
            f"the journal {path} cannot be written: the disk is full. Make room, then start again"
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return (
            f"the journal {path} cannot be written ({error}): let this user write the file and "
            "its folder, or set VERTEXKIT_JOURNAL to another path"
        )
    return (
        f"the journal {path} is damaged ({error}). Nothing was changed. Keep a copy of it and of "
        f"{path.name}-wal; what can be read is recovered by: sqlite3 {path} .recover; to start "
        "with an empty journal, move both away"
    )
