"""What was seen of a run, from the outside: values that the invariants judge.

For `Entry` and `Record` to be brought together, a block under test says something else in each of
its messages (`f"{ctx.execution_id} {position}"`, for example) and, where a token comes back, puts
the id of its execution into its result.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from vertexkit.journal.protocol import Record
from vertexkit.testing.platform.ledger import Entry

SEND, COMPLETE = "send_message", "complete"
NAME = re.compile(r"[0-9a-f]{22}")
"""An execution's id."""


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


@dataclass(frozen=True)
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

    @cached_property
    def by_id(self) -> dict[str, Record]:
        """The records by execution."""
        return {record.execution: record for record in self.records}

    @cached_property
    def by_digest(self) -> dict[str, list[Record]]:
        """The records by the digest of each message that they have journalled."""
        found: dict[str, list[Record]] = {}
        for record in self.records:
            for effect in record.effects:
                if effect.kind == "send":
                    found.setdefault(effect.digest, []).append(record)
        return found

    @cached_property
    def generations(self) -> dict[str, list[str]]:
        """The executions that were told for each token, the oldest first."""
        found: dict[str, list[str]] = {}
        for call in self.calls:
            known = found.setdefault(call.token, [])
            if call.execution and call.execution not in known:
                known.append(call.execution)
        for known in found.values():
            known.sort(key=self._accepted)
        return found

    def _accepted(self, execution: str) -> float:
        return self.by_id[execution].accepted_at if execution in self.by_id else 0.0

    @cached_property
    def silent(self) -> set[str]:
        """Tokens of which a call was not answered with an execution."""
        return {call.token for call in self.calls if not call.execution}

    @cached_property
    def _alone(self) -> dict[str, str]:
        """Tokens of which every call was answered with one and the same execution."""
        return {
            token: known[0]
            for token, known in self.generations.items()
            if len(known) == 1 and token not in self.silent
        }

    @cached_property
    def unlike(self) -> set[str]:
        """Tokens of executions whose journal does not tell all that they did."""
        lost = self.forgotten | self.afresh
        return {token for token, known in self.generations.items() if lost.intersection(known)}

    @cached_property
    def requests(self) -> dict[str, list[Entry]]:
        """The ledger's entries of each token, in order."""
        found: dict[str, list[Entry]] = {}
        for entry in self.ledger:
            if entry.token is not None and entry.method in (SEND, COMPLETE):
                found.setdefault(entry.token, []).append(entry)
        return found

    @cached_property
    def tokens(self) -> dict[str, str]:
        """The token of each execution, as far as calls were answered."""
        return {name: token for token, known in self.generations.items() for name in known}

    def owner(self, entry: Entry) -> str | None:
        """Which execution made this request; None if nobody can tell."""
        named: set[str] = set(NAME.findall(entry.body.decode(errors="replace")))
        found = [name for name in named if name in self.by_id]
        if len(found) == 1:
            return found[0]
        if entry.method == SEND and len(records := self.by_digest.get(digest(entry), [])) == 1:
            return records[0].execution
        return self._alone.get(entry.token or "")


def digest(entry: Entry) -> str:
    """What the journal keeps of a message's text."""
    text = (entry.json or {}).get("text", "")
    return hashlib.sha256(str(text).encode()).hexdigest()[:16]


def entry_from(told: Mapping[str, Any]) -> Entry:
    """An entry from its JSON. A body may be told as text or as the object that it holds."""
    known = {each.name for each in fields(Entry)}
    values = {name: value for name, value in told.items() if name in known}
    body = values.get("body", b"")
    if not isinstance(body, bytes):
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        values["body"] = text.encode()
    values["violations"] = tuple(values.get("violations", ()))
    return Entry(**values)
