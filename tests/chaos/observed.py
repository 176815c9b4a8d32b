"""What was seen of a run, from the outside: values that the invariants judge.

For `Entry` and `Record` to be brought together, a block under test says something else in each of
its messages (`f"{ctx.execution_id} {position}"`, for example) and, where a token comes back, puts
the id of its execution into its result.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from vertexkit.execution import EffectState
from vertexkit.journal.base import Record
from vertexkit.testing.ledger import Entry

SEND, COMPLETE = "send_message", "complete"
NOBODY_KNOWS = frozenset({None, 500, 502, 504})
"""Statuses after which the caller cannot know whether its request was processed."""
DATA_AT_FAULT = frozenset({400, 413, 415, 422})
"""Statuses after which other data is tried, once."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a block's URL, and what it was answered. In the order of the answers."""

    token: str = field(repr=False)
    block: str
    status: int | None
    """None: there was no answer."""
    execution: str = ""
    """The id in the answer, where it is a 2xx."""
    retry_after: str = ""
    """The answer's header."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a block's author has said of it."""

    on_unknown: str = "assume_sent"
    on_park: str = "complete"


@dataclass(frozen=True, slots=True)
class Observed:
    """All that was seen. What is left empty is not judged."""

    calls: tuple[Call, ...]
    ledger: tuple[Entry, ...]
    """Of the fake platform."""
    records: tuple[Record, ...]
    """The journal's dump."""
    logs: bytes = field(default=b"", repr=False)
    """Everything that the service wrote to its outputs."""
    policies: Mapping[str, Policy] = field(default_factory=dict)
    """By block; the usual for those that are not there."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must not be in the logs, beside the tokens and the texts of the messages."""
    starts: tuple[tuple[str, int], ...] = ()
    """Execution and attempt of each start of a handler."""
    settled: tuple[str, ...] = ()
    """The execution of each event `settled`, in order."""
    forgotten: frozenset[str] = frozenset()
    """Executions that an operator dropped when they were parked: their records are gone."""
    afresh: frozenset[str] = frozenset()
    """Executions that an operator let begin anew: they may say everything twice."""
    unique_tokens: bool = False

    def policy(self, block: str) -> Policy:
        """Of this block."""
        return self.policies.get(block, Policy())

    @property
    def by_id(self) -> dict[str, Record]:
        """The records by execution."""
        return {record.execution: record for record in self.records}

    @property
    def generations(self) -> dict[str, list[str]]:
        """The executions of each token, in the order in which they were accepted."""
        found: dict[str, list[str]] = {}
        for call in self.calls:
            known = found.setdefault(call.token, [])
            if call.execution and call.execution not in known:
                known.append(call.execution)
        accepted = {record.execution: record.accepted_at for record in self.records}
        for known in found.values():
            known.sort(key=lambda execution: accepted.get(execution, 0.0))
        return found

    @property
    def clear(self) -> list[str]:
        """Tokens all of whose calls were answered 2xx, and none of whose stories is lost.

        Of the others it cannot be said which requests belong to which execution.
        """
        silent = {call.token for call in self.calls if not call.execution}
        lost = self.forgotten | self.afresh
        known = self.by_id.keys()
        return [
            token
            for token, executions in self.generations.items()
            if executions
            and not lost.intersection(executions)
            and known >= set(executions)
            and (token not in silent or len(executions) == 1)
        ]

    def requests(self, token: str, method: str = "") -> list[Entry]:
        """The ledger's entries of this token, in order."""
        methods = (method,) if method else (SEND, COMPLETE)
        return [each for each in self.ledger if each.token == token and each.method in methods]

    def owner(self, entry: Entry, executions: Iterable[str]) -> str | None:
        """Which of these executions of a token made this request; None if nobody can tell."""
        candidates = list(executions)
        if len(candidates) == 1:
            return candidates[0]
        if entry.method == SEND:
            own = digest(entry)
            found = [e for e in candidates if own in sends_of(self.by_id[e])]
        else:
            found = [e for e in candidates if e.encode() in entry.body]
        return found[0] if len(found) == 1 else None


def digest(entry: Entry) -> str:
    """What the journal keeps of a message's text."""
    text = (entry.json or {}).get("text", "")
    return hashlib.sha256(str(text).encode()).hexdigest()[:16]


def sends_of(record: Record) -> dict[str, int]:
    """The position of each message that an execution has journalled, by its text's digest."""
    return {each.digest: each.position for each in record.effects if each.kind == "send"}


def states_of(records: Iterable[Record]) -> dict[str, Counter[EffectState]]:
    """How many messages with this digest there are in each state."""
    found: dict[str, Counter[EffectState]] = {}
    for record in records:
        for effect in record.effects:
            if effect.kind == "send":
                found.setdefault(effect.digest, Counter())[effect.state] += 1
    return found


def entry_from(told: Mapping[str, Any]) -> Entry:
    """An entry from its JSON; a body comes as text."""
    known = {each.name for each in fields(Entry)}
    values = {name: value for name, value in told.items() if name in known}
    body = values.get("body", b"")
    if not isinstance(body, bytes):
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        values["body"] = text.encode()
    values["violations"] = tuple(values.get("violations", ()))
    return Entry(**values)
