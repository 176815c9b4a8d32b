"""The contract of every journal: what the operators' console reads and changes."""

import pytest

from tests.console.client import ConsoleClient
from tests.journal.driver import JournalDriver
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus

PARKED = Outcome(OutcomeStatus.PARKED, "unreachable", reason="the platform did not answer")


@pytest.mark.unmeasured
async def test_the_console_shows_and_changes_the_executions(driver: JournalDriver) -> None:
    """The list, the timeline, the results of steps, an event and a retry: with every journal."""
    parked = await driver.held()
    await driver.journal.settle(parked, PARKED)
    waits = await driver.held()
    step = Effect(0, "step:look_up", "", EffectState.CONFIRMED, b'"found"')
    await driver.journal.record_intent(waits, Effect(0, "step:look_up"))
    await driver.journal.record_effect(waits, step)
    await driver.journal.record_intent(waits, Effect(1, "wait:paid"))
    await driver.journal.suspend(waits, 60, 0.0)  # the last step: the clock may advance to its end
    console = ConsoleClient(driver.journal, writable=True)

    service = (await console.get("service")).json
    assert (service["parked"], service["service"]) == (1, None)
    listed = (await console.get("executions", "state=parked")).json["executions"]
    assert [(e["execution"], e["code"]) for e in listed] == [(parked.execution.id, "unreachable")]
    shown = (await console.get(f"executions/{waits.execution.id}")).json["execution"]
    assert shown["waits_for"] == ["paid"]
    assert [effect["kind"] for effect in shown["effects"]] == ["step:look_up", "wait:paid"]

    path = f"executions/{waits.execution.id}"
    contents = (await console.post(f"{path}/show_contents")).json
    assert contents["effects"] == [{"position": 0, "value": "found"}]
    sent = await console.post(f"{path}/send_event", {"name": "paid", "data": True})
    assert sent.json["done"] == "event_new"
    retried = await console.post(f"executions/{parked.execution.id}/retry")
    assert retried.json["done"] == "handler_again"
    claimed = {lease.execution.id for lease in await driver.claim()}
    assert claimed == {waits.execution.id, parked.execution.id}
