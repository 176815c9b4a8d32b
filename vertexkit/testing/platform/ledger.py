"""The record of all requests that the fake platform received and of its responses, in order."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from vertexkit.testing.platform.tokens import fingerprint

UNKNOWN_METHOD = "unknown"


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """One request and its response. Its `repr` shows the token's fingerprint only.

    Attributes:
        number: 1 for the first request, and so on.
        verb: the HTTP method.
        path: without the query.
        query: the raw query, without the question mark.
        at: time of arrival, in seconds of the platform's clock.
        method: the platform's name of the method, such as "send_message", or "unknown".
        token: None if the request held no readable token.
        activation: the number of the token's activation that the request was for, from 1; None if
            it was for none.
        body: the raw request body.
        answer: the response body, up to 4 KiB, also where the client did not receive all of it.
        retry_after: the response's `Retry-After` header.
        fault: a description of the fault that hit the request.
        processed: the platform did what the request asked for.
        status: the response's status; None if there was no response, or not yet.
        delivered: the documented response was sent in full.
        answered_at: when the exchange ended, in seconds of the platform's clock; None until then.
        violations: what was wrong with the request, one sentence for each problem.
    """

    number: int
    verb: str
    path: str
    at: float
    query: str = ""
    method: str = UNKNOWN_METHOD
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
        """The body parsed as JSON; None if it is not valid JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def __repr__(self) -> str:
        token = "" if self.token is None else f", token {fingerprint(self.token)}"
        content = self.json
        if isinstance(content, dict):
            content.pop("token", None)
            payload = json.dumps(content, ensure_ascii=False)
        else:
            payload = f"{len(self.body)} bytes"
        name = f"{self.verb} {self.path}" if self.method == UNKNOWN_METHOD else self.method
        processed = "processed" if self.processed else "not processed"
        fault = f", fault: {self.fault}" if self.fault else ""
        status = self.status or "no response"
        return f"<{self.number} {name} {payload}{token}: {status}, {processed}{fault}>"


class Ledger:
    """The entries and violations so far, and the subscribers to them.

    An entry is added when its request arrives, and is replaced as the exchange proceeds.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.violations: list[str] = []
        self._subscribers: list[tuple[Callable[[Entry], object], bool]] = []

    def subscribe(self, callback: Callable[[Entry], object], arrivals: bool) -> None:
        """Call back with each finished entry and, with `arrivals`, with each new one as well."""
        self._subscribers.append((callback, arrivals))

    def notify(self, entry: Entry) -> None:
        """Call the subscribers with an entry in its present state."""
        for callback, arrivals in self._subscribers:
            if arrivals or entry.answered_at is not None:
                callback(entry)


class Exchange:
    """One request while it is being served: it keeps its own entry of the ledger up to date.

    Attributes:
        withheld: how much of the response is kept from the client.
        client_left: the client disconnected before it had the response.
        as_documented: the response is what the document describes, not an ordered fault.
    """

    def __init__(self, ledger: Ledger, verb: str, path: str, at: float, query: bytes) -> None:
        self._ledger = ledger
        self._index = len(ledger.entries)
        text = query.decode("utf-8", "replace")
        ledger.entries.append(Entry(self._index + 1, verb, path, at, text))
        self.withheld: Literal["all", "half"] | None = None
        self.client_left = False
        self.as_documented = True

    @property
    def entry(self) -> Entry:
        """The entry in its present state."""
        return self._ledger.entries[self._index]

    def update(self, **fields: Any) -> None:
        """Set fields of the entry."""
        self._ledger.entries[self._index] = replace(self.entry, **fields)

    def add_violation(self, sentence: str) -> None:
        """Record that the request breaks the platform's rules."""
        self.update(violations=(*self.entry.violations, sentence))
        self._ledger.violations.append(f"request {self._index + 1}: {sentence}")

    def notify(self) -> None:
        """Call the ledger's subscribers with the entry in its present state."""
        self._ledger.notify(self.entry)
