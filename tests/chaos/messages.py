"""I5 to I7: what must hold of the messages, as pure functions of what was observed."""

from collections import Counter
from collections.abc import Iterable

from pydantic_core import from_json

from tests.chaos.observed import COMPLETE, SEND, Observed, digest
from vertexkit.execution import Effect, EffectState
from vertexkit.journal.protocol import Record
from vertexkit.testing.platform.ledger import Entry

OUTCOME_UNKNOWN = frozenset({None, 500, 502, 504})
"""Statuses after which it is unknown whether a request was processed."""


def confirmed_once(seen: Observed) -> list[str]:
    """I5. A message that the platform confirmed has been sent exactly once.

    Where its block resends, an earlier request of unknown fate may have been processed as well.
    """
    wrongs = []
    processed = Counter(digest(e) for e in seen.ledger if e.method == SEND and e.processed)
    for own, records in seen.by_digest.items():
        effects = _effects(records, own)
        if any(record.execution in seen.afresh for record in records):
            continue
        confirmed = sum(effect.state is EffectState.CONFIRMED for effect in effects)
        numbered = sum(map(_numbered, effects))
        where = f"message {effects[0].position} of {records[0].execution}"
        if processed[own] < numbered:
            wrongs.append(f"I5: {where} is confirmed, and the platform has not processed it")
        again = any(seen.policy(record.block).on_unknown == "resend" for record in records)
        if not again and confirmed == len(effects) and processed[own] > confirmed:
            wrongs.append(f"I5: {where} is confirmed, and was processed {processed[own]} times")
    return wrongs


def _effects(records: Iterable[Record], own: str) -> list[Effect]:
    unique = {record.execution: record for record in records}.values()
    return [e for r in unique for e in r.effects if e.kind == "send" and e.digest == own]


def _numbered(effect: Effect) -> bool:
    """Return whether the platform has returned the message's id; an assumed one has none."""
    if effect.state is not EffectState.CONFIRMED:
        return False
    return from_json(effect.value or b"{}").get("message_id") is not None


def at_most_once(seen: Observed) -> list[str]:
    """I6. Unless its block resends, a message is sent at most once, after its intent."""
    wrongs = []
    out = Counter(digest(e) for e in seen.ledger if e.method == SEND and _may_be_out(e))
    first = {digest(e): e for e in reversed(seen.ledger) if e.method == SEND}
    for own, entry in first.items():
        if entry.token in seen.unlike:
            continue
        records = seen.by_digest.get(own, [])
        if any(seen.policy(record.block).on_unknown == "resend" for record in records):
            continue
        intended = len(_effects(records, own))
        name = records[0].execution if records else seen.owner(entry) or "an unknown execution"
        if not intended:
            if not _is_replaced(seen, entry, seen.by_id.get(name)):
                wrongs.append(
                    f"I6: request {entry.number} sent a message of {name} without an intent"
                )
        elif out[own] > intended:
            wrongs.append(f"I6: a message of {name} was sent {out[own]} times (by {entry.number})")
    return wrongs


def _is_replaced(seen: Observed, entry: Entry, record: Record | None) -> bool:
    """Return whether another message may have replaced this one in the journal, with its intent.

    That happens where its block resends: after a crash, a later run did something else in the
    place of a message of unknown fate (`effect_changed`).
    """
    return (
        record is not None
        and record.attempts > 1
        and entry.status in OUTCOME_UNKNOWN
        and seen.policy(record.block).on_unknown == "resend"
        and any(effect.kind == "send" for effect in record.effects)
    )


def _may_be_out(entry: Entry) -> bool:
    return entry.processed or entry.status in OUTCOME_UNKNOWN


def _known_entries(seen: Observed, token: str, entries: list[Entry]) -> list[Entry]:
    """Remove completions of executions whose call got no response."""
    known = set(seen.generations.get(token, []))
    silent = token in seen.silent
    return [
        entry
        for entry in entries
        if entry.method != COMPLETE
        or (owner := seen.owner(entry)) in known
        or (owner is None and not silent)
    ]


def _late(entry: Entry, record: Record, effect: Effect) -> bool:
    """Return whether a worker that was frozen after its intent sent it.

    Such a request cannot be prevented. Its outcome is unknown, and the platform rejects it.
    """
    frozen = any(event.name == "lease_expired" for event in record.history)
    return frozen and effect.state is EffectState.UNKNOWN and not entry.processed


def _first_rejections(seen: Observed) -> dict[str, int]:
    """Return the number of the first request that the platform has rejected of each message."""
    return {
        digest(entry): entry.number
        for entry in reversed(seen.ledger)
        if entry.method == SEND and not entry.processed and 400 <= (entry.status or 0) < 500
    }


def in_order(seen: Observed) -> list[str]:
    """I7. Messages are processed in order, and none after a completion.

    A message that the platform has rejected is sent again by a later run of the handler, perhaps
    after later ones.
    """
    wrongs = []
    rejected = _first_rejections(seen)
    for token, entries in seen.requests.items():
        if token in seen.unlike:
            continue
        line = {name: at for at, name in enumerate(seen.generations.get(token, []))}
        current, complete, last = 0, -1, -1
        for entry in _known_entries(seen, token, entries):
            owner = seen.owner(entry)
            if entry.method == COMPLETE:
                current = max(current, line.get(owner or "", 0))
                complete = max(complete, current)
                continue
            records = [seen.by_id[owner]] if owner in seen.by_id else []
            effects = _effects(records, digest(entry))
            if len(effects) != 1 or owner not in line:
                continue
            if line[owner] <= complete and not _late(entry, records[0], effects[0]):
                wrongs.append(f"I7: request {entry.number} of {owner} came after its completion")
            if line[owner] > current:
                current, last = line[owner], -1
            was_rejected = rejected.get(digest(entry), entry.number) < entry.number
            if entry.processed and line[owner] == current and not was_rejected:
                again = seen.policy(records[0].block).on_unknown == "resend"
                if effects[0].position < last + (not again):
                    wrongs.append(
                        f"I7: {owner}: message {effects[0].position} came after message {last}"
                    )
                last = max(last, effects[0].position)
    return wrongs
