"""Each invariant reports a violation made by run."""

from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.good_run import (
    BLOCK,
    CALL,
    DONE,
    GOOD,
    LEDGER,
    ONE,
    PARKED,
    RECORD,
    TOKEN,
    TWO,
    complete,
    effect,
    record,
    seen,
    send,
    text,
)
from tests.chaos.invariants import (
    Limits,
    Stop,
    all_ended,
    bounded,
    check,
    clean_stop,
    deduplicated,
    durable,
    no_hang,
    no_secret,
    one_outcome,
    one_result,
    progress,
)
from tests.chaos.observed import Call, Observed, Policy, entry_from
from vertexkit.execution import Outcome, OutcomeStatus, Phase
from vertexkit.journal.protocol import HistoryEvent
from vertexkit.testing.platform.ledger import Entry


def test_a_good_run_breaks_nothing() -> None:
    """Two messages and a completion, each once: no invariant is violated."""
    assert check(GOOD) == []


def test_a_good_run_of_a_token_that_comes_back_breaks_nothing() -> None:
    """The platform calls again before it answers the completion: two executions, both done."""
    old = replace(RECORD, outcome=replace(DONE, confirmed_by="call"))
    new = replace(
        RECORD,
        execution=TWO,
        accepted_at=1002.5,
        claimed_at=1003.0,
        completion_tried_at=1004.0,
        ended_at=1005.0,
        effects=(effect(0, execution=TWO),),
    )
    again = (send(4, 0, execution=TWO), complete(5, execution=TWO))
    ledger = (*LEDGER, *(replace(entry, activation=2) for entry in again))
    calls = (CALL, CALL, Call(TOKEN, BLOCK, 200, TWO))
    assert check(seen(calls=calls, ledger=ledger, records=(new, old))) == []


@pytest.mark.parametrize(
    "broken",
    [
        seen(records=(), ledger=()),
        seen(calls=(CALL, Call("another", BLOCK, 202, TWO))),
        seen(calls=(Call(TOKEN, BLOCK, 422),)),
        seen(
            calls=(CALL, Call("another", "story", None)), records=(RECORD, *record(execution=TWO))
        ),
    ],
    ids=["lost", "one lost", "refused and kept", "unanswered, but another's"],
)
def test_what_was_acknowledged_and_is_not_there_is_seen(broken: Observed) -> None:
    """I1 reports a 2xx without a row, and a row without a call that may have made it."""
    assert durable(broken)


def test_a_call_without_an_answer_may_be_in_the_journal_or_not() -> None:
    """I1 ignores calls that were cut off or answered 5xx."""
    for status in (None, 500, 503):
        calls = (Call(TOKEN, BLOCK, status, retry_after="1"),)
        assert not durable(seen(calls=calls))
        assert not durable(seen(calls=calls, records=()))


def test_an_operators_drop_is_no_loss() -> None:
    """I1 ignores executions that an operator has deleted."""
    assert not durable(seen(records=(), forgotten=frozenset({ONE})))


@pytest.mark.parametrize(
    "stuck",
    [
        {"phase": Phase.RUNNING},
        {"phase": Phase.COMPLETING},
        {"phase": Phase.WAITING, "due_at": 99_999.0},
        {"phase": Phase.WAITING, "accepted_at": 10.0},
    ],
)
def test_what_gets_nowhere_is_seen(stuck: dict[str, Any]) -> None:
    """I2 reports a row without a worker, one that is due too late, and one that takes too long."""
    broken = seen(records=record(outcome=None, **stuck))
    assert len(progress(broken, now=1010.0, within=600.0, pause=60.0)) == 1
    assert all_ended(broken)


def test_what_goes_on_is_let_alone() -> None:
    """I2 accepts a row that is held, due soon, or settled."""
    for changed in (
        {"phase": Phase.RUNNING, "worker": "first", "outcome": None},
        {"phase": Phase.WAITING, "due_at": 1020.0, "outcome": None},
        {},
    ):
        moment = seen(records=record(**changed))
        assert not progress(moment, now=1010.0, within=600.0, pause=60.0)


@pytest.mark.parametrize(
    "broken",
    [
        seen(records=(RECORD, RECORD)),
        seen(settled=(ONE, ONE)),
        seen(records=record(outcome=None)),
        seen(records=record(phase=Phase.RUNNING)),
        seen(records=record(outcome=Outcome(OutcomeStatus.COMPLETED))),
        seen(ledger=LEDGER[:2]),
        seen(records=record(outcome=replace(DONE, confirmed_by="403"))),
        seen(records=record(outcome=replace(DONE, confirmed_by="call"))),
        seen(records=record(outcome=Outcome(OutcomeStatus.GONE))),
        seen(ledger=LEDGER[:2], records=record(outcome=Outcome(OutcomeStatus.GONE))),
    ],
    ids=[
        "two rows",
        "settled twice",
        "settled without",
        "outcome, and running",
        "confirmed by nothing",
        "no completion",
        "no 403",
        "no next call",
        "gone, and completed",
        "gone, and never refused",
    ],
)
def test_an_outcome_that_is_not_one_is_seen(broken: Observed) -> None:
    """I3 reports a second outcome, and one that the platform's ledger contradicts."""
    assert one_outcome(broken)


