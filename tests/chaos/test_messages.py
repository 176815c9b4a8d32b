"""Each invariant of messages reports a violation made by run."""

from dataclasses import replace

import pytest

from tests.chaos.good_run import BLOCK, LEDGER, ONE, complete, effect, record, seen, send
from tests.chaos.invariants import at_most_once, confirmed_once, in_order
from tests.chaos.observed import Observed, Policy
from vertexkit.testing.platform.ledger import Entry


@pytest.mark.parametrize(
    "ledger",
    [
        (*LEDGER[:2], send(3, 1), complete(4)),
        (LEDGER[0], complete(2)),
    ],
    ids=["twice", "never"],
)
def test_a_confirmed_message_that_was_not_sent_once_is_seen(ledger: tuple[Entry, ...]) -> None:
    """I5 reports a message that was processed twice, or never."""
    assert confirmed_once(seen(ledger=ledger))


def test_a_message_that_counts_as_sent_may_not_have_been() -> None:
    """I5 requires of a message without an id only that it was not sent twice."""
    assumed = record(effects=(effect(0, message_id=None),))
    for ledger in ((complete(3),), (send(1, 0), complete(3))):
        assert not confirmed_once(seen(records=assumed, ledger=ledger))
    assert confirmed_once(seen(records=assumed, ledger=(send(1, 0), send(2, 0))))


@pytest.mark.parametrize(
    "broken, policy",
    [
        (seen(ledger=(send(1, 0), send(2, 1, None), send(3, 1))), "assume_sent"),
        (seen(ledger=(send(1, 0), send(2, 1, 502), send(3, 1, 502))), "park"),
        (seen(records=record(effects=())), "raise"),
        (seen(records=record(effects=(effect(0),))), "assume_sent"),
    ],
    ids=["again after no answer", "again after 502", "no intents", "one without an intent"],
)
def test_a_message_that_may_have_gone_out_twice_is_seen(broken: Observed, policy: str) -> None:
    """I6 reports every way of sending more than was intended."""
    assert at_most_once(replace(broken, policies={BLOCK: Policy(policy)}))


def test_a_message_may_go_out_again_where_that_is_safe_or_asked_for() -> None:
    """I6 accepts a repeated request after a rejection, and resending if the block has that option."""
    refused = seen(ledger=(send(1, 0), send(2, 1, 429), send(3, 1, 503), send(4, 1)))
    assert not at_most_once(refused)
    again = seen(ledger=(send(1, 0), send(2, 1, None), send(3, 1)))
    assert not at_most_once(replace(again, policies={BLOCK: Policy("resend")}))
    assert not at_most_once(replace(again, afresh=frozenset({ONE})))


def test_a_message_may_be_replaced_by_what_a_later_run_did() -> None:
    """I6 accepts one without an intent only if it is of unknown fate, and its block resends."""
    resends = {BLOCK: Policy("resend")}
    crashed = record(effects=(effect(0),), attempts=2)
    ledger = (send(1, 1, None), send(2, 0), complete(3))
    assert not at_most_once(seen(records=crashed, ledger=ledger, policies=resends))
    assert at_most_once(seen(records=crashed, ledger=ledger))
    first_run = record(effects=(effect(0),))
    assert at_most_once(seen(records=first_run, ledger=ledger, policies=resends))
    assert at_most_once(seen(records=crashed, ledger=LEDGER, policies=resends))


@pytest.mark.parametrize(
    "ledger",
    [
        (send(1, 1), send(2, 0), complete(3)),
        (send(1, 0), complete(2, None), send(3, 1), complete(4)),
        (complete(1, None), send(2, 0), send(3, 1), complete(4)),
    ],
    ids=["other order", "after a completion", "all after a completion"],
)
def test_messages_in_another_order_are_seen(ledger: tuple[Entry, ...]) -> None:
    """I7 reports a message before an earlier one, and one after a completion request."""
    assert in_order(seen(ledger=ledger))
