"""The journal's methods as the server offers them to its clients: JSON in, JSON out."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from vertexkit.errors import (
    Fenced,
    JournalError,
    JournalUnavailable,
    OperationNotAllowed,
    QueueFull,
)
from vertexkit.journal.dialog_memory import DialogKey
from vertexkit.journal.protocol import JournalBackend
from vertexkit.journal.shared import encoding

VERSION = 6
"""Of the messages on the socket; both ends must have the same."""
NOTIFICATION = 0
"""Takes the place of a request's number in messages that expect no response.

A response is the request's number and the value, and after it the class and the text of an error if
there is one. A response without a value is the number alone.
"""
STATUS, READY, LOST = "status", "ready", "lost"
"""Notifications of the server: the journal's status; an execution may be claimable; the journal
cannot be written any more."""
ACCEPT, CLAIM, SETTLE, RELEASE_WORKER = "accept", "claim", "settle", "release_worker"
RECORD_INTENT, RECORD_EFFECT, RECORD_RESULT = "record_intent", "record_effect", "record_result"
FREQUENT = frozenset({ACCEPT, CLAIM, RECORD_INTENT, RECORD_EFFECT, RECORD_RESULT, SETTLE})
"""Methods that every execution needs. They wait for futures only, so they run without a task."""
RECORDS_AT_A_TIME = 200
"""Executions that are encoded before other requests are handled."""
ERRORS = {
    error.__name__: error
    for error in (OperationNotAllowed, Fenced, JournalError, JournalUnavailable, QueueFull)
}
"""Errors that are raised again at the client, by name."""


async def _hello(journal: JournalBackend) -> list[Any]:
    return [VERSION, journal.durability, journal.durable]


async def _accept(journal: JournalBackend, execution: list[Any], room: int) -> list[Any]:
    acceptance = await journal.accept(encoding.decode_execution(execution), room)
    return [acceptance.execution, acceptance.new, acceptance.supersedes]


async def _claim(
    journal: JournalBackend,
    worker: str,
    room: Mapping[str, int],
    limit: int,
    early: bool,
    limits: list[Any] | None,
) -> list[Any]:
    decoded = None if limits is None else encoding.decode_limits(limits)
    leases = await journal.claim(worker, room, limit, early=early, limits=decoded)
    return [encoding.encode_lease(lease) for lease in leases]


async def _renew(journal: JournalBackend, worker: str, executions: list[str]) -> list[Any]:
    renewal = await journal.renew(worker, executions)
    return [list(renewal.lost), list(renewal.superseded)]


async def _release_worker(journal: JournalBackend, worker: str) -> None:
    journal.release_worker(worker)


async def _record_intent(journal: JournalBackend, lease: list[Any], effect: list[Any]) -> None:
    await journal.record_intent(encoding.decode_lease_key(lease), encoding.decode_effect(effect))


async def _record_effect(journal: JournalBackend, lease: list[Any], effect: list[Any]) -> None:
    await journal.record_effect(encoding.decode_lease_key(lease), encoding.decode_effect(effect))


async def _record_result(
    journal: JournalBackend, lease: list[Any], result: list[Any], completing: bool
) -> None:
    decoded = encoding.decode_result(result)
    await journal.record_result(encoding.decode_lease_key(lease), decoded, completing=completing)


async def _begin_completion(journal: JournalBackend, lease: list[Any]) -> bool:
    return await journal.begin_completion(encoding.decode_lease_key(lease))


async def _withdraw_completion(journal: JournalBackend, lease: list[Any]) -> None:
    await journal.withdraw_completion(encoding.decode_lease_key(lease))


async def _refuse_completion(journal: JournalBackend, lease: list[Any]) -> None:
    await journal.refuse_completion(encoding.decode_lease_key(lease))


async def _release(journal: JournalBackend, lease: list[Any], after: float, reason: str) -> None:
    await journal.release(encoding.decode_lease_key(lease), after, reason)


async def _suspend(journal: JournalBackend, lease: list[Any], seconds: float, ran: float) -> None:
    await journal.suspend(encoding.decode_lease_key(lease), seconds, ran)


async def _end_wait(
    journal: JournalBackend, lease: list[Any], effect: list[Any]
) -> list[Any] | None:
    event = await journal.end_wait(encoding.decode_lease_key(lease), encoding.decode_effect(effect))
    return None if event is None else encoding.encode_effect(event)


async def _deliver_event(journal: JournalBackend, execution: str, name: str, data: str) -> str:
    return await journal.deliver_event(execution, name, data.encode(encoding.LATIN))


async def _event_target(journal: JournalBackend, execution: str) -> list[Any] | None:
    target = await journal.event_target(execution)
    return None if target is None else encoding.encode_event_target(target)


async def _read_memory(journal: JournalBackend, key: str) -> list[Any]:
    memory = await journal.read_memory(DialogKey.parse(key))
    return encoding.encode_memory(memory)


async def _write_memory(
    journal: JournalBackend, lease: list[Any], effect: list[Any], key: str, memory: list[Any]
) -> int | None:
    return await journal.write_memory(
        encoding.decode_lease_key(lease),
        encoding.decode_effect(effect),
        DialogKey.parse(key),
        encoding.decode_memory(memory),
    )


async def _settle(journal: JournalBackend, lease: list[Any], outcome: list[Any]) -> None:
    await journal.settle(encoding.decode_lease_key(lease), encoding.decode_outcome(outcome))


async def _find(journal: JournalBackend, execution: str) -> dict[str, Any] | None:
    record = await journal.find(execution)
    return None if record is None else encoding.encode_record(record)


async def _search(journal: JournalBackend, query: dict[str, Any]) -> list[Any]:
    encoded = []
    for number, record in enumerate(await journal.search(encoding.decode_query(query)), 1):
        encoded.append(encoding.encode_record(record))
        if number % RECORDS_AT_A_TIME == 0:
            await asyncio.sleep(0)  # calls are not kept waiting
    return encoded


async def _retry(journal: JournalBackend, execution: str, fresh: bool) -> dict[str, Any]:
    return encoding.encode_record(await journal.retry(execution, fresh=fresh))


async def _drop(journal: JournalBackend, execution: str) -> dict[str, Any]:
    return encoding.encode_record(await journal.drop(execution))


async def _memories(journal: JournalBackend, dialog: int) -> list[Any]:
    records = await journal.memories(dialog)
    return [[str(record.key), record.size, record.changed_at] for record in records]


async def _forget(journal: JournalBackend, dialog: int) -> list[int]:
    forgotten = await journal.forget(dialog)
    return [forgotten.executions, forgotten.memories]


async def _stored_inputs(journal: JournalBackend, execution: str) -> dict[str, Any] | None:
    return await journal.stored_inputs(execution)


async def _rekey(journal: JournalBackend, key: str, after: str) -> list[Any]:
    rekeyed = await journal.rekey(key, after)
    return [rekeyed.rows, rekeyed.after]


METHODS: Mapping[str, Callable[..., Awaitable[Any]]] = {
    "hello": _hello,
    ACCEPT: _accept,
    CLAIM: _claim,
    "renew": _renew,
    RELEASE_WORKER: _release_worker,
    RECORD_INTENT: _record_intent,
    RECORD_EFFECT: _record_effect,
    RECORD_RESULT: _record_result,
    "begin_completion": _begin_completion,
    "withdraw_completion": _withdraw_completion,
    "refuse_completion": _refuse_completion,
    "release": _release,
    "suspend": _suspend,
    "end_wait": _end_wait,
    "deliver_event": _deliver_event,
    "event_target": _event_target,
    "read_memory": _read_memory,
    "write_memory": _write_memory,
    SETTLE: _settle,
    "find": _find,
    "search": _search,
    "retry": _retry,
    "drop": _drop,
    "memories": _memories,
    "forget": _forget,
    "stored_inputs": _stored_inputs,
    "rekey": _rekey,
}
"""By name; each takes the journal and the request's arguments."""
