"""Methods 1 to 13: the dialogs, their files, and what an operator does with them."""

import re
from functools import partial
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vertexkit.clock import Clock
from vertexkit.testing.platform.auth import CHALLENGE, BasicAuth
from vertexkit.testing.platform.conversation import (
    COMPLETED,
    OPERATOR,
    FakeConversation,
    OperatorMessage,
)
from vertexkit.testing.platform.conversations import FakeConversations
from vertexkit.testing.platform.faults import Fault, Faults
from vertexkit.testing.platform.files import FakeFile
from vertexkit.testing.platform.ledger import Exchange
from vertexkit.testing.platform.methods import METHODS, Method, MethodCall, read_call
from vertexkit.testing.platform.query import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, filter_from
from vertexkit.testing.platform.request_body import parse_object
from vertexkit.testing.platform.responses import (
    apply_fault,
    error_response,
    run_until_disconnect,
)

HOST_HEADER = re.compile(r"[\w.:\[\]-]+", re.ASCII)
CHANGING_OPERATIONS = {"stop", "start", "send", "goto"}
"""The operations that a completed dialog rejects."""


Target = FakeConversation | FakeFile | int | None
"""What a call works on: a dialog, a file, the id of a bot, or the whole list."""


class DialogApi:
    """Serves methods 1 to 13, and records violations of their rules.

    Args:
        conversations: the dialogs and files.
        faults: the ordered faults.
        clock: waits.
        auth: checks the login and password.
    """

    def __init__(
        self, conversations: FakeConversations, faults: Faults, clock: Clock, auth: BasicAuth
    ) -> None:
        self._conversations = conversations
        self._faults = faults
        self._clock = clock
        self._auth = auth
        self._operations = {
            "conversations": self._list,
            "conversation": self._show,
            "create": self._create,
            "create_and_start": self._create_and_start,
            "download": self._download,
            "stop": self._stop,
            "start": self._start,
            "send": self._send,
            "goto": self._goto,
        }

    def routes(self) -> list[Route]:
        """Return the routes, under the platform's base path."""
        routes = [
            Route(
                method.path, partial(self._respond, method), methods=[method.verb], name=method.name
            )
            for method in METHODS
        ]
        for route, method in zip(routes, METHODS, strict=True):
            route.methods = {method.verb}  # no HEAD, which Starlette adds to GET
        return routes

    async def _respond(self, method: Method, request: Request) -> Response:
        exchange: Exchange = request.scope["exchange"]
        exchange.update(method=method.name)
        failure = self._auth.check(request.headers.get("authorization"))
        if failure is not None:
            if failure.is_violation:
                exchange.add_violation(f"{method.name}: {failure.message}")
            exchange.notify()
            response = error_response(401, failure.message)
            response.headers.update(CHALLENGE)
            return response
        call, problems = read_call(method, request, exchange.entry.body)
        for problem in problems:
            exchange.add_violation(problem)
        exchange.notify()
        if problems:
            return error_response(method.invalid_status, "; ".join(problems))
        target, missing = self._find(call)
        if missing is not None:
            return error_response(404, f"{method.name}: {missing}")
        return await self._serve(exchange, call, target)

    def _find(self, call: MethodCall) -> tuple[Target, str | None]:
        """Return what the call works on, and a sentence if it does not exist."""
        key, resource = call.key, call.method.resource
        if key is None:
            return None, None
        target: Target
        if resource == "dialog":
            target = self._conversations.find(key, keep=call.method.verb == "POST")
        elif isinstance(key, UUID):
            target = None
        elif resource == "file":
            target = self._conversations.file(key)
        else:
            target = key if key in self._conversations.bots else None
        missing = f"{resource} {key} does not exist" if target is None else None
        if call.method.operation == "goto" and missing is None:
            bot = call.goto_bot
            if bot not in self._conversations.bots:
                missing = f"bot {bot} does not exist"
        return target, missing

    async def _serve(self, exchange: Exchange, call: MethodCall, target: Target) -> Response:
        fault = self._faults.take(call.method.name)
        if fault is not None:
            exchange.as_documented = False
            exchange.update(fault=str(fault))
        rejection = self._rejection(call, target, fault)
        if rejection is not None:
            response: Response = error_response(403, f"{call.method.name}: {rejection}")
        elif fault is None or fault.processed:
            exchange.update(processed=True)
            response = self._operations[call.method.operation](call, target)
        else:
            response = Response()
        if fault is None:
            return response
        if fault.seconds > 0:
            delay = self._clock.sleep(fault.seconds)
            exchange.client_left = not await run_until_disconnect(call.request, delay)
        return apply_fault(exchange, response, fault)

    def _rejection(self, call: MethodCall, target: Target, fault: Fault | None) -> str | None:
        gone = fault is not None and fault.kind == "gone"
        if not isinstance(target, FakeConversation):
            return "the instance cannot be reached" if gone else None
        if gone:
            self._conversations[target.id].deleted = True
        if gone or target.deleted:
            return "the dialog is deleted"
        if call.method.operation in CHANGING_OPERATIONS and target.status == COMPLETED:
            return "the dialog is completed"
        return None

    def _list(self, call: MethodCall, _: Target) -> Response:
        number = call.query.get("PageNumber", 1)
        size = min(MAX_PAGE_SIZE, call.query.get("PageCount", DEFAULT_PAGE_SIZE))
        found, total = self._conversations.page(filter_from(call.query), number, size)
        now = self._conversations.now()
        content: dict[str, Any] = {
            str(position): dialog.to_list_json(call.method.version, now)
            for position, dialog in enumerate(found)
        }
        content["meta"] = {
            "pagination": {
                "total": total,
                "count": len(found),
                "per_page": size,
                "current_page": number,
                "total_pages": max(1, -(-total // size)),
                "links": {},
            }
        }
        return JSONResponse(content)

    def _show(self, call: MethodCall, target: Target) -> Response:
        assert isinstance(target, FakeConversation)
        host = call.request.headers.get("host", "")
        scheme = call.request.scope.get("scheme", "http")
        base_url = f"{scheme}://{host}/" if HOST_HEADER.fullmatch(host) else "/"
        now = self._conversations.now()
        return JSONResponse(target.to_detail_json(call.method.version, now, base_url))

    def _create(self, call: MethodCall, target: Target) -> Response:
        created = self._new(call, target, started=False)
        return JSONResponse({"dialogId": str(created.uuid)})

    def _create_and_start(self, call: MethodCall, target: Target) -> Response:
        created = self._new(call, target, started=True)
        # The document's example has `response` in both places; here the body takes precedence.
        if not call.content.get("response", call.query.get("response", False)):
            return Response()
        return JSONResponse({"dialogId": created.id, "dialogUUID": str(created.uuid)})

    def _new(self, call: MethodCall, target: Target, *, started: bool) -> FakeConversation:
        assert isinstance(target, int)
        variables = dict(call.query.get("variables", {}))
        if "variables" in call.content:
            variables |= parse_object(call.content["variables"].encode())[0] or {}
        return self._conversations.add(
            target,
            variables=variables,
            started=started,
            last_message_at=self._conversations.now() if started else None,
            user_wrote=False,
            source="api",
        )

    def _download(self, _: MethodCall, target: Target) -> Response:
        assert isinstance(target, FakeFile)
        headers = {"Content-Disposition": target.disposition, "Content-Type": target.media_type}
        return Response(target.content, headers=headers)

    def _stop(self, _: MethodCall, target: Target) -> Response:
        assert isinstance(target, FakeConversation)
        target.own_status = OPERATOR
        return Response(status_code=204)

    def _start(self, _: MethodCall, target: Target) -> Response:
        assert isinstance(target, FakeConversation)
        target.start_bot()
        target.add_message(self._conversations.now())
        return Response(status_code=204)

    def _send(self, call: MethodCall, target: Target) -> Response:
        assert isinstance(target, FakeConversation)
        now = self._conversations.now()
        target.operator_messages.append(OperatorMessage(call.content["body"], now))
        target.add_message(now)
        return Response(status_code=204)

    def _goto(self, call: MethodCall, target: Target) -> Response:
        assert isinstance(target, FakeConversation)
        target.bot_id = call.goto_bot
        target.start_bot()
        target.add_message(self._conversations.now())
        return JSONResponse({"message": "Goto command complete"})
