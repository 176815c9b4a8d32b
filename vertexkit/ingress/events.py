"""The endpoint of events: reads an event from outside and stores it for the handler that waits."""

from collections.abc import Mapping
from hmac import compare_digest
from typing import Any

import structlog
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from vertexkit.context.event_names import EVENT_NAME
from vertexkit.context.event_types import EventTypes
from vertexkit.errors import CallError, JournalError, OperationNotAllowed
from vertexkit.execution import WAIT, event_signature
from vertexkit.ingress.body import read_body
from vertexkit.ingress.content import ContentReader
from vertexkit.ingress.information import HEADERS
from vertexkit.journal.events import Delivery, EventTarget, JournalEvents
from vertexkit.references import error_fields
from vertexkit.server.problems import (
    RETRY_AFTER_SECONDS,
    Problem,
    list_errors,
    method_not_allowed,
    not_found,
    problem,
)
from vertexkit.telemetry.redaction import redact_text

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class EventReceiver:
    """The endpoint `/events/{execution}/{name}/{signature}`: an ASGI app behind the routes.

    It answers after the event is stored. A URL that is not signed gets the same response as an
    execution that does not exist.

    Args:
        journal: stores the events.
        types: what the data of events must be.
        body_limit: maximum size of a body, in bytes.
    """

    def __init__(self, journal: JournalEvents, types: EventTypes, body_limit: int) -> None:
        self._journal = journal
        self._types = types
        self._content = ContentReader(body_limit, find_tokens=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._respond(scope, receive)
        await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> ASGIApp:
        if scope["method"] != "POST":
            return method_not_allowed("POST")
        path: Mapping[str, str] = scope["path_params"]
        execution, name = path["execution"], path["name"]
        try:
            target = await self._journal.event_target(execution)
            if target is None or not _is_signed(target, execution, name, path["signature"]):
                return not_found()
            return await self._receive(execution, name, target, scope, receive)
        except CallError as error:
            return problem(error.status, error.code, redact_text(error.detail))
        except JournalError as error:
            log.info("event_rejected", execution=execution, **error_fields(error))
            return problem(
                503,
                "journal_unavailable",
                "The journal cannot be written. The event was not stored.",
                retry_after=RETRY_AFTER_SECONDS,
            )

    async def _receive(
        self, execution: str, name: str, target: EventTarget, scope: Scope, receive: Receive
    ) -> ASGIApp:
        """Read, check and store an event whose URL is right."""
        if target.ended:
            return _too_late()
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        body, _ = await self._content.read(headers, receive)
        data = to_json(read_body(body, headers.get("content-type", "")))
        if rejection := self._validate(target, name, data):
            return rejection
        delivery = await deliver(self._journal, execution, name, data)
        if delivery is Delivery.UNKNOWN:
            return not_found()
        if delivery is Delivery.ENDED:
            return _too_late()
        answer = to_json({"execution": execution, "event": name})
        return Response(answer, 200, HEADERS, "application/json")

    def _validate(self, target: EventTarget, name: str, data: bytes) -> Problem | None:
        """Check an event that its handler already waits for; its type is not known earlier."""
        try:
            validate_event(self._types, target, name, data)
        except ValidationError as error:
            return problem(
                422,
                "invalid_event",
                "The data of the event is invalid; the execution still waits for it.",
                errors=list_errors(error.errors(include_input=False, include_url=False)),
            )
        return None


def validate_event(types: EventTypes, target: EventTarget, name: str, data: bytes) -> None:
    """Check the data of an event, if a handler of this process or a journalled wait has its type.

    Only the first event of a name counts: what comes later is not read, so its data may be anything.

    Raises:
        ValidationError: The data is something else.
    """
    if target.delivery(name) is not Delivery.NEW:
        return
    for effect in target.effects.values():
        if effect.kind == WAIT + name:
            fields: dict[str, Any] = from_json(effect.value)
            shape = types.find(target.block, name, fields.get("type", ""))
            if shape is not None:
                shape.validate_json(data)


async def deliver(journal: JournalEvents, execution: str, name: str, data: bytes) -> Delivery:
    """Store an event and log that."""
    if not EVENT_NAME.fullmatch(name):
        return Delivery.UNKNOWN
    delivery = await journal.deliver_event(execution, name, data)
    log.info("event_received", execution=execution, name=name, delivery=delivery.value)
    return delivery


def why_not_delivered(delivery: Delivery, execution: str, name: str) -> OperationNotAllowed | None:
    """Return the error for an event that was not stored; None if it was."""
    match delivery:
        case Delivery.UNKNOWN:
            return OperationNotAllowed(f"there is no execution {execution} in the journal")
        case Delivery.ENDED:
            return OperationNotAllowed(f"{execution} no longer waits for the event {name!r}")
    return None


def _is_signed(target: EventTarget, execution: str, name: str, signature: str) -> bool:
    """Whether a URL is right. The token of an execution that has ended is erased: any URL is."""
    if not target.key:
        return target.ended
    expected = event_signature(target.key, execution, name)
    return compare_digest(expected.encode(), signature.encode())


def _too_late() -> Problem:
    return problem(410, "event_too_late", "The execution has ended, or no longer waits.")
