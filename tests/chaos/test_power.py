"""The journal's file after a power loss."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.machine import Disk, Machine, ManualClock
from vertexkit.execution import Effect, EffectState, Execution, Outcome, OutcomeStatus, Result
from vertexkit.journal.protocol import Lease
from vertexkit.settings import JournalSettings
from vertexkit.token import Token

pytestmark = pytest.mark.unmeasured

NAME = "1" * 22
CALL = Execution(NAME, "loan", Token("the-token"), {"amount": 1}, b"{}", 1000.0)
INTENT = Effect(0, "send", "abc")
SENT = Effect(0, "send", "abc", EffectState.CONFIRMED, b'{"message_id":1,"created_at":2}')
FIXED = Result(b'{"monthly":1}')


class Outage(Machine):
    """A machine that loses all data that was not surely on the disk."""

    async def claim(self) -> Lease:
        [lease] = await self.journal.claim("first", {"loan": 1}, 1)
        return lease

    async def restart(self) -> None:
        await self.rest()
        await self.die(power=True, part=0.0)
        await self.start(pytest.fail)


@pytest.fixture
async def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Outage]:
    machine = Outage(tmp_path, Disk(monkeypatch), ManualClock(), JournalSettings())
    await machine.start(pytest.fail)
    await machine.journal.accept(CALL, 10)
    yield machine
    await machine.release_dead_process()


async def test_an_acceptance_survives(machine: Outage) -> None:
    """Accepted executions survive; their claims may be lost."""
    await machine.claim()
    await machine.restart()
    lease = await machine.claim()
    assert lease.execution == CALL
    assert (lease.attempt, lease.crashed) == (1, False)


async def test_an_intent_survives_and_its_fate_may_not(machine: Outage) -> None:
    """A message that may have been sent is not treated as unsent."""
    lease = await machine.claim()
    await machine.journal.record_intent(lease, INTENT)
    await machine.journal.record_effect(lease, SENT)
    await machine.restart()
    assert (await machine.claim()).effects[0] == INTENT


async def test_a_fixed_result_survives(machine: Outage) -> None:
    """The handler does not run again; the platform may have the result."""
    await machine.journal.record_result(await machine.claim(), FIXED, completing=True)
    await machine.restart()
    lease = await machine.claim()
    assert (lease.result, lease.completion_tried) == (FIXED, True)


async def test_the_first_try_of_a_completion_survives(machine: Outage) -> None:
    """A 403 to a later request confirms the completion; it does not mean that the dialog is gone."""
    lease = await machine.claim()
    await machine.journal.record_result(lease, FIXED)
    assert await machine.journal.begin_completion(lease)
    await machine.restart()
    assert (await machine.claim()).completion_tried


async def test_what_an_operator_did_survives(machine: Outage) -> None:
    """A call that an operator has dropped does not run its handler."""
    await machine.journal.drop(NAME)
    await machine.restart()
    assert (await machine.claim()).result is not None


async def test_an_outcome_may_be_lost_and_is_found_again(machine: Outage) -> None:
    """The same bytes are sent again."""
    lease = await machine.claim()
    await machine.journal.record_result(lease, FIXED, completing=True)
    await machine.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204"))
    await machine.restart()
    lease = await machine.claim()
    assert (lease.result, lease.completion_tried) == (FIXED, True)
