"""Each invariant about waits and events reports a violation made by hand."""

from dataclasses import replace

import pytest

from tests.chaos.good_run import GOOD, ONE, RECORD, record, seen
from tests.chaos.invariants import check, holds_nothing, none_forgotten, one_wait
from tests.chaos.observed import Observed
from tests.chaos.waits import ReadEvent, SentEvent
from vertexkit.execution import EVENT_POSITION, Effect, EffectState, Phase

STORED = Effect(EVENT_POSITION, "event:payment", "", EffectState.CONFIRMED)
RECORDS = record(effects=(*RECORD.effects, STORED))
SENT = SentEvent(ONE, "payment", 7, 200)
REPEATED = replace(SENT, number=8)
LATE = replace(SENT, number=9, status=410)
READ = ReadEvent(ONE, "payment", 7)
TIMED_OUT = replace(READ, number=None)


@pytest.mark.parametrize(
    "events, reads",
    [
        ((SENT, REPEATED, LATE), (READ, READ)),
        ((SENT,), ()),
        ((LATE,), (TIMED_OUT, TIMED_OUT)),
        ((replace(SENT, status=None), REPEATED), (READ,)),
    ],
    ids=["twice, and late", "ended without waiting", "too late", "without an answer"],
)
def test_events_that_are_seen_once_break_nothing(
    events: tuple[SentEvent, ...], reads: tuple[ReadEvent, ...]
) -> None:
    """I13 accepts repetitions, events that no wait wanted, and a lost answer."""
    assert check(seen(records=RECORDS, events=events, reads=reads)) == []


@pytest.mark.parametrize(
    "broken",
    [
        seen(events=(SENT,)),
        seen(records=RECORDS, events=(SENT,), reads=(TIMED_OUT,)),
        seen(records=RECORDS, events=(SENT, REPEATED), reads=(READ, replace(READ, number=8))),
        seen(records=RECORDS, events=(replace(SENT, status=None),), reads=(READ, TIMED_OUT)),
        seen(records=RECORDS, events=(SENT,), reads=(READ, replace(READ, number=5))),
        seen(events=(replace(SENT, status=404),)),
    ],
    ids=["lost", "unseen", "two seen", "seen, and timed out", "never sent", "unknown"],
)
def test_an_event_that_is_not_seen_by_one_wait_is_reported(broken: Observed) -> None:
    """I13 reports an acknowledged event that is lost or unseen, and waits that see several."""
    assert one_wait(broken)
    assert not one_wait(replace(broken, forgotten=frozenset({ONE})))


def test_a_forgotten_wait_is_reported() -> None:
    """I14 reports a suspended execution without a time, or whose time has passed for long."""
    waits = record(phase=Phase.SUSPENDED, outcome=None, due_at=1010.0)
    assert not none_forgotten(seen(records=waits), now=1015.0, late=10.0)
    assert none_forgotten(seen(records=waits), now=1021.0, late=10.0)
    without = record(phase=Phase.SUSPENDED, outcome=None, due_at=None)
    assert none_forgotten(seen(records=without), now=1015.0, late=10.0)
    assert not none_forgotten(GOOD, now=9999.0, late=10.0)


def test_a_wait_that_holds_a_slot_is_reported() -> None:
    """I15 reports a suspended execution that a worker still holds."""
    waits = {"phase": Phase.SUSPENDED, "outcome": None, "due_at": 1010.0}
    assert holds_nothing(seen(records=record(worker="first", **waits)))
    assert not holds_nothing(seen(records=record(**waits)))
