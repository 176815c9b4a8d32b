"""The contract of every journal: erasing what is kept of a dialog."""

import pytest

from tests.journal.driver import JournalDriver
from tests.journal.memory_values import remember
from vertexkit.errors import OperationNotAllowed
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Result
from vertexkit.journal.dialog_memory import DialogKey, Forgotten
from vertexkit.journal.protocol import Query
from vertexkit.testing import FakePlatform

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")
PARKED = Outcome(OutcomeStatus.PARKED, "unreachable", reason="the platform is down")
SENT = Effect(0, "send", "abc", EffectState.CONFIRMED, b'{"message_id":1,"created_at":2}')


async def settled(driver: JournalDriver, dialog: int, outcome: Outcome) -> str:
    """An execution of a dialog that has ended, with a message and a memory."""
    lease = await driver.held(FakePlatform(seed=dialog).issue(dialog_id=dialog))
    await driver.journal.record_effect(lease, SENT)
    await remember(driver, lease, "name", b'"Anna"', DialogKey("demo", dialog))
    await driver.journal.record_result(lease, Result(b"{}"))
    await driver.journal.settle(lease, outcome)
    return lease.execution.id


async def test_a_dialog_is_forgotten(driver: JournalDriver) -> None:
    """Ended executions, parked ones included, and the memories of a dialog are erased; no others."""
    first, second = await settled(driver, 7, DONE), await settled(driver, 7, PARKED)
    other = await settled(driver, 8, DONE)
    [memory] = await driver.journal.memories(7)
    assert memory.key == DialogKey("demo", 7)
    assert memory.size >= len(b'{"name":"Anna"}')
    assert memory.changed_at == pytest.approx(driver.clock.unix(), abs=60)
    assert await driver.journal.forget(7) == Forgotten(2, 1)
    assert await driver.journal.memories(7) == []
    assert (await driver.journal.read_memory(DialogKey("demo", 7))).values == b""
    assert [await driver.journal.find(name) for name in (first, second)] == [None, None]
    assert [r.execution for r in await driver.journal.search(Query())] == [other]
    assert (await driver.journal.read_memory(DialogKey("demo", 8))).values == b'{"name":"Anna"}'
    assert await driver.journal.forget(7) == Forgotten(0, 0)


async def test_a_dialog_that_is_running_is_not_forgotten(driver: JournalDriver) -> None:
    """As long as an execution has not ended, nothing is erased: the dialog would hang."""
    ended = await settled(driver, 7, DONE)
    lease = await driver.held(FakePlatform(seed=9).issue("other", dialog_id=7))
    with pytest.raises(OperationNotAllowed, match=f"drop {lease.execution.id}"):
        await driver.journal.forget(7)
    assert await driver.journal.find(ended) is not None
    assert len(await driver.journal.memories(7)) == 1
    await driver.journal.settle(lease, DONE)
    assert await driver.journal.forget(7) == Forgotten(2, 1)
