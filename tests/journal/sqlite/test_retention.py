"""What is deleted from the journal's file, when, and that nothing of it is left."""

import asyncio
import sqlite3
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.journal.driver import JournalDriver
from tests.journal.sqlite.restarts import Machine
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Result
from vertexkit.journal.protocol import Query
from vertexkit.journal.sqlite.deletion import commit_without_sync
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.journal.sqlite.schema import PAGE_BYTES

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", "204")
PARKED = Outcome(OutcomeStatus.PARKED, "unreachable", reason="503")
DAY = 86_400.0
FREE_PAGES = 64
"""As many as a small file keeps."""
SIZES = [200, 3_000, 5_000, 9_000, 30_000, 60_000, 100_000, 200_000]
"""Bytes of inputs: in one page, around the size of a page, and on pages of their own."""


def journal_of(driver: JournalDriver) -> SqliteJournal:
    assert isinstance(driver.journal, SqliteJournal)
    return driver.journal


async def run(driver: JournalDriver, size: int, number: int, outcome: Outcome = DONE) -> str:
    """Run an execution with recognisable inputs, token, step and result; return its id."""
    text = f"SECRET-INPUT-{number}-".ljust(30, "i") * (size // 30)
    call = driver.execution(f"SECRET-TOKEN-{number}" + "t" * 300, text=text)
    await driver.journal.accept(call, 10_000)
    lease = await driver.claim_one()
    await driver.journal.record_intent(lease, Effect(0, "step:a"))
    value = b'"SECRET-STEP %b"' % (b"s" * size)
    await driver.journal.record_effect(lease, Effect(0, "step:a", "", EffectState.CONFIRMED, value))
    await driver.journal.record_result(
        lease, Result(b'"SECRET-RESULT %b"' % (b"r" * size)), completing=True
    )
    await driver.journal.settle(lease, outcome)
    return lease.execution.id


def secrets_in(folder: Path) -> set[str]:
    """Return the files that contain a part of a token, an input, a step or a result."""
    parts = (b"SECRET-", b"i" * 12, b"t" * 100, b"s" * 100, b"r" * 100)
    contents = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    return {
        f"{name}: {part[:9]!r}"
        for name, content in contents.items()
        for part in parts
        if part in content
    }


async def test_nothing_is_left_of_what_has_ended(machine: Machine) -> None:
    """Whatever the size: after the next erasure of a running service, and after a clean end."""
    driver = await machine.start()
    for number, size in enumerate(SIZES * 3):
        await run(driver, size, number)
    assert any("wal" in found for found in secrets_in(machine.path.parent))
    await journal_of(driver)._retention._erase_deleted()
    assert secrets_in(machine.path.parent) == set()
    for number, size in enumerate(SIZES):
        await run(driver, size, number)
    await machine.close()
    assert secrets_in(machine.path.parent) == set()


async def test_nothing_is_left_of_a_parked_execution_that_is_dropped(machine: Machine) -> None:
    """An operator who drops it, or its age, erases its token, inputs and result."""
    driver = await machine.start()
    for number, size in enumerate(SIZES):
        execution = await run(driver, size, number, PARKED)
        if number % 2:
            await driver.journal.drop(execution)
    machine.clock.skip_to(machine.clock.now() + 31 * DAY)
    retention = journal_of(driver)._retention
    await retention._delete_old()
    await retention._erase_deleted()
    assert await driver.journal.search(Query()) == []
    assert secrets_in(machine.path.parent) == set()


@pytest.mark.unmeasured
async def test_old_executions_are_deleted_under_load(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The age is checked every minute although the number is checked all the time."""
    monkeypatch.setattr("vertexkit.journal.sqlite.retention.ENDED_BETWEEN_CHECKS", 2)
    driver = await machine.start(retention=300)
    parked = await run(driver, 200, 0, PARKED)
    first = await run(driver, 200, 1)
    for minute in range(30):
        for number in range(4):
            await run(driver, 200, number)
        machine.clock.skip_to(machine.clock.now() + 60)
        if minute == 15:
            assert await driver.journal.find(first) is None
    await run(driver, 200, 2)
    await driver.journal.search(Query())
    assert 15 <= len(await driver.journal.search(Query(limit=1000))) <= 30
    assert await driver.journal.find(parked) is not None
    machine.clock.skip_to(machine.clock.now() + 30 * DAY)
    for number in range(8):
        await run(driver, 200, number)
    await driver.journal.search(Query())
    assert await driver.journal.find(parked) is None


@pytest.mark.unmeasured
async def test_the_file_stays_bounded_and_shrinks(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a steady load the file does not grow, and after a burst it gives its pages back."""
    monkeypatch.setattr("vertexkit.journal.sqlite.retention.MIN_FREE_PAGES", FREE_PAGES)
    driver = await machine.start(retention=600)
    sizes = []
    for _ in range(12):
        for number in range(8):
            await run(driver, 10_000, number)
        machine.clock.skip_to(machine.clock.now() + 300)
        await journal_of(driver)._retention._delete_old()
        await journal_of(driver)._retention._erase_deleted()
        sizes.append(machine.path.stat().st_size)
    assert max(sizes[4:]) <= 1.5 * sizes[3]
    waiting = [await driver.accept() for _ in range(3)]
    for number in range(20):
        call = driver.execution(f"burst-{number}", text="x" * 150_000)
        await driver.journal.accept(call, 10_000)
    await journal_of(driver)._retention._erase_deleted()
    assert machine.path.stat().st_size > 20 * 150_000
    for lease in await driver.claim(limit=1000):
        await driver.journal.settle(lease, DONE)
    machine.clock.skip_to(machine.clock.now() + DAY)
    await journal_of(driver)._retention._delete_old()
    await journal_of(driver)._retention._erase_deleted()
    assert machine.path.stat().st_size < 2 * FREE_PAGES * PAGE_BYTES
    assert len(waiting) == 3


async def restarted(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, shift: float
) -> JournalDriver:
    """Start the next process while the wall clock is wrong by a number of seconds."""
    await machine.close()
    unix = type(machine.clock).unix
    monkeypatch.setattr(machine.clock, "unix", lambda: unix(machine.clock) + shift)
    driver = await machine.start(unique_tokens=True)
    retention = journal_of(driver)._retention
    await retention._delete_old()
    await retention._erase_deleted()
    return driver


@pytest.mark.unmeasured
@pytest.mark.parametrize("shift", [31 * DAY, 400 * DAY, -1e9, 1e9], ids=str)
async def test_a_wrong_clock_deletes_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, shift: float
) -> None:
    """A clock that is wrong at start, or is corrected later, does not age what was kept."""
    driver = await machine.start(unique_tokens=True)
    parked = await run(driver, 200, 0, PARKED)
    done = await run(driver, 200, 1)
    for _ in range(3):
        for wrong in (shift, 0.0):
            driver = await restarted(machine, monkeypatch, wrong)
            assert await driver.journal.find(parked) is not None
            assert await driver.journal.find(done) is not None
            again = await driver.journal.accept(
                driver.execution("SECRET-TOKEN-1" + "t" * 300), 10_000
            )
            assert (again.execution, again.new) == (done, False)


@pytest.mark.parametrize("shift", [31 * DAY, -1e9, 1e9], ids=str)
async def test_a_clock_that_is_set_deletes_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, shift: float
) -> None:
    """While a service runs, only the monotonic clock counts."""
    driver = await machine.start(unique_tokens=True)
    parked = await run(driver, 200, 0, PARKED)
    unix = type(machine.clock).unix
    monkeypatch.setattr(machine.clock, "unix", lambda: unix(machine.clock) + shift)
    later = await run(driver, 200, 1, PARKED)
    retention = journal_of(driver)._retention
    await retention._delete_old()
    monkeypatch.undo()
    await retention._delete_old()
    for execution in (parked, later):
        assert await driver.journal.find(execution) is not None
    machine.clock.skip_to(machine.clock.now() + 31 * DAY)
    await retention._delete_old()
    assert await driver.journal.search(Query()) == []


