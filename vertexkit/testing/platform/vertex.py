"""The fake platform's Vertex part: methods 14 and 15, played strictly."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vertexkit.clock import Clock
from vertexkit.testing.platform.body import read_form
from vertexkit.testing.platform.dialogs import Activation, Dialogs, FakeCompletion, FakeMessage
from vertexkit.testing.platform.faults import Fault, Faults
from vertexkit.testing.platform.ledger import Exchange
from vertexkit.testing.platform.responses import refusal, spoil, while_caller_stays
from vertexkit.testing.platform.tokens import fingerprint

COMPLETE = "complete"
SEND_MESSAGE = "send_message"
METHODS = (SEND_MESSAGE, COMPLETE)
"""Their names, by which faults are ordered."""
FAREWELL_TURNS = 20
"""Limiter the loop gets to notice that the caller of an earlier request has gone."""

CallAgain = Callable[[str, Any], Awaitable[object]]
"""Awaited with a token and the data that its block was completed with."""


class VertexPart:
    """Answers `send_message` and `complete`, and notes what is wrong with how they came.

    Args:
        dialogs: where messages and completions go.
        faults: what goes wrong on purpose.
        clock: dates everything, and waits.
        typing_seconds: how long a message with typing=true takes to be answered.
    """

    def __init__(
        self, dialogs: Dialogs, faults: Faults, clock: Clock, typing_seconds: float
    ) -> None:
        self.call_during_complete: CallAgain | None = None
        self._dialogs = dialogs
        self._faults = faults
        self._clock = clock
        self._typing_seconds = typing_seconds
        self._last_message = 0
        self._calls: set[asyncio.Future[None]] = set()

    def routes(self) -> list[Route]:
        """The routes, under the platform's base path."""
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
        return await self._answer(request, COMPLETE)

    async def _send_message(self, request: Request) -> Response:
        return await self._answer(request, SEND_MESSAGE)

    async def _answer(self, request: Request, method: str) -> Response:
        exchange: Exchange = request.scope["exchange"]
        content, wrongs = read_form(
            method, request.headers.get("content-type"), exchange.entry.body
        )
        token = content.get("token")
        exchange.note(method=method, token=token if isinstance(token, str) else None)
        for wrong in wrongs:
            exchange.violate(wrong)
        activation = None if wrongs else self._dialogs.find(content["token"])
        if activation is not None:
            exchange.note(activation=activation.number)
        exchange.announce()
        if wrongs:
            return refusal(400, "; ".join(wrongs))
        if activation is None:
            sentence = f"{method}: token {fingerprint(content['token'])} is not known here"
            exchange.violate(sentence)
            return refusal(403, sentence)
        with activation.answering(exchange) as others:
            await _judge_order(exchange, others)
            return await self._serve(request, exchange, activation, content)

    async def _serve(
        self,
        request: Request,
        exchange: Exchange,
        activation: Activation,
        content: Mapping[str, Any],
    ) -> Response:
        fault = self._faults.take(exchange.entry.method)
        if fault is not None:
            exchange.promised = False
            exchange.note(fault=str(fault))
            if fault.kind == "gone":
                activation.dialog.deleted = True
        refused = _refused(exchange, activation)
        if refused is not None:
            answer: Response = refusal(403, refused)
        elif fault is None or fault.processed:
            answer = self._process(exchange, activation, content)
        else:
            answer = Response()
        waits = self._waits(exchange, activation, content, fault)
        exchange.left = not await while_caller_stays(request, waits)
        return answer if fault is None else spoil(exchange, answer, fault)

    def _process(
        self, exchange: Exchange, activation: Activation, content: Mapping[str, Any]
    ) -> Response:
        now = self._clock.now()
        exchange.note(processed=True)
        if exchange.entry.method == COMPLETE:
            activation.completions.append(FakeCompletion(content["data"], now))
            activation.completed_by = exchange
            return Response(status_code=204)
        self._last_message += 1
        number, created = self._last_message, int(self._clock.unix())
        message = FakeMessage(content["text"], content["typing"], number, created, now)
        activation.messages.append(message)
        return JSONResponse({"message_id": number, "created_at": created})

    async def _waits(
        self,
        exchange: Exchange,
        activation: Activation,
        content: Mapping[str, Any],
        fault: Fault | None,
    ) -> None:
        if exchange.entry.processed and exchange.entry.method == COMPLETE:
            await self._call_again(exchange, activation.token, content["data"])
        elif exchange.entry.processed and content["typing"] and self._typing_seconds > 0:
            await self._clock.sleep(self._typing_seconds)
        if fault is not None and fault.seconds > 0:
            await self._clock.sleep(fault.seconds)

    async def _call_again(self, exchange: Exchange, token: str, data: Any) -> None:
        call_again = self.call_during_complete
        if call_again is None:
            return

        async def call() -> None:
            try:
                await call_again(token, data)
            except Exception as problem:  # noqa: BLE001 - the test's own code: check() tells of it
                exchange.violate(f"call_during_complete failed: {problem!r}")

        # The platform goes on with the flow even if the caller does not wait for its answer.
        task = asyncio.ensure_future(call())
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        await asyncio.shield(task)


async def _judge_order(exchange: Exchange, others: list[Exchange]) -> None:
    if others:
        for _ in range(FAREWELL_TURNS):
            await asyncio.sleep(0)
    for other in others:
        if not other.left:
            exchange.violate(
                f"{exchange.entry.method}: it came while request {other.entry.number} "
                f"({other.entry.method}) of the same dialog was still being answered"
            )


def _refused(exchange: Exchange, activation: Activation) -> str | None:
    method = exchange.entry.method
    if activation.dialog.deleted:
        return f"{method}: the dialog is deleted"
    first = activation.completed_by
    if first is None:
        return None
    sentence = f"{method}: the block was already completed by request {first.entry.number}"
    if method != COMPLETE or first.entry.delivered:
        exchange.violate(sentence)
    return sentence
