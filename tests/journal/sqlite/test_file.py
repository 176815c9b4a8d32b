"""The journal's file: what is refused, with the mend; and a disk that is full."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.journal.sqlite.restarts import Machine
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable, JournalUnusable, SettingsError
from vertexkit.execution import Effect, Outcome, OutcomeStatus, Result
from vertexkit.journal import make_journal
from vertexkit.journal.sqlite.file import open_file
from vertexkit.journal.sqlite.schema import VERSION
from vertexkit.settings import JournalSettings


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    await machine.close()


def refusal(path: Path) -> str:
    """What is said when this file is opened, which has to leave it as it is."""
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(JournalUnusable) as caught:
        open_file(path)
    assert (path.read_bytes() if path.is_file() else b"") == before
    return str(caught.value)


def made(path: Path) -> Path:
    """A journal's file, closed."""
    open_file(path).close()
    return path


def test_a_new_journal_is_for_its_user_alone(tmp_path: Path) -> None:
    """Folder and file can be read by nobody else, and version control leaves them alone."""
    path = made(tmp_path / "deep" / "journal.db")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (path.parent / ".gitignore").read_text(encoding="ascii") == "*\n"


async def test_what_is_written_meanwhile_is_for_its_user_alone(machine: Machine) -> None:
    """The log beside the file holds tokens too."""
    driver = await machine.start()
    await driver.accept()
    for path in machine.path.parent.glob("journal.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_journal_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    """The mend is a command."""
    path = made(tmp_path / "journal.db")
    path.chmod(0o644)
    assert f"chmod o-rwx {path}" in refusal(path)


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    """Nothing is deleted or made anew; the way to what can be saved is told."""
    path = made(tmp_path / "journal.db")
    path.write_bytes(b"no database at all, " * 500)
    said = refusal(path)
    assert "damaged" in said
    assert ".recover" in said


async def test_damage_after_a_crash_is_looked_for(machine: Machine) -> None:
    """A file that was left in the middle of something is checked before it is used."""
    driver = await machine.start()
    for _ in range(200):
        await driver.accept()
    await machine.close()
    content = bytearray(machine.path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    machine.path.write_bytes(content)
    machine.path.with_name("journal.db-wal").write_bytes(b"left behind")
    with pytest.raises(JournalUnusable, match="damaged"):
        open_file(machine.path)


def test_another_program_s_file_is_refused(tmp_path: Path) -> None:
    """A path that was set by mistake does not cost somebody their data."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE precious (data)")
    other.close()
    path.chmod(0o600)
    said = refusal(path)
    assert "not a journal of vertexkit" in said
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT count(*) FROM precious").fetchone() == (0,)
    other.close()


def test_another_version_is_refused(tmp_path: Path) -> None:
    """Tables that this version does not know are left to the one that wrote them."""
    path = made(tmp_path / "journal.db")
    with sqlite3.connect(path) as journal:
        journal.execute(f"PRAGMA user_version = {VERSION + 1}")
    journal.close()
    assert f"version {VERSION + 1}" in refusal(path)


def test_a_journal_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes on one file would each do the other's work: the second is told what to do."""
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
def test_a_place_for_no_file_is_refused(tmp_path: Path, place: str) -> None:
    """A path that cannot be, named with the setting to change."""
    (tmp_path / "a-file").touch()
    (tmp_path / "a-folder").mkdir()
    assert "VERTEXKIT_JOURNAL" in refusal(tmp_path / place)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_refused(tmp_path: Path) -> None:
    """Who may not write is told where."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    assert "VERTEXKIT_JOURNAL" in refusal(folder / "journal.db")


def test_a_journal_needs_a_path() -> None:
    """sqlite: alone is refused with an example."""
    with pytest.raises(SettingsError, match=r"sqlite:\.vertexkit/journal\.db"):
        make_journal(JournalSettings(url="sqlite:"), Clock())


async def test_a_full_disk_refuses_what_is_new_and_loses_nothing(machine: Machine) -> None:
    """New calls are refused at once, running ones wait, and all goes on when there is room."""
    driver = await machine.start()
    lease = await driver.held()
    connection = driver.journal._writer._connection  # type: ignore[attr-defined]
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
    assert not all(each.done() for each in waiting)
    connection.execute("PRAGMA max_page_count = 1000000")
    await asyncio.gather(*waiting)
    assert driver.journal.unavailable_reason() == ""
    assert (await driver.accept()).new
    machine.crash()
    driver = await machine.start()
    leases = {each.execution.id: each for each in await driver.claim()}
    assert len(leases) == backlog + 2
    assert len(leases[lease.execution.id].effects) == 3


async def test_a_failed_write_to_the_disk_is_the_end(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an input/output error nothing is tried again: it is told once, and all else fails."""
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
