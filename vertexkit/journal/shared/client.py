"""A journal that another process of this machine has open, used over that process's socket."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from vertexkit.errors import JournalError, JournalUnavailable, JournalUnusable
from vertexkit.execution import SEND, Effect, Execution, Outcome, Result
from vertexkit.journal.dialog_memory import DialogKey, DialogMemory, Forgotten, MemoryRecord
from vertexkit.journal.encryption import Rekeyed
from vertexkit.journal.events import Delivery, EventTarget
from vertexkit.journal.limits import FleetLimits
from vertexkit.journal.protocol import (
    Acceptance,
    JournalObserver,
    Lease,
    NullJournalObserver,
    Query,
    Record,
    Renewal,
    WorkerRecord,
)
from vertexkit.journal.shared import encoding
from vertexkit.journal.shared.framing import FrameConnection
from vertexkit.journal.shared.methods import (
    ACCEPT,
    CLAIM,
    ERRORS,
    LOST,
    NOTIFICATION,
    READY,
    RECORD_EFFECT,
    RECORD_INTENT,
    RECORD_RESULT,
    RELEASE_WORKER,
    SETTLE,
    STATUS,
    VERSION,
)
from vertexkit.journal.state.operations import find_workers
from vertexkit.journal.state.storable import (
    storable_effect,
    storable_execution,
    storable_outcome,
    storable_result,
    storable_seconds,
    storable_text,
)

MAX_ACCEPTED = 256
"""Calls that are kept from their acceptance to their claim."""
MAX_ACCEPTED_BYTES = 4096
"""Size of the largest body of a call that is kept."""


class JournalServerNotFound(JournalUnusable):
    """No process listens at the socket."""


class NotEncodable(JournalError):
    """A request contains a value that JSON cannot hold; nothing was sent."""


class JournalClient:
    """The journal as a worker or an operator's command sees it; the server applies the rules.

    When the connection is lost, every method raises `JournalUnavailable`, permanently.

    Args:
        socket: path of the server's socket.
    """

    def __init__(self, socket: Path) -> None:
        self.durability: str = ""
        self.durable: bool = True
        self._socket = socket
        self._connection: FrameConnection
        self._loop: asyncio.AbstractEventLoop
        self._observer: JournalObserver = NullJournalObserver()
        self._lost_reported = False
        self._responses: dict[int, asyncio.Future[Any]] = {}
        """By the number of the request."""
        self._last_request = 0
        self._accepted: dict[str, Execution] = {}
        """The newest calls that this process has accepted and not claimed yet, by their ids: they
        are not decoded again."""
        self._disconnect_reason = "it is not open"
        """Empty while the connection is open."""
        # As the server reported them last:
        self._backlog = 0
        self._suspended = 0
        self._waiting_for_limits: dict[str, int] = {}
        self._blocks_waiting: frozenset[str] = frozenset()
        self._unavailable_reason = ""

    async def open(self, observer: JournalObserver) -> None:
        self._observer = observer
        loop = self._loop = asyncio.get_running_loop()
        try:
            _, self._connection = await loop.create_unix_connection(
                lambda: FrameConnection(self), str(self._socket)
            )
        except OSError as error:
            raise JournalServerNotFound(
                f"no process answers at the journal's socket {self._socket} ({error.strerror}): "
                "restart the service"
            ) from error
        self._disconnect_reason = ""
        try:
            version, self.durability, self.durable = await self._request("hello")
        except JournalUnavailable as error:
            raise JournalServerNotFound("the process that owns the journal is stopping") from error
        if version != VERSION:
            raise JournalUnusable(
                "the process that owns the journal runs another version of vertexkit: use that "
                "version here too, or restart the service"
            )
        observer.ready()

    async def close(self) -> None:
        self._lost_reported = True
        if not self._disconnect_reason:
            self._connection.close()
            self._end("it is closed")

    async def accept(self, execution: Execution, room: int) -> Acceptance:
        call = encoding.encode_execution(storable_execution(execution))
        self._observer.accepting()
        try:
            name, new, supersedes = await self._request(ACCEPT, call, room)
        except NotEncodable as error:
            raise JournalUnavailable(
                f"the inputs of the call cannot be stored as JSON: {error}"
            ) from error
        if new and len(execution.raw) <= MAX_ACCEPTED_BYTES:
            accepted = self._accepted
            accepted[name] = execution
            if len(accepted) > MAX_ACCEPTED:  # another worker has claimed the oldest one
                del accepted[next(iter(accepted))]
        return Acceptance(name, new, supersedes)

    async def claim(
        self,
        worker: str,
        room: Mapping[str, int],
        limit: int,
        *,
        early: bool = False,
        limits: FleetLimits | None = None,
    ) -> list[Lease]:
        encoded = None if limits is None else encoding.encode_limits(limits)
        leases = await self._request(CLAIM, worker, room, limit, early, encoded)
        accepted = self._accepted
        return [encoding.decode_lease(lease, accepted.pop(lease[0][0], None)) for lease in leases]

    async def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        lost, superseded = await self._request("renew", worker, list(executions))
        return Renewal(frozenset(lost), frozenset(superseded))

    def release_worker(self, worker: str) -> None:
        if not self._disconnect_reason:
            self._connection.send([NOTIFICATION, RELEASE_WORKER, worker])

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        await self._request(
            RECORD_INTENT,
            encoding.encode_lease_key(lease),
            encoding.encode_effect(storable_effect(effect)),
        )

    async def record_effect(self, lease: Lease, effect: Effect) -> None:
        key = encoding.encode_lease_key(lease)
        encoded = encoding.encode_effect(storable_effect(effect))
        if effect.kind == SEND:  # the response to the next write of the lease is enough
            self._check_connected()
            self._connection.send([NOTIFICATION, RECORD_EFFECT, key, encoded])
        else:
            await self._request(RECORD_EFFECT, key, encoded)

    async def record_result(
        self, lease: Lease, result: Result, *, completing: bool = False
    ) -> None:
        encoded = encoding.encode_result(storable_result(result))
        await self._request(RECORD_RESULT, encoding.encode_lease_key(lease), encoded, completing)

    async def begin_completion(self, lease: Lease) -> bool:
        allowed: bool = await self._request("begin_completion", encoding.encode_lease_key(lease))
        return allowed

    async def withdraw_completion(self, lease: Lease) -> None:
        await self._request("withdraw_completion", encoding.encode_lease_key(lease))

    async def refuse_completion(self, lease: Lease) -> None:
        await self._request("refuse_completion", encoding.encode_lease_key(lease))

    async def release(self, lease: Lease, after: float, reason: str = "") -> None:
        key = encoding.encode_lease_key(lease)
        after = storable_seconds("the time until the next run", after)
        reason = storable_text("the reason of a retry", reason)
        await self._request("release", key, after, reason)

    async def suspend(self, lease: Lease, seconds: float, ran: float) -> None:
        seconds = storable_seconds("the time of a wait", seconds)
        ran = storable_seconds("the time of a run", ran)
        await self._request("suspend", encoding.encode_lease_key(lease), seconds, ran)

    async def end_wait(self, lease: Lease, effect: Effect) -> Effect | None:
        encoded = encoding.encode_effect(storable_effect(effect))
        event = await self._request("end_wait", encoding.encode_lease_key(lease), encoded)
        return None if event is None else encoding.decode_effect(event)

    async def deliver_event(self, execution: str, name: str, data: bytes) -> Delivery:
        name = storable_text("the name of an event", name)
        decoded = data.decode(encoding.LATIN)
        return Delivery(await self._request("deliver_event", execution, name, decoded))

    async def event_target(self, execution: str) -> EventTarget | None:
        target = await self._request("event_target", execution)
        return None if target is None else encoding.decode_event_target(target)

    async def read_memory(self, key: DialogKey) -> DialogMemory:
        return encoding.decode_memory(await self._request("read_memory", str(key)))

    async def write_memory(
        self, lease: Lease, effect: Effect, key: DialogKey, memory: DialogMemory
    ) -> int | None:
        version: int | None = await self._request(
            "write_memory",
            encoding.encode_lease_key(lease),
            encoding.encode_effect(storable_effect(effect)),
            str(key),
            encoding.encode_memory(memory),
        )
        return version

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        key = encoding.encode_lease_key(lease)
        await self._request(SETTLE, key, encoding.encode_outcome(storable_outcome(outcome)))

    def backlog(self) -> int:
        return self._backlog

    def suspended(self) -> int:
        return self._suspended

    def waiting_for_limits(self) -> Mapping[str, int]:
        return self._waiting_for_limits

    def unserved_blocks(self, blocks: Collection[str]) -> set[str]:
        return set(self._blocks_waiting.difference(blocks))

    def unavailable_reason(self) -> str:
        return self._disconnect_reason or self._unavailable_reason

    async def find(self, execution: str) -> Record | None:
        record = await self._request("find", execution)
        return None if record is None else encoding.decode_record(record)

    async def search(self, query: Query) -> list[Record]:
        records = await self._request("search", encoding.encode_query(query))
        return [encoding.decode_record(record) for record in records]

    async def workers(self) -> list[WorkerRecord]:
        return await find_workers(self.search)

    async def retry(self, execution: str, *, fresh: bool = False) -> Record:
        return encoding.decode_record(await self._request("retry", execution, fresh))

    async def drop(self, execution: str) -> Record:
        return encoding.decode_record(await self._request("drop", execution))

    async def memories(self, dialog: int) -> list[MemoryRecord]:
        return [
            MemoryRecord(DialogKey.parse(key), size, changed_at)
            for key, size, changed_at in await self._request("memories", dialog)
        ]

    async def forget(self, dialog: int) -> Forgotten:
        return Forgotten(*await self._request("forget", dialog))

    async def stored_inputs(self, execution: str) -> dict[str, Any] | None:
        inputs: dict[str, Any] | None = await self._request("stored_inputs", execution)
        return inputs

    async def rekey(self, key: str, after: str) -> Rekeyed:
        return Rekeyed(*await self._request("rekey", key, after))

    def frame_received(self, frame: list[Any]) -> None:
        """Handle responses and notifications of the server."""
        responses = self._responses
        for message in frame:
            if type(message) is int:  # a response without a value
                number, value, error = message, None, None
            elif (number := message[0]) == NOTIFICATION:
                self._notified(*message[1:])
                continue
            else:
                _, value, *error = message
            response = responses.pop(number, None)
            if response is None or response.done():  # its caller was cancelled
                continue
            if error:
                response.set_exception(ERRORS.get(error[0], JournalError)(error[1]))
            else:
                response.set_result(value)

    def before_flush(self) -> None:
        """Add nothing to the frame."""

    def not_encodable(self, message: list[Any], error: Exception) -> None:
        """Raise an error in the caller of a request that was not sent."""
        response = self._responses.pop(message[0], None)
        if response is not None and not response.done():
            response.set_exception(NotEncodable(str(error)))

    def disconnected(self) -> None:
        """Handle the end of the connection, unless this side closed it."""
        if not self._disconnect_reason:
            self._end("the process that owns it has ended")

    def _request(self, method: str, *arguments: Any) -> asyncio.Future[Any]:
        """Call a method of the server's journal; return what will have its response.

        The response may be an error:

        - `JournalUnavailable`: the connection is lost; the method may have been carried out.
        - `JournalError`, `QueueFull`: as the server's journal raised it.
        - `NotEncodable`: an argument cannot be encoded as JSON; nothing was sent.

        Raises:
            JournalUnavailable: the connection was lost before.
        """
        self._check_connected()
        number = self._last_request = self._last_request + 1
        response = self._responses[number] = self._loop.create_future()
        self._connection.send([number, method, *arguments])
        return response

    def _check_connected(self) -> None:
        if self._disconnect_reason:
            raise JournalUnavailable(f"the journal cannot be written: {self._disconnect_reason}")

    def _notified(self, name: str, *values: Any) -> None:
        if name == READY:
            self._observer.ready()
        elif name == STATUS:
            self._backlog, self._suspended, self._waiting_for_limits, *others = values
            blocks, self._unavailable_reason = others
            self._blocks_waiting = frozenset(blocks)
        elif name == LOST:
            self._report_lost(values[0])

    def _end(self, reason: str) -> None:
        """Fail the open requests: no response will come."""
        self._disconnect_reason = reason
        for response in self._responses.values():
            if not response.done():
                response.set_exception(
                    JournalUnavailable(f"the journal cannot be written: {reason}")
                )
        self._responses.clear()
        self._report_lost(reason)

    def _report_lost(self, reason: str) -> None:
        if not self._lost_reported:
            self._lost_reported = True
            self._observer.lost(reason)
