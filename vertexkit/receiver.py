"""HTTP in: read the platform's call, accept it, answer."""

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256

from pydantic import ValidationError
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vertexkit.blocks import Block
from vertexkit.botone.vertex import Address
from vertexkit.call import Call, RawCall, ReadCall
from vertexkit.errors import CallError, JournalUnavailable, QueueFull
from vertexkit.execution import Token
from vertexkit.failure import Failure
from vertexkit.inbox import Inbox
from vertexkit.problems import problem, shown
from vertexkit.refusals import Refusals
from vertexkit.settings import Settings

COME_BACK = 5
"""Seconds that a 503 asks the platform to wait."""
ACK_HEADERS = {"Cache-Control": "no-store"}


class Gate:
    """Knows whether a request carries one of the URL's secrets.

    Args:
        secrets: any one of them opens; none at all: everything is open.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._wanted = [sha256(secret.encode()).digest() for secret in secrets]

    def opens(self, request: Request) -> bool:
        """Compare in constant time, with every secret whichever fits."""
        if not self._wanted:
            return True
        given = request.path_params.get("key") or request.query_params.get("key", "")
        digest = sha256(given.encode(errors="surrogateescape")).digest()
        fits = [hmac.compare_digest(digest, wanted) for wanted in self._wanted]
        return any(fits)


class Receiver:
    """The endpoint of all blocks: an ASGI app behind the routes.

    Args:
        blocks: by name.
        inbox: takes what is accepted.
        refusals: lets a dialog go on whose call is refused.
        address: of the platform, which may not serve a token's instance.
        gate: who may call.
        read_call: from the raw call to token and inputs.
        settings: the body's limit, the status that answers, what to do when all is full.
    """

    def __init__(
        self,
        blocks: Mapping[str, Block],
        inbox: Inbox,
        refusals: Refusals,
        address: Address,
        gate: Gate,
        read_call: ReadCall,
        settings: Settings,
    ) -> None:
        self._blocks = blocks
        self._inbox = inbox
        self._refusals = refusals
        self._address = address
        self._gate = gate
        self._read_call = read_call
        self._body_limit = settings.body_limit
        self._ack_status = settings.ack_status
        self._fail_when_full = settings.on_full == "fail"
        self.closed = False
        """Set while the process ends: every call is sent away."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._receive(Request(scope, receive))
        await response(scope, receive, send)

    async def _receive(self, request: Request) -> Response:
        if not self._gate.opens(request):
            return problem(404, "not_found", "There is nothing here.")
        if self.closed:
            return problem(503, "shutting_down", "This service is stopping.", retry_after=COME_BACK)
        try:
            body = await self._read_body(request)
            call, token = self._read(request, body)
        except CallError as error:
            return problem(error.status, error.code, error.detail)
        return await self._accept(self._name(request), call, token, body)

    def _name(self, request: Request) -> str:
        """The block that the URL names; without a name, the only one."""
        name: str | None = request.path_params.get("name")
        return name if name is not None else next(iter(self._blocks))

    async def _read_body(self, request: Request) -> bytes:
        """The body, its bytes counted as they come.

        Raises:
            CallError: 413.
        """
        declared = request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > self._body_limit:
            raise self._too_large()
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._body_limit:
                raise self._too_large()
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self) -> CallError:
        return CallError(
            413, "too_large", f"The body may have {self._body_limit} bytes (VERTEXKIT_BODY_LIMIT)."
        )

    def _read(self, request: Request, body: bytes) -> tuple[Call, Token]:
        scope = request.scope
        raw = RawCall(scope["path"], body, scope["headers"], scope["query_string"])
        call = self._read_call(raw)
        try:
            token = Token(call.token)
        except (ValueError, TypeError) as error:
            raise CallError(400, "malformed_token", f"The token is unusable: {error}.") from None
        self._address.base(token)
        return call, token

    async def _accept(self, name: str, call: Call, token: Token, body: bytes) -> Response:
        block = self._blocks.get(name)
        if block is None:
            self._refusals.refuse(token, Failure("unknown_block"))
            return problem(404, "unknown_block", "There is no block of this name; see GET /blocks.")
        try:
            block.signature.read(call.inputs)
        except ValidationError as error:
            self._refusals.refuse(token, Failure("invalid_input"))
            return problem(
                422,
                "invalid_input",
                "The inputs do not fit the block; its schema is at GET /blocks.",
                errors=shown(error.errors(include_input=False, include_url=False)),
            )
        try:
            acceptance = await self._inbox.accept(name, token, call.inputs, body)
        except QueueFull:
            return self._full(token)
        except JournalUnavailable:
            return problem(
                503,
                "journal_unavailable",
                "The call cannot be kept now; nothing was started.",
                retry_after=COME_BACK,
            )
        return Response(
            b'{"execution":"%b"}' % acceptance.execution.encode(),
            self._ack_status,
            ACK_HEADERS,
            "application/json",
        )

    def _full(self, token: Token) -> Response:
        if not self._fail_when_full:
            return problem(
                503, "queue_full", "Too many executions are waiting.", retry_after=COME_BACK
            )
        self._refusals.refuse(token, Failure("overloaded"))
        return Response(to_json({"execution": None}), self._ack_status, ACK_HEADERS)
