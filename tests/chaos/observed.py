"""What was observed of a run from the outside: the input of the invariants.

To match `Entry` and `Record`, a block under test sends a different text in each message
(`f"{ctx.execution_id} {position}"`, for example) and, where tokens are reused, puts the id of its
execution into its result.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from tests.chaos.waits import ReadEvent, SentEvent
from vertexkit.journal.protocol import Record
from vertexkit.testing.platform.ledger import Entry

SEND, COMPLETE = "send_message", "complete"
NAME = re.compile(r"[0-9a-f]{22}")
"""An execution's id."""
NOT_CLAIMED = float("inf")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a block and its response, in the order of the responses."""

    token: str = field(repr=False)
    block: str
    status: int | None
    """None: there was no response."""
    execution: str = ""
    """The id in a 2xx response."""
    retry_after: str = ""
    """The response's header."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The options of a block."""

    on_unknown: str = "assume_sent"
    on_park: str = "complete"


@dataclass(frozen=True)
class Observed:
    """Everything that was observed. Empty fields are not checked."""

    calls: tuple[Call, ...]
    ledger: tuple[Entry, ...]
    """Of the fake platform."""
    records: tuple[Record, ...]
    """Of the journal."""
    logs: bytes = field(default=b"", repr=False)
    """Everything that the service wrote to stdout and stderr."""
    policies: Mapping[str, Policy] = field(default_factory=dict)
    """By block; the default for other blocks."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Further texts that must not be in the logs, in addition to tokens and messages."""
    starts: tuple[tuple[str, int], ...] = ()
    """Execution and attempt of each start of a handler."""
    waited: tuple[tuple[str, int], ...] = ()
    """Execution and attempt of each run that has come to a wait: it may continue in another run."""
    settled: tuple[str, ...] = ()
    """The execution of each event `settled`, in order."""
    forgotten: frozenset[str] = frozenset()
    """Parked executions that an operator dropped: their records are deleted."""
    afresh: frozenset[str] = frozenset()
    """Executions that an operator restarted with `--fresh`: they may send everything twice."""
    unique_tokens: bool = False
    events: tuple[SentEvent, ...] = ()
    reads: tuple[ReadEvent, ...] = ()
    """What waits have returned, in every run."""

    def policy(self, block: str) -> Policy:
        """Return the options of a block."""
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
        """The executions that were returned for each token, in the order of their first claims.

        Calls are not sorted by their times: of two calls at the same time, the journal of several
        workers may get the later one first.
        """
        found: dict[str, list[str]] = {}
        for call in self.calls:
            known = found.setdefault(call.token, [])
            if call.execution and call.execution not in known:
                known.append(call.execution)
        for known in found.values():
            known.sort(key=self._order)
        return found

    def _order(self, execution: str) -> tuple[float, float]:
        record = self.by_id.get(execution)
        if record is None:
            return 0.0, 0.0
        return record.claimed_at or NOT_CLAIMED, record.accepted_at

    @cached_property
    def silent(self) -> set[str]:
        """Tokens with a call that got no execution."""
        return {call.token for call in self.calls if not call.execution}

    @cached_property
    def _alone(self) -> dict[str, str]:
        """Tokens whose calls all got the same execution."""
        return {
            token: known[0]
            for token, known in self.generations.items()
            if len(known) == 1 and token not in self.silent
        }

    @cached_property
    def unlike(self) -> set[str]:
        """Tokens of executions whose journal does not contain all that they did."""
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
        """The token of each execution whose call was answered."""
        return {name: token for token, known in self.generations.items() for name in known}

    def owner(self, entry: Entry) -> str | None:
        """Return the execution that made a request; None if it is unknown."""
        named: set[str] = set(NAME.findall(entry.body.decode(errors="replace")))
        found = [name for name in named if name in self.by_id]
        if len(found) == 1:
            return found[0]
        if entry.method == SEND and len(records := self.by_digest.get(digest(entry), [])) == 1:
            return records[0].execution
        return self._alone.get(entry.token or "")


def digest(entry: Entry) -> str:
    """Return the digest that the journal stores of a message's text."""
    text = (entry.json or {}).get("text", "")
    return hashlib.sha256(str(text).encode()).hexdigest()[:16]


def entry_from(values: Mapping[str, Any]) -> Entry:
    """Return an entry from its JSON; its body is a text or a JSON object."""
    known = {f.name for f in fields(Entry)}
    values = {name: value for name, value in values.items() if name in known}
    body = values.get("body", b"")
    if not isinstance(body, bytes):
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        values["body"] = text.encode()
    values["violations"] = tuple(values.get("violations", ()))
    return Entry(**values)
