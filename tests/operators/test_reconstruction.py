"""A recording that is made from what the journal has of an execution."""

from typing import Any

import pytest

from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase
from vertexkit.journal.protocol import Record
from vertexkit.operators.reconstruction import reconstruct
from vertexkit.recordings import RecordedWait, Recording

IDS = b'{"message_id":7,"created_at":8}'
GONE = Outcome(OutcomeStatus.GONE, "gone")


def made(*effects: Effect, outcome: Outcome | None = None) -> Recording:
    record = Record(
        "0" * 22, "loan", Phase.SETTLED, 1, 1_700_000_000.0, tuple(effects), outcome=outcome
    )
    return reconstruct(record, {"name": "Anna"}, "hello:app")


def effect(position: int, kind: str, state: EffectState, value: bytes = b"") -> Effect:
    return Effect(position, kind, "", state, value, began=1_700_000_001.0)


SENT = effect(0, "send", EffectState.CONFIRMED, IDS)


@pytest.mark.parametrize(
    "state, outcome, faults",
    [
        (EffectState.UNKNOWN, None, [{"method": "send_message", "after": 1, "kind": "lost"}]),
        (EffectState.REJECTED, None, [{"method": "send_message", "after": 1, "status": 400}]),
        (
            EffectState.REJECTED,
            GONE,
            [
                {"method": "send_message", "after": 1, "status": 403},
                {"method": "complete", "status": 403, "times": 3},
            ],
        ),
    ],
)
def test_messages_become_faults(
    state: EffectState, outcome: Outcome | None, faults: list[dict[str, Any]]
) -> None:
    """The platform of the test treats each message and the completion as the real one did."""
    recording = made(SENT, effect(1, "send", state), outcome=outcome)
    assert recording.faults() == faults


def test_waits_and_memory() -> None:
    """The data of events and the values of the memory are those that the handler got."""
    until = b'{"until":1700003601.0,"type":"Payment"'
    paid = effect(0, "wait:payment", EffectState.CONFIRMED, until + b',"event":{"amount":1}}')
    slept = effect(1, "sleep", EffectState.CONFIRMED, until + b"}")
    read = effect(2, "memory.get:visits", EffectState.CONFIRMED, b"3")
    open_wait = effect(3, "wait:answer", EffectState.INTENDED, until + b"}")
    recording = made(paid, slept, read, open_wait)
    assert recording.waits() == [
        RecordedWait("payment", 3600.0, {"amount": 1}, by_event=True),
        RecordedWait("", 3600.0, None, by_event=False),
    ]
    assert recording.memory() == {"visits": 3}
    assert recording.header.inputs == {"name": "Anna"}
    assert recording.end is None


def test_a_message_in_progress_is_no_fault() -> None:
    """The reply to a message of an execution that has not ended may still arrive."""
    started = effect(1, "send", EffectState.INTENDED)
    assert made(SENT, started).faults() == []
    parked = Outcome(OutcomeStatus.PARKED, "crashed")
    assert [fault["kind"] for fault in made(SENT, started, outcome=parked).faults()] == ["lost"]
