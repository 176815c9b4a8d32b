"""The contract of every journal: the memory of dialogs."""

import pytest

from tests.journal.driver import JournalDriver
from tests.journal.memory_values import KEY, remember, setting
from vertexkit.errors import Fenced
from vertexkit.execution import Outcome, OutcomeStatus, Result
from vertexkit.journal.dialog_memory import DialogKey, DialogMemory

DAY = 86_400.0
DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")


async def test_a_memory_is_kept_for_later_executions(driver: JournalDriver) -> None:
    """What one execution has written, another one reads after the first has ended."""
    assert (await driver.journal.read_memory(KEY)).values == b""
    lease = await driver.held()
    await remember(driver, lease, "name", '"Анна"'.encode())
    await remember(driver, lease, "visits", b"2")
    await driver.journal.record_result(lease, Result(b"{}"))
    await driver.journal.settle(lease, DONE)
    memory = await driver.journal.read_memory(KEY)
    assert (memory.get("name"), memory.get("visits"), memory.get("age")) == (
        '"Анна"'.encode(),
        b"2",
        b"",
    )


async def test_a_change_and_its_effect_are_stored_together(driver: JournalDriver) -> None:
    """The next run of the handler has the effect of every change that was stored."""
    lease = await driver.held()
    await remember(driver, lease, "name", b"1")
    driver.pass_lease()
    again = await driver.claim_one("second")
    assert again.effects == {9: setting("name")}


async def test_a_lost_lease_changes_no_memory(driver: JournalDriver) -> None:
    """A worker that does not hold the execution any more changes neither memory nor effects."""
    lease = await driver.held()
    driver.pass_lease()
    await driver.claim_one("second")
    changed = DialogMemory().changed("name", b"1")
    with pytest.raises(Fenced):
        await driver.journal.write_memory(lease, setting("name"), KEY, changed)
    assert (await driver.journal.read_memory(KEY)).values == b""


async def test_a_change_replaces_the_version_that_was_read(driver: JournalDriver) -> None:
    """Of two executions that have read the same version, one writes; the other has to read again."""
    first, second = await driver.held(), await driver.held()
    read = await driver.journal.read_memory(KEY)
    one, two = read.changed("name", b"1"), read.changed("age", b"2")
    write = driver.journal.write_memory
    assert await write(first, setting("name"), KEY, one) is not None
    assert await write(second, setting("age"), KEY, two) is None
    record = await driver.journal.find(second.execution.id)
    assert record is not None
    assert record.effects == ()
    await remember(driver, second, "age", b"2")
    assert (await driver.journal.read_memory(KEY)).values == b'{"name":1,"age":2}'


async def test_a_version_is_not_used_again(driver: JournalDriver) -> None:
    """A memory that was emptied and filled again is not taken for the one that was read before."""
    lease = await driver.held()
    await remember(driver, lease, "name", b"1")
    read = await driver.journal.read_memory(KEY)
    await remember(driver, lease, "name", b"")
    assert (await driver.journal.read_memory(KEY)).values == b""
    await remember(driver, lease, "name", b"1")
    stale = read.changed("name", b"2")
    assert await driver.journal.write_memory(lease, setting("name", 20), KEY, stale) is None


async def test_dialogs_have_memories_of_their_own(driver: JournalDriver) -> None:
    """Equal numbers in two instances of the platform are two dialogs."""
    lease = await driver.held()
    other = DialogKey("ot/her", 4711)
    await remember(driver, lease, "name", b"1")
    await remember(driver, lease, "name", b"2", other)
    await remember(driver, lease, "name", b"3", DialogKey("", -1))
    assert (await driver.journal.read_memory(KEY)).get("name") == b"1"
    assert (await driver.journal.read_memory(other)).get("name") == b"2"


async def test_a_memory_expires_after_its_last_change(driver: JournalDriver) -> None:
    """It is kept for 30 days after a change of any of its values, and then it is empty."""
    lease = await driver.held()
    await remember(driver, lease, "name", b"1")
    driver.clock.skip_to(driver.clock.now() + 29 * DAY)
    lease = await driver.newest()
    await remember(driver, lease, "visits", b"2")
    driver.clock.skip_to(driver.clock.now() + 29 * DAY)
    assert (await driver.journal.read_memory(KEY)).values == b'{"name":1,"visits":2}'
    driver.clock.skip_to(driver.clock.now() + DAY + 1)
    assert (await driver.journal.read_memory(KEY)).values == b""
    lease = await driver.newest()
    await remember(driver, lease, "name", b"3")
    assert (await driver.journal.read_memory(KEY)).values == b'{"name":3}'
