"""What may be asked of a journal over a socket, and how it is answered: in JSON."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from vertexkit.errors import (
    Fenced,
    JournalError,
    JournalUnavailable,
    OperationNotAllowed,
    QueueFull,
)
from vertexkit.journal.protocol import Journal
from vertexkit.journal.shared import encoding

VERSION = 1
"""Of what is said over the socket; both ends have the same."""
NEWS = 0
"""Stands where an answer has the number of its question."""
STATE, READY, BROKE = "state", "ready", "broke"
"""News: how the journal is; there may be something to claim; it cannot be written any more."""
CLAIM = "claim"
REPORT, FIGURES = "report", "figures"
"""News that asks a process for its figures, and is the answer to that; the question for all."""
ERRORS = {
    error.__name__: error
    for error in (OperationNotAllowed, Fenced, JournalError, JournalUnavailable, QueueFull)
}
"""What the journal may raise at the other end."""


async def _hello(journal: Journal) -> list[Any]:
    return [VERSION, journal.durability, journal.durable]


async def _accept(journal: Journal, execution: list[Any], room: int) -> list[Any]:
    acceptance = await journal.accept(encoding.to_execution(execution), room)
    return [acceptance.execution, acceptance.new, acceptance.supersedes]


async def _claim(
    journal: Journal, worker: str, room: Mapping[str, int], limit: int, early: bool
) -> list[Any]:
    leases = await journal.claim(worker, room, limit, early=early)
    return [encoding.from_lease(lease) for lease in leases]


async def _renew(journal: Journal, worker: str, executions: list[str]) -> list[Any]:
    renewal = await journal.renew(worker, executions)
    return [list(renewal.lost), list(renewal.superseded)]


async def _release_worker(journal: Journal, worker: str) -> None:
    journal.release_worker(worker)


async def _record_intent(journal: Journal, lease: list[Any], effect: list[Any]) -> None:
    await journal.record_intent(encoding.to_proof(lease), encoding.to_effect(effect))


async def _record_effect(journal: Journal, lease: list[Any], effect: list[Any]) -> None:
    await journal.record_effect(encoding.to_proof(lease), encoding.to_effect(effect))


async def _record_result(
    journal: Journal, lease: list[Any], result: list[Any], completing: bool
) -> None:
    fixed = encoding.to_result(result)
    await journal.record_result(encoding.to_proof(lease), fixed, completing=completing)


async def _begin_completion(journal: Journal, lease: list[Any]) -> bool:
    return await journal.begin_completion(encoding.to_proof(lease))


async def _withdraw_completion(journal: Journal, lease: list[Any]) -> None:
    await journal.withdraw_completion(encoding.to_proof(lease))


async def _release(journal: Journal, lease: list[Any], after: float, why: str) -> None:
    await journal.release(encoding.to_proof(lease), after, why)


async def _settle(journal: Journal, lease: list[Any], outcome: list[Any]) -> None:
    await journal.settle(encoding.to_proof(lease), encoding.to_outcome(outcome))


async def _find(journal: Journal, execution: str) -> dict[str, Any] | None:
    record = await journal.find(execution)
    return None if record is None else encoding.from_record(record)


async def _search(journal: Journal, query: dict[str, Any]) -> list[Any]:
    return [encoding.from_record(each) for each in await journal.search(encoding.to_query(query))]


async def _retry(journal: Journal, execution: str, fresh: bool) -> dict[str, Any]:
    return encoding.from_record(await journal.retry(execution, fresh=fresh))


async def _drop(journal: Journal, execution: str) -> dict[str, Any]:
    return encoding.from_record(await journal.drop(execution))


QUESTIONS: Mapping[str, Callable[..., Awaitable[Any]]] = {
    "hello": _hello,
    "accept": _accept,
    CLAIM: _claim,
    "renew": _renew,
    "release_worker": _release_worker,
    "record_intent": _record_intent,
    "record_effect": _record_effect,
    "record_result": _record_result,
    "begin_completion": _begin_completion,
    "withdraw_completion": _withdraw_completion,
    "release": _release,
    "settle": _settle,
    "find": _find,
    "search": _search,
    "retry": _retry,
    "drop": _drop,
}
"""By name; each takes the journal and what was said after the name."""
