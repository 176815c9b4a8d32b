"""The journal's file: errors on opening it, and a full disk."""

import asyncio
import os
import socket
import sqlite3
import stat
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.journal.sqlite.restarts import Machine
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable, JournalUnusable, SettingsError
from vertexkit.execution import Effect, Outcome, OutcomeStatus, Result
from vertexkit.journal import make_journal
from vertexkit.journal.protocol import Query
from vertexkit.journal.sqlite.file import check_file, open_file
from vertexkit.journal.sqlite.schema import PAGE_BYTES, VERSION
from vertexkit.settings import JournalSettings

PARKED = Outcome(OutcomeStatus.PARKED, "unreachable", reason="the platform does not answer")
NOBODY = 65534
"""A user without rights."""


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    await machine.close()


def refusal(path: Path) -> str:
    """Return the error on opening this file, which must not change it."""
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(JournalUnusable) as caught:
        open_file(path)
    assert (path.read_bytes() if path.is_file() else b"") == before
    return str(caught.value)


def made(path: Path) -> Path:
    """A journal's file, closed."""
    open_file(path).close()
    return path


def test_a_new_journal_is_private_to_its_user(tmp_path: Path) -> None:
    """Folder and file are readable by their user only, and ignored by version control."""
    path = made(tmp_path / "deep" / "journal.db")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (path.parent / ".gitignore").read_text(encoding="ascii") == "*\n"


def test_a_new_journal_survives_a_power_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names of the folder and of the file are on the disk before anything is acknowledged."""
    synced: set[int] = set()
    sync = os.fsync

    def watched(descriptor: int) -> None:
        sync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", watched)
    made(tmp_path / "deep" / "journal.db")
    assert {tmp_path.stat().st_ino, (tmp_path / "deep").stat().st_ino} <= synced


async def test_the_log_of_a_journal_is_private_to_its_user(machine: Machine) -> None:
    """The write-ahead log contains tokens too."""
    driver = await machine.start()
    await driver.accept()
    for path in machine.path.parent.glob("journal.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_world_readable_journal_is_refused(tmp_path: Path) -> None:
    """The error contains the command that fixes it."""
    path = made(tmp_path / "journal.db")
    path.chmod(0o644)
    assert f"chmod o-rwx {path}" in refusal(path)


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    """Nothing is deleted or created; the error describes how to recover data."""
    path = made(tmp_path / "journal.db")
    path.write_bytes(b"no database at all, " * 500)
    error = refusal(path)
    assert "damaged" in error
    assert ".recover" in error


async def test_a_file_is_checked_after_a_crash(machine: Machine) -> None:
    """A file that was not closed is checked before it is used."""
    driver = await machine.start()
    for _ in range(200):
        await driver.accept()
    await machine.close()
    content = bytearray(machine.path.read_bytes())
    content[2 * PAGE_BYTES : 3 * PAGE_BYTES] = b"\xff" * PAGE_BYTES
    machine.path.write_bytes(content)
    machine.path.with_name("journal.db-wal").write_bytes(b"left behind")
    with pytest.raises(JournalUnusable, match="damaged"):
        open_file(machine.path)


async def test_a_file_with_smaller_pages_is_used_as_it_is(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file keeps the size of its pages, which an earlier version has chosen."""
    with monkeypatch.context() as earlier:
        earlier.setattr("vertexkit.journal.sqlite.file.PAGE_BYTES", 4096)
        accepted = await (await machine.start()).accept()
    await machine.close()
    driver = await machine.start()
    assert await driver.journal.find(accepted.execution) is not None
    await machine.close()
    with closing(sqlite3.connect(machine.path)) as file:
        assert file.execute("PRAGMA page_size").fetchone() == (4096,)


