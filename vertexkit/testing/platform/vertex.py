"""Methods 14 and 15, `send_message` and `complete`: what blocks call."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vertexkit.clock import Clock
from vertexkit.testing.platform.dialogs import (
    Activation,
    DialogRegistry,
    FakeCompletion,
    FakeMessage,
)
from vertexkit.testing.platform.faults import Fault, Faults
from vertexkit.testing.platform.ledger import Exchange
from vertexkit.testing.platform.request_body import validate_body
from vertexkit.testing.platform.responses import (
    apply_fault,
    error_response,
    run_until_disconnect,
)
from vertexkit.testing.platform.tokens import fingerprint

COMPLETE = "complete"
SEND_MESSAGE = "send_message"
VERTEX_METHODS = (SEND_MESSAGE, COMPLETE)
"""Their names; faults are ordered by them."""
INVALID_STATUS = {SEND_MESSAGE: 400, COMPLETE: 403}
"""The status of the response to an invalid request: for `complete` the document has 403 alone."""
DISCONNECT_CHECK_ROUNDS = 20
"""Rounds of the event loop in which the disconnect of an earlier request's client is noticed."""

CallDuringComplete = Callable[[str, Any], Awaitable[object]]
"""Awaited with a token and the data that its block was completed with."""


class VertexApi:
    """Serves `send_message` and `complete`, and records violations of their rules.

    Args:
        dialogs: receive the messages and completions.
        faults: the ordered faults.
        clock: dates everything, and waits.
        typing_seconds: delay of the response to a message with typing=true.
    """

    def __init__(
        self, dialogs: DialogRegistry, faults: Faults, clock: Clock, typing_seconds: float
    ) -> None:
        self.call_during_complete: CallDuringComplete | None = None
        self._dialogs = dialogs
        self._faults = faults
        self._clock = clock
        self._typing_seconds = typing_seconds
        self._last_message_id = 0
        self._calls: set[asyncio.Future[None]] = set()

    def routes(self) -> list[Route]:
        """Return the routes, under the platform's base path."""
        return [
            Route("/vertex/v1/complete", self._complete, methods=["POST"], name=COMPLETE),
            Route(
                "/vertex/v1/dialog/send_message",
                self._send_message,
                methods=["POST"],
                name=SEND_MESSAGE,
            ),
        ]

    async def _complete(self, request: Request) -> Response:
        return await self._respond(request, COMPLETE)

    async def _send_message(self, request: Request) -> Response:
        return await self._respond(request, SEND_MESSAGE)

    async def _respond(self, request: Request, method: str) -> Response:
        exchange: Exchange = request.scope["exchange"]
        content_type = request.headers.get("content-type")
        content, problems = validate_body(method, content_type, exchange.entry.body)
        token = content.get("token")
        exchange.update(method=method, token=token if isinstance(token, str) else None)
        for problem in problems:
            exchange.add_violation(problem)
        activation = None if problems else self._dialogs.find(content["token"])
        if activation is not None:
            exchange.update(activation=activation.number)
        exchange.notify()
        if problems:
            return error_response(INVALID_STATUS[method], "; ".join(problems))
        if activation is None:
            sentence = f"{method}: unknown token {fingerprint(content['token'])}"
            exchange.add_violation(sentence)
            return error_response(403, sentence)
        with activation.serving(exchange) as others:
            await _check_order(exchange, others)
            return await self._serve(request, exchange, activation, content)

    async def _serve(
        self,
        request: Request,
        exchange: Exchange,
        activation: Activation,
        content: Mapping[str, Any],
    ) -> Response:
        fault = self._faults.take(exchange.entry.method, activation.token)
        if fault is not None:
            exchange.as_documented = False
            exchange.update(fault=str(fault))
            if fault.kind == "gone":
                activation.dialog.deleted = True
        rejection = _rejection(exchange, activation)
        if rejection is not None:
            response: Response = error_response(403, rejection)
        elif fault is None or fault.processed:
            response = self._process(exchange, activation, content)
        else:
            response = Response()
        delay = self._delay(exchange, activation, content, fault)
        exchange.client_left = not await run_until_disconnect(request, delay)
        return response if fault is None else apply_fault(exchange, response, fault)

    def _process(
        self, exchange: Exchange, activation: Activation, content: Mapping[str, Any]
    ) -> Response:
        now = self._clock.now()
        exchange.update(processed=True)
        if exchange.entry.method == COMPLETE:
            activation.completions.append(FakeCompletion(content.get("data"), now))
            activation.completed_by = exchange
            return Response(status_code=204)
        self._last_message_id += 1
        number, created = self._last_message_id, int(self._clock.unix())
        message = FakeMessage(content["text"], content["typing"], number, created, now)
        activation.messages.append(message)
        return JSONResponse({"message_id": number, "created_at": created})

    async def _delay(
        self,
        exchange: Exchange,
        activation: Activation,
        content: Mapping[str, Any],
        fault: Fault | None,
    ) -> None:
        if exchange.entry.processed and exchange.entry.method == COMPLETE:
            await self._call_during_complete(exchange, activation.token, content.get("data"))
        elif exchange.entry.processed and content["typing"] and self._typing_seconds > 0:
            await self._clock.sleep(self._typing_seconds)
        if fault is not None and fault.seconds > 0:
            await self._clock.sleep(fault.seconds)

    async def _call_during_complete(self, exchange: Exchange, token: str, data: Any) -> None:
        call_back = self.call_during_complete
        if call_back is None:
            return

        async def call() -> None:
            try:
                await call_back(token, data)
            except Exception as error:  # noqa: BLE001 - the test's own code: check() reports it
                exchange.add_violation(f"call_during_complete failed: {error!r}")

        # The platform continues the bot's flow even if the client does not wait for the response.
        task = asyncio.ensure_future(call())
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        await asyncio.shield(task)


async def _check_order(exchange: Exchange, others: list[Exchange]) -> None:
    if others:
        for _ in range(DISCONNECT_CHECK_ROUNDS):
            await asyncio.sleep(0)
    for other in others:
        if not other.client_left:
            exchange.add_violation(
                f"{exchange.entry.method}: the request arrived while request "
                f"{other.entry.number} ({other.entry.method}) of the same dialog was in progress"
            )


def _rejection(exchange: Exchange, activation: Activation) -> str | None:
    method = exchange.entry.method
    if activation.dialog.deleted:
        return f"{method}: the dialog is deleted"
    first = activation.completed_by
    if first is None:
        return None
    sentence = f"{method}: the block was already completed by request {first.entry.number}"
    if method != COMPLETE or first.entry.delivered:
        exchange.add_violation(sentence)
    return sentence