def test_what_an_operator_took_up_again_may_end_again() -> None:
    """I3 accepts one more outcome for each retry by an operator."""
    revived = record(history=(HistoryEvent(1002.0, "retried_by_operator"),))
    assert not one_outcome(seen(settled=(ONE, ONE), records=revived))


@pytest.mark.parametrize(
    "tries",
    [
        (complete(3, None), complete(4, monthly=1)),
        (complete(3), complete(4)),
        (complete(3), complete(4, execution=TWO)),
        (complete(3, 400), complete(4, 400, more=1), complete(5, more=2)),
    ],
    ids=["other bytes", "done twice", "activation done twice", "three results"],
)
def test_a_second_result_is_seen(tries: tuple[Entry, ...]) -> None:
    """I4 reports different bytes in another request, and a completion that was processed twice."""
    assert one_result(seen(ledger=tries))


def test_a_result_that_was_refused_may_be_followed_by_one_other() -> None:
    """I4 accepts a failure after the platform rejected the data."""
    tries = (complete(3, None), complete(4, 413), complete(5, monthly=1))
    assert not one_result(seen(ledger=tries))


def test_calls_that_started_too_much_are_seen() -> None:
    """I8 reports a run that was started twice, and a new execution before a completion request."""
    assert deduplicated(seen(starts=((ONE, 1), (ONE, 1))))
    assert not deduplicated(seen(starts=((ONE, 1), (ONE, 1)), waited=((ONE, 1),)))
    new = replace(RECORD, execution=TWO, accepted_at=1001.5, claimed_at=1004.0)
    calls = (CALL, Call(TOKEN, BLOCK, 200, TWO))
    untried = replace(RECORD, completion_tries=0)
    assert deduplicated(seen(calls=calls, records=(untried, new)))
    early = replace(new, claimed_at=1002.5)
    assert deduplicated(seen(calls=calls, records=(RECORD, early)))
    assert not deduplicated(seen(calls=calls, records=(RECORD, new)))
    assert deduplicated(seen(calls=calls, records=(RECORD, new), unique_tokens=True))


def test_a_parked_execution_whose_dialog_hangs_is_seen() -> None:
    """I9 reports a parked execution without a completion request, unless its block has on_park=leave."""
    broken = seen(records=record(outcome=PARKED, completion_tries=0))
    assert no_hang(broken)
    assert not no_hang(replace(broken, policies={BLOCK: Policy(on_park="leave")}))
    assert not no_hang(seen(records=record(outcome=PARKED)))


def test_too_many_at_once_are_seen() -> None:
    """I10 reports each limit that is exceeded, and a rejection without a Retry-After."""
    running = record(phase=Phase.RUNNING, outcome=None) * 3
    waiting = record(phase=Phase.WAITING, outcome=None) * 2
    moment = seen(records=(*running, *waiting))
    assert not bounded(moment, Limits(3, 2, {BLOCK: 3}))
    for tight in (Limits(2, 2, {}), Limits(3, 1, {}), Limits(3, 2, {BLOCK: 2})):
        assert len(bounded(moment, tight)) == 1
    assert bounded(seen(calls=(Call(TOKEN, BLOCK, 503),)), Limits(9, 9, {}))


@pytest.mark.parametrize(
    "logs", [TOKEN, text(1), "pass\\u0439word", "пароль"], ids=["token", "text", "escaped", "plain"]
)
def test_a_secret_in_the_logs_is_seen(logs: str) -> None:
    """I11 reports tokens, texts and secrets, escaped or not, without repeating them."""
    broken = seen(logs=f"INFO {logs} logged\n".encode(), secrets=("passйword", "пароль"))
    [wrong] = no_secret(broken)
    assert logs not in wrong
    assert not no_secret(seen(logs=b"INFO claimed execution=" + ONE.encode()))


def test_a_stop_that_is_not_clean_is_seen() -> None:
    """I12 reports a claim after the signal, an effect after the grace period, and a late end."""
    stop = Stop(asked_at=1010.0, ended_at=1016.0, grace=5.0, spare=2.0)
    late = replace(effect(1), began=1015.5)
    assert not clean_stop(GOOD, stop)
    assert clean_stop(seen(records=record(claimed_at=1010.5)), stop)
    assert clean_stop(seen(records=record(history=(HistoryEvent(1011.0, "claimed"),))), stop)
    assert clean_stop(seen(records=record(effects=(late,))), stop)
    assert clean_stop(GOOD, replace(stop, ended_at=1018.0))


def test_an_entry_is_read_back_from_its_json() -> None:
    """The printed ledger of a fake platform in another process can be checked too."""
    entry = send(1, 0)
    printed = {"number": 1, "verb": "POST", "path": "/api/send_message", "at": 1.0, "status": 200}
    printed |= {
        "method": "send_message",
        "token": TOKEN,
        "activation": 1,
        "processed": True,
        "more": 0,
    }
    assert entry_from(printed | {"body": entry.body.decode()}) == entry
    assert entry_from(printed | {"body": entry.json}).json == entry.json