@pytest.mark.unmeasured
async def test_age_counts_over_restarts(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for which services ran adds up, and a stop counts for an hour at most."""
    driver = await machine.start()
    parked = await run(driver, 200, 0, PARKED)
    for _ in range(29):
        machine.clock.skip_to(machine.clock.now() + DAY)
        driver = await restarted(machine, monkeypatch, 0.0)
        assert await driver.journal.find(parked) is not None
    machine.clock.skip_to(machine.clock.now() + 1.1 * DAY)
    driver = await restarted(machine, monkeypatch, 0.0)
    assert await driver.journal.find(parked) is None


@pytest.mark.unmeasured
async def test_age_counts_although_every_process_is_killed(machine: Machine) -> None:
    """The age is saved while a service runs, so what is kept for a month is kept for a month."""
    driver = await machine.start()
    parked = await run(driver, 200, 0, PARKED)
    for _ in range(32):
        machine.clock.skip_to(machine.clock.now() + DAY)
        await journal_of(driver)._retention._erase_deleted()
        machine.crash()
        driver = await machine.start()
    await journal_of(driver)._retention._delete_old()
    assert await driver.journal.find(parked) is None


async def test_unique_tokens_are_remembered_beyond_the_retention(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a day, over restarts, when the execution is deleted and when memory has no room."""
    monkeypatch.setattr("vertexkit.journal.state.duplicates.MAX_REMEMBERED_TOKENS", 2)
    monkeypatch.setattr("vertexkit.journal.sqlite.loading.MAX_REMEMBERED_TOKENS", 2)
    driver = await machine.start(unique_tokens=True, retention=1)
    done = {}
    for number in range(6):
        token = f"token-{number}-again"
        lease = await driver.held(token)
        await driver.journal.settle(lease, DONE)
        done[token] = lease.execution.id
    for _ in range(3):
        machine.clock.skip_to(machine.clock.now() + 6 * 3600)
        await journal_of(driver)._retention._delete_old()
        assert await driver.journal.search(Query()) == []
        for token, execution in done.items():
            again = await asyncio.gather(driver.accept(token), driver.accept(token))
            assert {(one.execution, one.new) for one in again} == {(execution, False)}
        await machine.close()
        driver = await machine.start(unique_tokens=True, retention=1)
    machine.clock.skip_to(machine.clock.now() + 7 * 3600)
    await journal_of(driver)._retention._delete_old()
    assert all([(await driver.accept(token)).new for token in done])
    count = "SELECT count(*) AS number FROM tokens"
    left = await journal_of(driver)._writer.run(lambda c: c.execute(count).fetchone()["number"])
    assert left == 0


async def test_unique_tokens_are_remembered_from_the_time_before(machine: Machine) -> None:
    """When the setting is switched on, executions that ended before it are known too."""
    driver = await machine.start()
    lease = await driver.held("again")
    await driver.journal.settle(lease, DONE)
    await machine.close()
    driver = await machine.start(unique_tokens=True)
    assert (await driver.accept("again")).execution == lease.execution.id


@pytest.mark.parametrize("fails", [False, True])
def test_a_deletion_does_not_change_the_settings_of_the_connection(
    tmp_path: Path, fails: bool
) -> None:
    """Later commits wait for the disk again, and the log does not grow, whether or not it succeeds."""
    connection = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    names = ("synchronous", "wal_autocheckpoint")
    before = [connection.execute(f"PRAGMA {name}").fetchone() for name in names]
    during = list[tuple[int]]()

    def change() -> None:
        during.extend(connection.execute(f"PRAGMA {name}").fetchone() for name in names)
        if fails:
            raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(sqlite3.OperationalError) if fails else nullcontext():
        commit_without_sync(connection, change)
    assert during == [(1,), (0,)]
    assert [connection.execute(f"PRAGMA {name}").fetchone() for name in names] == before
    assert before == [(2,), (1000,)]
    connection.close()
