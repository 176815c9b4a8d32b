"""What happens to the journal's file while it is in use, and to what is left of it afterwards."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import structlog

from tests.journal.sqlite.restarts import Machine
from tests.waiting import until
from vertexkit.errors import JournalUnavailable, JournalUnusable
from vertexkit.execution import Outcome, OutcomeStatus
from vertexkit.journal.protocol import Query
from vertexkit.journal.sqlite.file import check_file, open_file
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.journal.sqlite.schema import PAGE_BYTES
from vertexkit.journal.sqlite.watch import FileWatch

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", "204")
Damage = Callable[[Path], object]


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    folder = tmp_path / "service"
    folder.mkdir()
    machine = Machine(folder)
    yield machine
    await machine.close()


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def replace_with_copy(path: Path) -> None:
    shutil.copy(path, copy := path.with_name("copy"))
    copy.replace(path)


INCIDENTS: dict[str, Damage] = {
    "file deleted": lambda path: path.unlink(),
    "log deleted": lambda path: log_of(path).unlink(),
    "both deleted": lambda path: [file.unlink() for file in (path, log_of(path))],
    "file replaced": replace_with_copy,
    "log replaced": lambda path: replace_with_copy(log_of(path)),
    "file renamed": lambda path: path.rename(path.with_name("moved.db")),
    "folder removed": lambda path: shutil.rmtree(path.parent),
    "folder moved": lambda path: path.parent.rename(path.parent.with_name("moved")),
    "folder replaced": lambda path: (
        path.parent.rename(path.parent.with_name("moved")),
        shutil.copytree(path.parent.with_name("moved"), path.parent),
    ),
}
CUT_OFF: dict[str, Damage] = {
    "file cut off": lambda path: os.truncate(path, 0),
    "log cut off": lambda path: os.truncate(log_of(path), 0),
    "half of the log cut off": lambda path: os.truncate(log_of(path), 8192),
}


@pytest.mark.parametrize("incident", INCIDENTS.values(), ids=INCIDENTS)
async def test_nothing_is_acknowledged_in_a_lost_file(machine: Machine, incident: Damage) -> None:
    """After the file or its folder is gone, no call is accepted, and the loss is reported once."""
    driver = await machine.start()
    lease = await driver.held()
    await asyncio.to_thread(incident, machine.path)
    for _ in range(3):
        with pytest.raises(JournalUnavailable, match=r"deleted|moved|replaced"):
            await driver.accept()
    with pytest.raises(JournalUnavailable):
        await driver.journal.settle(lease, DONE)
    assert len(driver.lost_reasons) == 1
    reason = driver.journal.unavailable_reason()
    assert str(machine.path) in reason
    assert "unfinished executions are lost unless it is restored" in reason


@pytest.mark.unmeasured
@pytest.mark.parametrize("incident", (INCIDENTS | CUT_OFF).values(), ids=INCIDENTS | CUT_OFF)
async def test_an_idle_service_notices(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, incident: Damage
) -> None:
    """Without any call the loss is reported within the interval of the checks."""
    monkeypatch.setattr("vertexkit.journal.sqlite.writer.WATCH_SECONDS", 0.02)
    monkeypatch.setattr("vertexkit.journal.sqlite.watch.VERIFY_SECONDS", 0.0)
    driver = await machine.start()
    await driver.accept()
    for _ in range(
        20
    ):  # until the retention has looked through the file, one job after each search
        await driver.journal.search(Query())
    await asyncio.to_thread(incident, machine.path)
    await until(lambda: driver.lost_reasons, "the loss is reported")
    with pytest.raises(JournalUnavailable):
        await driver.accept()


async def test_a_service_at_work_is_not_disturbed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints, a log that shrinks and a file that is copied do not count as loss."""
    monkeypatch.setattr("vertexkit.journal.sqlite.writer.WATCH_SECONDS", 0.01)
    monkeypatch.setattr("vertexkit.journal.sqlite.watch.VERIFY_SECONDS", 0.0)
    verify, verifications = FileWatch.verify, []

    def counted(self: FileWatch) -> None:
        verify(self)
        verifications.append(self)

    monkeypatch.setattr(FileWatch, "verify", counted)
    driver = await machine.start()
    for _ in range(30):
        call = driver.execution(text="x" * 50_000)
        await driver.journal.accept(call, 1000)
        await driver.journal.settle(await driver.claim_one(), DONE)
    journal = driver.journal
    assert isinstance(journal, SqliteJournal)
    await journal._retention._erase_deleted()
    assert log_of(machine.path).stat().st_size == 0
    await asyncio.to_thread(shutil.copy, machine.path, machine.path.with_name("copy"))
    seen = len(verifications) + 5
    await until(lambda: len(verifications) > seen, "the file is verified again and again")
    await driver.accept()
    assert not driver.lost_reasons


def refusal(path: Path) -> str:
    """Return the error on opening; neither opening nor checking may change any file."""

    def files() -> dict[str, bytes]:
        contents = {file.name: file.read_bytes() for file in path.parent.iterdir()}
        return {name: content for name, content in contents.items() if content}

    before = files()
    with pytest.raises(JournalUnusable) as checked:
        check_file(path)
    assert files() == before
    with pytest.raises(JournalUnusable) as opened:
        open_file(path)
    assert files() == before
    assert str(opened.value) == str(checked.value)
    return str(opened.value)


