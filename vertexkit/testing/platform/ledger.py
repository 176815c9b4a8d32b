"""All that the fake platform was asked and what it answered, in order."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from vertexkit.testing.platform.tokens import fingerprint

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """One request. It shows itself without the token.

    Attributes:
        number: 1 for the first request, and so on.
        verb: the HTTP method.
        path: without the query.
        query: as it came, without the question mark.
        at: when it came, by the platform's clock.
        method: the platform's name of it, such as "send_message", or "unknown".
        token: None if there was none that could be read.
        activation: which of the token's activations it was for: 1 for the first; None if for none.
        body: the bytes that came.
        answer: the body that was answered, up to 4 KB, also where the caller did not get all.
        retry_after: the header of this name.
        fault: the ordered fault that hit it, in words.
        processed: the platform did what the request asks for.
        status: what was answered; None if nothing was, or not yet.
        delivered: the answer that the document promises left whole.
        answered_at: when it was over, by the platform's clock; None until then.
        violations: what was wrong with the request.
    """

    number: int
    verb: str
    path: str
    at: float
    query: str = ""
    method: str = UNKNOWN
    token: str | None = None
    activation: int | None = None
    body: bytes = b""
    answer: bytes = b""
    retry_after: str | None = None
    fault: str | None = None
    processed: bool = False
    status: int | None = None
    delivered: bool = False
    answered_at: float | None = None
    violations: tuple[str, ...] = ()

    @property
    def json(self) -> Any:
        """The body read as JSON, or None if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def __repr__(self) -> str:
        token = "" if self.token is None else f", token {fingerprint(self.token)}"
        content = self.json
        if isinstance(content, dict):
            content.pop("token", None)
            shown = json.dumps(content, ensure_ascii=False)
        else:
            shown = f"{len(self.body)} bytes"
        name = f"{self.verb} {self.path}" if self.method == UNKNOWN else self.method
        fate = "processed" if self.processed else "not processed"
        fault = f", fault: {self.fault}" if self.fault else ""
        answered = self.status or "no answer"
        return f"<{self.number} {name} {shown}{token}: {answered}, {fate}{fault}>"


class Ledger:
    """The entries, and who wants to hear of them.

    An entry is there from the request's first moment, and is replaced as its story goes on.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.violations: list[str] = []
        self._listeners: list[tuple[Callable[[Entry], object], bool]] = []

    def subscribe(self, callback: Callable[[Entry], object], arrivals: bool) -> None:
        """Call back with each entry that is over, and with those that arrive if asked for."""
        self._listeners.append((callback, arrivals))

    def tell(self, entry: Entry) -> None:
        """Call those who want to hear of this entry, as it is now."""
        for callback, arrivals in self._listeners:
            if arrivals or entry.answered_at is not None:
                callback(entry)


class Exchange:
    """One request while it is being answered: it writes its own line of the ledger."""

    def __init__(self, ledger: Ledger, verb: str, path: str, at: float, query: bytes) -> None:
        self._ledger = ledger
        self._index = len(ledger.entries)
        asked = query.decode("utf-8", "replace")
        ledger.entries.append(Entry(self._index + 1, verb, path, at, asked))
        self.withheld: Literal["all", "half"] | None = None
        """How much of the answer the caller will not get to see."""
        self.left = False
        """The caller went away before it was answered."""
        self.promised = True
        """What is answered is what the document promises, and no ordered fault."""

    @property
    def entry(self) -> Entry:
        """The line as it is now."""
        return self._ledger.entries[self._index]

    def note(self, **facts: Any) -> None:
        """Write these fields of the entry."""
        self._ledger.entries[self._index] = replace(self.entry, **facts)

    def violate(self, sentence: str) -> None:
        """Note that the request breaks the platform's rules."""
        self.note(violations=(*self.entry.violations, sentence))
        self._ledger.violations.append(f"request {self._index + 1}: {sentence}")

    def announce(self) -> None:
        """Tell those who listen of the entry as it is now."""
        self._ledger.tell(self.entry)
