"""Sealing the values of a journal again, in parts."""

import pytest

from tests.journal.driver import JOURNAL_KEY, OTHER_KEY
from tests.journal.memory_values import remember
from tests.journal.reopened import Journals, key_id, rekey
from vertexkit.errors import OperationNotAllowed
from vertexkit.execution import Outcome, OutcomeStatus
from vertexkit.journal.dialog_memory import DialogKey
from vertexkit.journal.protocol import Query

pytest.importorskip("cryptography", reason="the extra encryption is not installed")

PARKED = Outcome(OutcomeStatus.PARKED, "unknown", reason="why it was parked")


@pytest.mark.parametrize("executions, memories", [(4, 2), (5, 3)], ids=["whole", "rest"])
async def test_a_key_is_replaced_in_parts(
    journals: Journals, monkeypatch: pytest.MonkeyPatch, executions: int, memories: int
) -> None:
    """Every row is sealed again, also if the last part is as large as a part may be."""
    for kind in ("sqlite", "postgres"):
        monkeypatch.setattr(f"vertexkit.journal.{kind}.rekeying.ROWS_PER_PART", 2)
    driver = await journals.open(JOURNAL_KEY)
    for number in range(executions):
        lease = await driver.held(f"token-{number}")
        if number < memories:
            await remember(driver, lease, "name", b"1", DialogKey("demo", number))
        await driver.journal.release(lease, 0)
        await driver.journal.settle(await driver.claim_one(), PARKED)
    driver = await journals.open(OTHER_KEY, JOURNAL_KEY)
    assert await rekey(driver, key_id(OTHER_KEY)) == executions + memories
    driver = await journals.open(OTHER_KEY)
    for record in await driver.journal.search(Query()):
        await driver.journal.retry(record.execution)
    tokens = {lease.execution.token.reveal() for lease in await driver.claim()}
    assert tokens == {f"token-{number}" for number in range(executions)}
    for number in range(memories):
        memory = await driver.journal.read_memory(DialogKey("demo", number))
        assert memory.values == b'{"name":1}'


async def test_a_journal_without_keys_is_not_rekeyed(journals: Journals) -> None:
    """The command says what is missing."""
    driver = await journals.open()
    with pytest.raises(OperationNotAllowed, match="is not encrypted"):
        await driver.journal.rekey(key_id(JOURNAL_KEY), "")