def test_another_program_s_file_is_refused(tmp_path: Path) -> None:
    """Another program's data is not changed if the path is wrong."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE precious (data)")
    other.close()
    path.chmod(0o600)
    error = refusal(path)
    assert "not a journal of vertexkit" in error
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT count(*) FROM precious").fetchone() == (0,)
    other.close()


def test_another_version_is_refused(tmp_path: Path) -> None:
    """A journal of another version is not changed."""
    path = made(tmp_path / "journal.db")
    with sqlite3.connect(path) as journal:
        journal.execute(f"PRAGMA user_version = {VERSION + 1}")
    journal.close()
    assert f"version {VERSION + 1}" in refusal(path)


async def test_a_file_of_the_previous_version_is_migrated(machine: Machine) -> None:
    """It keeps what it has; the check changes nothing, and names nothing that is wrong."""
    driver = await machine.start()
    ended, waiting = await driver.held(), await driver.held()
    await driver.journal.settle(ended, PARKED)
    await driver.journal.release(waiting, 0.0)
    await machine.close()
    with closing(
        sqlite3.connect(machine.path, isolation_level=None)
    ) as file:  # as version 5 had it
        file.execute("UPDATE executions SET code = ending_code WHERE phase = 'settled'")
        file.execute("ALTER TABLE executions DROP COLUMN ending_code")
        file.execute("PRAGMA user_version = 5")
    written = machine.path.read_bytes()
    assert check_file(machine.path).endswith("exists")
    assert machine.path.read_bytes() == written
    driver = await machine.start()
    record = await driver.journal.find(ended.execution.id)
    assert record is not None
    assert record.outcome == PARKED
    assert await driver.journal.search(Query(code=PARKED.code)) == [record]
    assert (await driver.claim_one()).execution == waiting.execution
    await driver.journal.retry(ended.execution.id)
    again = await driver.claim_one()
    await driver.journal.settle(again, Outcome(OutcomeStatus.COMPLETED, "ok", "204"))
    await machine.close()
    check_file(machine.path)
    with closing(sqlite3.connect(machine.path)) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_a_journal_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process cannot open the file; the error describes what to do."""
    monkeypatch.setattr("vertexkit.journal.sqlite.file.LOCK_TIMEOUT_SECONDS", 0.05)
    path = tmp_path / "journal.db"
    first = open_file(path)
    try:
        with pytest.raises(JournalUnusable, match=r"in use .*--workers"):
            open_file(path)
    finally:
        first.close()
    open_file(path).close()


@pytest.mark.parametrize("place", ["a-file/journal.db", "a-folder"])
def test_an_impossible_path_is_refused(tmp_path: Path, place: str) -> None:
    """The error names the setting to change."""
    (tmp_path / "a-file").touch()
    (tmp_path / "a-folder").mkdir()
    assert "VERTEXKIT_JOURNAL" in refusal(tmp_path / place)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


ODD_PATHS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "loop": lambda path: path.symlink_to(path),
    "link to nowhere": lambda path: path.symlink_to("/nowhere/journal.db"),
    "link to a device": lambda path: path.symlink_to("/dev/null"),
    "socket": make_socket,
}
"""Paths that are not those of files, and how each is made."""


@pytest.mark.parametrize("name", ODD_PATHS)
def test_what_is_no_file_is_refused_by_every_command(tmp_path: Path, name: str) -> None:
    """`check` finds what `run` finds; the error has the cause and the setting."""
    path = tmp_path / name
    ODD_PATHS[name](path)
    with pytest.raises(JournalUnusable) as checked:
        check_file(path)
    error = refusal(path)
    assert str(checked.value) == error
    assert "cannot be opened" in error
    assert "VERTEXKIT_JOURNAL" in error


def test_a_name_that_is_too_long_is_refused_by_every_command(tmp_path: Path) -> None:
    """With the system's reason."""
    for use in (check_file, open_file):
        with pytest.raises(JournalUnusable, match="cannot be opened: File name too long"):
            use(tmp_path / ("x" * 300))


def test_a_link_to_a_new_file_and_a_name_that_is_not_utf_8_are_used(tmp_path: Path) -> None:
    """The file is created where the link leads; a name may have any bytes."""
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "target.db")
    assert made(link).exists()
    assert (tmp_path / "target.db").exists()
    odd = tmp_path / os.fsdecode(b"\xff ?#%.db")
    assert "will be created" in check_file(odd)
    assert made(odd).exists()
    assert "exists" in check_file(odd)


