"""I1 to I15: what must hold of every run, as pure functions of what was observed.

Each gives a list of violations in words; an empty one if the invariant holds. The tests of the
protocol, the chaos tests and the soak all judge by these. I5 to I7 are in `messages`; I10, I12 and
the part of I2 that needs a time are in `limits`, I13 to I15 in `waits`.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from pydantic_core import to_json

from tests.chaos.limits import Limits as Limits
from tests.chaos.limits import Stop as Stop
from tests.chaos.limits import bounded as bounded
from tests.chaos.limits import clean_stop as clean_stop
from tests.chaos.limits import progress as progress
from tests.chaos.messages import at_most_once as at_most_once
from tests.chaos.messages import confirmed_once as confirmed_once
from tests.chaos.messages import in_order as in_order
from tests.chaos.observed import COMPLETE, SEND, Observed
from tests.chaos.waits import holds_nothing as holds_nothing
from tests.chaos.waits import none_forgotten as none_forgotten
from tests.chaos.waits import one_wait as one_wait
from vertexkit.execution import OutcomeStatus, Phase
from vertexkit.journal.protocol import Record
from vertexkit.testing.platform.ledger import Entry

DATA_AT_FAULT = frozenset({400, 413, 415, 422})
"""Statuses after which a completion is tried with other data, once."""
SHORTEST = 6
"""Length of the shortest text that is searched for in the logs."""


def durable(seen: Observed) -> list[str]:
    """I1. Calls that were answered 2xx are in the journal; those answered 4xx are not."""
    wrongs = []
    for call in seen.calls:
        accepted = call.status is not None and 200 <= call.status < 300
        if accepted and call.execution not in seen.by_id.keys() | seen.forgotten:
            wrongs.append(
                f"I1: {call.execution or 'a call'} was answered {call.status}, and is not in the "
                "journal"
            )
    known = {call.execution for call in seen.calls}
    unknown = Counter(r.block for r in seen.records if r.execution not in known)
    unanswered = Counter(c.block for c in seen.calls if c.status is None or c.status >= 500)
    wrongs += [
        f"I1: {number} executions of {block} are in the journal without a 2xx, and only "
        f"{unanswered[block]} calls had no response or a 5xx"
        for block, number in unknown.items()
        if number > unanswered[block]
    ]
    return wrongs


def all_ended(seen: Observed) -> list[str]:
    """I2, at the end of a run: every execution has its outcome."""
    return [
        f"I2: {record.execution} has no outcome: it is {record.phase.value}"
        for record in seen.records
        if record.phase is not Phase.SETTLED
    ]


def one_outcome(seen: Observed) -> list[str]:
    """I3. An execution ends once, in a way that the platform can confirm."""
    wrongs = [
        f"I3: {name} is in the journal {number} times"
        for name, number in Counter(record.execution for record in seen.records).items()
        if number > 1
    ]
    for name, number in Counter(seen.settled).items():
        if number > 1 + _operator_retries(seen, name):
            wrongs.append(f"I3: {name} was settled {number} times")
    owned = _completions(seen)
    for record in seen.records:
        if (record.phase is Phase.SETTLED) is (record.outcome is None):
            wrongs.append(f"I3: {record.execution} is {record.phase.value}: {record.outcome}")
        if record.outcome is not None:
            wrong = _unconfirmed(seen, record, owned.get(record.execution, []))
            wrongs += [f"I3: {record.execution} {wrong}"] if wrong else []
    return wrongs


def _operator_retries(seen: Observed, name: str) -> int:
    """Return how often an operator has retried an execution; unlimited if it is not recorded."""
    record = seen.by_id.get(name)
    return (
        sum(event.name == "retried_by_operator" for event in record.history) if record else 1 << 30
    )


def _unconfirmed(seen: Observed, record: Record, own: Sequence[Entry]) -> str:
    """Return how the platform's ledger contradicts this outcome."""
    assert record.outcome is not None
    ending, by = record.outcome.status, record.outcome.confirmed_by
    token = seen.tokens.get(record.execution)
    tried = [entry for entry in seen.requests.get(token or "", []) if entry.method == COMPLETE]
    processed = any(entry.processed for entry in tried)
    if ending is OutcomeStatus.COMPLETED and by not in {"204", "403", "call"}:
        return f"is completed, and nothing has confirmed it ({by!r})"
    restarted = record.execution in seen.afresh
    if ending is OutcomeStatus.GONE and any(entry.processed for entry in own) and not restarted:
        return "is gone, and the platform has completed it"
    if token is None or token in seen.unlike:
        return ""
    if by == "204" and not processed:
        return "is completed by 204, and the platform has not completed it"
    if by == "403" and not any(entry.status == 403 for entry in tried):
        return "is completed by 403, and the platform has not responded 403"
    generations = seen.generations[token]
    silent = any(call.token == token and not call.execution for call in seen.calls)
    if by == "call" and record.execution == generations[-1] and not silent:
        return "is completed by the next call, and there was none"
    if ending is OutcomeStatus.GONE and not any(entry.status == 403 for entry in tried):
        return "is gone, and the platform has not responded 403"
    return ""


