"""A correct run, and parts to make it incorrect."""

from dataclasses import replace
from typing import Any

from pydantic_core import to_json

from tests.chaos.observed import Call, Observed, digest
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase
from vertexkit.journal.protocol import Record
from vertexkit.testing.platform.ledger import Entry

ONE, TWO = "1" * 22, "2" * 22
TOKEN, BLOCK = "the-token-of-a-dialog", "loan"
DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")
PARKED = Outcome(
    OutcomeStatus.PARKED, "attempts", reason="3 runs have ended with the death of a worker"
)


def request(number: int, method: str, status: int | None, **body: Any) -> Entry:
    return Entry(
        number,
        "POST",
        f"/api/{method}",
        float(number),
        method=method,
        token=TOKEN,
        activation=1,
        body=to_json({"token": TOKEN, **body}),
        processed=status in {200, 204},
        status=status,
    )


def text(position: int, execution: str = ONE) -> str:
    return f"{execution} {position}"


def send(number: int, position: int, status: int | None = 200, execution: str = ONE) -> Entry:
    return request(number, "send_message", status, text=text(position, execution))


def complete(number: int, status: int | None = 204, execution: str = ONE, **data: Any) -> Entry:
    return request(number, "complete", status, data={"execution": execution, **data})


def effect(
    position: int,
    state: EffectState = EffectState.CONFIRMED,
    message_id: int | None = 1,
    execution: str = ONE,
) -> Effect:
    own = digest(send(0, position, execution=execution))
    value = to_json({"message_id": message_id}) if state is EffectState.CONFIRMED else b""
    return Effect(position, "send", own, state, value)


RECORD = Record(
    ONE,
    BLOCK,
    Phase.SETTLED,
    1,
    1000.0,
    (effect(0), effect(1)),
    outcome=DONE,
    claimed_at=1001.0,
    result_recorded_at=1002.0,
    completion_tried_at=1002.0,
    completion_tries=1,
    ended_at=1003.0,
)
CALL = Call(TOKEN, BLOCK, 200, ONE)
LEDGER = (send(1, 0), send(2, 1), complete(3))
GOOD = Observed((CALL,), LEDGER, (RECORD,), starts=((ONE, 1),), settled=(ONE,))


def seen(**changed: Any) -> Observed:
    """Return the correct run with some values replaced."""
    return replace(GOOD, **changed)


def record(**changed: Any) -> tuple[Record, ...]:
    return (replace(RECORD, **changed),)