@pytest.fixture
def ordinary_user(tmp_path: Path) -> Iterator[None]:
    """Permissions apply: root, who may write everywhere, becomes another user."""
    if os.geteuid() != 0:
        yield
        return
    root = Path(tempfile.gettempdir())
    for folder in (tmp_path, *tmp_path.parents):
        if root in folder.parents:
            folder.chmod(0o711)
    os.chown(tmp_path, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.usefixtures("ordinary_user")
def test_a_folder_that_is_read_only_is_refused(tmp_path: Path) -> None:
    """The error names the folder."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    assert "VERTEXKIT_JOURNAL" in refusal(folder / "journal.db")


@pytest.mark.usefixtures("ordinary_user")
def test_a_file_that_is_read_only_is_refused(tmp_path: Path) -> None:
    """The error names the file and the cause."""
    path = made(tmp_path / "journal.db")
    path.chmod(0o400)
    error = refusal(path)
    assert f"{path} cannot be opened: Permission denied" in error
    assert "VERTEXKIT_JOURNAL" in error


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no /proc")
def test_a_file_system_that_takes_no_files_is_refused() -> None:
    """A read-only mount, a special file system: the path cannot be used."""
    assert "/proc/journal.db cannot be opened" in refusal(Path("/proc/journal.db"))


def test_a_journal_needs_a_path() -> None:
    """`sqlite:` without a path is refused with an example."""
    with pytest.raises(SettingsError, match=r"sqlite:\.vertexkit/journal\.db"):
        make_journal(JournalSettings(url="sqlite:"), Clock())
    for place in (":memory:", "///:memory:", "a\0b"):
        with pytest.raises(SettingsError, match=r"is memory:"):
            make_journal(JournalSettings(url=f"sqlite:{place}"), Clock())


async def test_a_full_disk_rejects_new_calls_and_loses_nothing(machine: Machine) -> None:
    """New calls fail at once, running executions wait, and all continues when there is space."""
    driver = await machine.start()
    lease = await driver.held()
    connection = driver.journal._writer._connection  # pyrefly: ignore[missing-attribute]
    [pages] = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    refused = 0
    for _ in range(100):
        try:
            await driver.accept()
        except JournalUnavailable:
            refused += 1
            break
    assert refused == 1
    assert "full" in driver.journal.unavailable_reason()
    backlog = driver.journal.backlog()
    effects = [Effect(n, f"step:{'x' * 4000}", "") for n in range(3)]
    waiting = [asyncio.ensure_future(driver.journal.record_intent(lease, e)) for e in effects]
    with pytest.raises(JournalUnavailable):
        await driver.accept()
    assert driver.journal.backlog() == backlog
    assert not all(write.done() for write in waiting)
    connection.execute("PRAGMA max_page_count = 1000000")
    await asyncio.gather(*waiting)
    assert driver.journal.unavailable_reason() == ""
    assert (await driver.accept()).new
    machine.crash()
    driver = await machine.start()
    leases = {lease.execution.id: lease for lease in await driver.claim()}
    assert len(leases) == backlog + 2
    assert len(leases[lease.execution.id].effects) == 3


async def test_a_failed_sync_is_permanent(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an input/output error nothing is tried again: it is reported once, and all writes fail."""
    driver = await machine.start()
    lease = await driver.held()

    def fail(_: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        raise error

    monkeypatch.setattr("vertexkit.journal.sqlite.writer._commit", fail)
    with pytest.raises(JournalUnavailable, match="I/O"):
        await driver.journal.record_result(lease, Result(b"1"))
    monkeypatch.undo()
    for _ in range(2):
        with pytest.raises(JournalUnavailable):
            await driver.accept()
    with pytest.raises(JournalUnavailable):
        await driver.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED))
    assert len(driver.lost_reasons) == 1