def _completions(seen: Observed) -> dict[str, list[Entry]]:
    """Return the completions of each execution, as far as they can be assigned."""
    found: dict[str, list[Entry]] = {}
    for entry in seen.ledger:
        if entry.method == COMPLETE and (owner := seen.owner(entry)) is not None:
            found.setdefault(owner, []).append(entry)
    return found


def one_result(seen: Observed) -> list[str]:
    """I4. Every completion request has the same bytes; one per activation is processed.

    A result may complete a later activation of the same token as well: they cannot be distinguished
    while the call of the later one has not arrived.
    """
    wrongs = []
    for execution, tries in _completions(seen).items():
        if execution in seen.afresh:
            continue
        bodies = list(dict.fromkeys(entry.body for entry in tries))
        refused = {entry.body for entry in tries if entry.status in DATA_AT_FAULT}
        if len(bodies) > 1 and (len(bodies) > 2 or bodies[0] not in refused):
            wrongs.append(f"I4: {execution} was completed with {len(bodies)} different results")
    for token, entries in seen.requests.items():
        activations = Counter(e.activation for e in entries if e.method == COMPLETE and e.processed)
        if any(number > 1 for number in activations.values()):
            known = ", ".join(seen.generations.get(token, [])) or "an unknown token"
            wrongs.append(f"I4: one activation was completed twice ({known})")
    return wrongs


def deduplicated(seen: Observed) -> list[str]:
    """I8. A repeated call starts nothing until the completion may have been sent.

    From then on it is a new execution (rule 7 of the guarantee), which starts when the old one
    has ended.
    """
    wrongs = [
        f"I8: run {attempt} of {name} was started {number} times"
        for (name, attempt), number in Counter(seen.starts).items()
        if number > 1 + _operator_retries(seen, name) + seen.waited.count((name, attempt))
    ]
    for known in seen.generations.values():
        found = [seen.by_id[name] for name in known if name in seen.by_id]
        for old, new in pairwise(found):
            name = f"I8: {new.execution} was accepted"
            if seen.unique_tokens:
                wrongs.append(f"{name}, and its token had been used by {old.execution}")
                continue
            revived = any(
                event.name == "retried_by_operator" for event in (*old.history, *new.history)
            )
            if revived or old.execution in seen.afresh or new.execution in seen.afresh:
                continue
            before = old.ended_at is not None and old.ended_at <= new.accepted_at
            if old.completion_tries == 0 and not before:
                wrongs.append(f"{name} while {old.execution} had not tried to complete")
            if new.claimed_at is not None and (old.ended_at or new.claimed_at + 1) > new.claimed_at:
                wrongs.append(f"I8: {new.execution} was started before {old.execution} had ended")
    return wrongs


def no_hang(seen: Observed) -> list[str]:
    """I9. Before an execution is parked, its block is completed as failed, or that is tried."""
    return [
        f"I9: {record.execution} is parked ({record.outcome.code}), and its dialog hangs"
        for record in seen.records
        if record.outcome is not None
        and record.outcome.status is OutcomeStatus.PARKED
        and record.outcome.code != "dropped"
        and record.completion_tries == 0
        and seen.policy(record.block).on_park != "leave"
    ]


def no_secret(seen: Observed) -> list[str]:
    """I11. The service's output contains neither tokens nor texts nor secrets."""
    texts = {str((e.json or {}).get("text", "")) for e in seen.ledger if e.method == SEND}
    known = {
        "a token": {call.token for call in seen.calls} | {e.token or "" for e in seen.ledger},
        "a message's text": {text for text in texts if len(text) >= SHORTEST},
        "a secret": set(seen.secrets),
    }
    return [
        f"I11: {what} is in the logs"
        for what, values in known.items()
        for value in values - {""}
        if any(form in seen.logs for form in _forms(value))
    ]


def _forms(value: str) -> set[bytes]:
    """Return the forms in which a text may be written."""
    return {value.encode(), to_json(value)[1:-1], ascii(value)[1:-1].encode()}


AT_THE_END = (
    durable,
    all_ended,
    one_outcome,
    one_result,
    confirmed_once,
    at_most_once,
    in_order,
    deduplicated,
    no_hang,
    no_secret,
    one_wait,
    holds_nothing,
)
"""Invariants that need nothing but what was observed."""


def check(seen: Observed) -> list[str]:
    """Return all violations at the end of a run, when every execution must have its outcome."""
    return [wrong for judge in AT_THE_END for wrong in judge(seen)]