async def crashed(machine: Machine, executions: int = 30) -> Path:
    """A process has accepted executions and was killed; return the file that it left."""
    driver = await machine.start()
    for _ in range(executions):
        await driver.accept()
    mark = machine.path.with_name(f"{machine.path.name}.accepted").read_bytes()
    machine.crash()
    machine.path.with_name(f"{machine.path.name}.accepted").write_bytes(mark)
    return machine.path


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)


LOSSES: dict[str, Damage] = {
    "file empty": lambda path: os.truncate(path, 0),
    "file missing": lambda path: path.unlink(),
    "log missing": lambda path: log_of(path).unlink(),
    "log empty": lambda path: os.truncate(log_of(path), 0),
    "half of the log": lambda path: os.truncate(log_of(path), log_of(path).stat().st_size // 2),
    "the log's header damaged": lambda path: flip(log_of(path), 10),
    "the log's first frame damaged": lambda path: flip(log_of(path), 4000),
    "the log's middle damaged": lambda path: flip(log_of(path), log_of(path).stat().st_size // 2),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
async def test_a_journal_with_less_than_it_had_is_refused(machine: Machine, loss: Damage) -> None:
    """Acknowledged executions that are missing are reported, and no file is touched."""
    path = await crashed(machine)
    loss(path)
    error = refusal(path)
    assert "Nothing was changed" in error
    if path.exists() and path.stat().st_size:
        assert "executions that it has acknowledged are missing" in error
        path.with_name(f"{path.name}.accepted").unlink()  # as the error says


async def test_what_was_not_lost_is_accepted(machine: Machine) -> None:
    """A killed process's files are complete, and so are those of a clean end."""
    path = await crashed(machine)
    assert check_file(path).endswith("exists")
    driver = await machine.start()
    assert driver.journal.backlog() == 30
    await machine.close()
    assert check_file(path).endswith("exists")
    driver = await machine.start()
    assert driver.journal.backlog() == 30


async def test_the_newest_execution_may_be_deleted(machine: Machine) -> None:
    """A number that an operator or the retention has deleted is neither missing nor used again."""
    driver = await machine.start()
    lease = await driver.held()
    await driver.journal.settle(lease, Outcome(OutcomeStatus.PARKED, "unreachable"))
    await driver.journal.drop(lease.execution.id)
    await machine.close()
    driver = await machine.start()
    await driver.accept()
    journal = driver.journal
    assert isinstance(journal, SqliteJournal)
    assert journal._next_number == 3


async def test_an_ignored_end_of_the_log_is_logged(machine: Machine) -> None:
    """Commits behind a damaged frame, which SQLite ignores, are in the log of the service."""
    driver = await machine.start()
    for _ in range(10):
        await driver.accept()
    machine.crash()  # without the mark, as after a loss of power that took it too
    flip(log_of(machine.path), log_of(machine.path).stat().st_size // 2)
    with structlog.testing.capture_logs() as lines:
        driver = await machine.start()
    assert driver.journal.backlog() < 10
    [line] = [line for line in lines if line["event"] == "journal_commits_ignored"]
    assert line["commits"] == 10 - driver.journal.backlog()  # each call was one commit


async def test_a_new_journal_in_the_place_of_another_is_logged(machine: Machine) -> None:
    """A file that was deleted while no service ran is noticed."""
    path = await crashed(machine, 3)
    path.unlink()
    log_of(path).unlink()
    with structlog.testing.capture_logs() as lines:
        await machine.start()
    assert [line["event"] for line in lines] == ["journal_replaced"]


async def test_damage_after_a_clean_end_is_refused(machine: Machine) -> None:
    """A page that was damaged while no service ran is found before the file is used."""
    driver = await machine.start()
    for _ in range(200):
        await driver.accept()
    await machine.close()
    content = bytearray(machine.path.read_bytes())
    content[5 * PAGE_BYTES : 6 * PAGE_BYTES] = b"\xff" * PAGE_BYTES
    machine.path.write_bytes(content)
    error = refusal(machine.path)
    assert "damaged" in error
    assert ".recover" in error


DAMAGED_CELLS = {
    "a token": "UPDATE executions SET token = ''",
    "no token": "UPDATE executions SET token = NULL",
    "a phase": "UPDATE executions SET phase = 'dancing'",
    "a history": "UPDATE executions SET history = '[[1'",
}


@pytest.mark.parametrize("damage", DAMAGED_CELLS.values(), ids=DAMAGED_CELLS)
async def test_an_execution_that_cannot_be_read_is_damage(machine: Machine, damage: str) -> None:
    """A value that makes no sense is the same error as a page that does not."""
    driver = await machine.start()
    await driver.accept()
    await machine.close()
    connection = open_file(machine.path)
    connection.execute(damage)
    connection.close()
    with pytest.raises(JournalUnusable, match=r"damaged .*\.recover"):
        await machine.start()


async def test_a_page_that_is_damaged_while_it_runs_ends_the_service(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading damage ends the use of the file: writing on would make it worse."""
    driver = await machine.start()
    await driver.accept()

    def damaged(*_: object) -> None:
        error = sqlite3_error("database disk image is malformed", "SQLITE_CORRUPT")
        raise error

    monkeypatch.setattr("vertexkit.journal.sqlite.operators.read_settled_one", damaged)
    with pytest.raises(JournalUnavailable, match="malformed"):
        await driver.journal.find("f" * 22)
    assert len(driver.lost_reasons) == 1


def sqlite3_error(text: str, name: str) -> Exception:
    error = sqlite3.DatabaseError(text)
    error.sqlite_errorname = name
    return error
