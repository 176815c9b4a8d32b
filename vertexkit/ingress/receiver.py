"""HTTP in: read the platform's call, accept it, answer."""

from collections.abc import Callable, Mapping
from traceback import extract_tb

import structlog
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from vertexkit.blocks.registry import Block
from vertexkit.botone.address import PlatformAddress
from vertexkit.errors import CallError, JournalUnavailable, QueueFull
from vertexkit.failure import Failure
from vertexkit.ingress.gate import Gate
from vertexkit.ingress.inbox import Inbox
from vertexkit.ingress.rejections import Rejections
from vertexkit.ingress.request import Call, RawCall, ReadCall
from vertexkit.ingress.token_keys import TokenKeys
from vertexkit.server.problems import Problem, nothing_here, problem, shown
from vertexkit.settings import Settings
from vertexkit.telemetry import tracing
from vertexkit.telemetry.redaction import hold, redacted
from vertexkit.token import Token

COME_BACK = 5
"""Seconds that a 503 asks the platform to wait."""
ACK_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
BODILESS = {204: (), 205: ((b"content-length", b"0"),)}
"""Statuses whose answer has no body, each with what its head says of that."""

log = structlog.get_logger("vertexkit")


class Ack:
    """The answer to an accepted call, without the detours of a response for every purpose."""

    def __init__(self, status: int, body: bytes, code: str = "") -> None:
        self.code = code
        """Why nothing was started; empty if something was."""
        headers = [*ACK_HEADERS, (b"content-length", b"%d" % len(body))]
        if status in BODILESS:
            headers, body = [*ACK_HEADERS[1:], *BODILESS[status]], b""
        self._start = {"type": "http.response.start", "status": status, "headers": headers}
        self._body = {"type": "http.response.body", "body": body}

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        await send(self._start)
        await send(self._body)


class Receiver:
    """The endpoint of all blocks: an ASGI app behind the routes.

    Args:
        blocks: by name.
        inbox: takes what is accepted.
        rejections: lets a dialog go on whose call is refused.
        address: of the platform, which may not serve a token's instance.
        gate: who may call.
        read_call: from the raw call to token and inputs.
        settings: the body's limit, the status that answers, what to do when all is full.
    """

    def __init__(
        self,
        blocks: Mapping[str, Block],
        inbox: Inbox,
        rejections: Rejections,
        address: PlatformAddress,
        gate: Gate,
        read_call: ReadCall,
        settings: Settings,
    ) -> None:
        self._blocks = blocks
        self._inbox = inbox
        self._rejections = rejections
        self._address = address
        self._gate = gate
        self._read_call = read_call
        self._keys = TokenKeys([key.get_secret_value() for key in settings.access.token_keys])
        self._body_limit = settings.server.body_limit
        self._ack_status = settings.server.ack_status
        self._fail_when_full = settings.journal.on_full == "fail"
        self._overloaded = Ack(settings.server.ack_status, b'{"execution":null}', "overloaded")
        self.closed = False
        """Set while the process ends: every call is sent away."""
        self.on_refused: Callable[[str, str], None] = lambda *_: None
        """Told of each call that is refused: the block, empty if there is none, and the code."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._receive(scope, receive)
        if isinstance(response, Problem | Ack) and response.code:
            name = scope["path_params"].get("name", "")
            self.on_refused(name if name in self._blocks else "", response.code)
        await response(scope, receive, send)

    async def _receive(self, scope: Scope, receive: Receive) -> ASGIApp:
        if not self._gate.opens(scope):
            return nothing_here()
        if self.closed:
            return problem(503, "shutting_down", "This service is stopping.", retry_after=COME_BACK)
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        # Without a name in the URL it is the only block.
        name = scope["path_params"].get("name") or next(iter(self._blocks))
        known = name if name in self._blocks else "?"
        with tracing.span("call", known, "server", parent=headers.get("traceparent", "")):
            return await self._take(name, scope, headers, receive)

    async def _take(
        self, name: str, scope: Scope, headers: Mapping[str, str], receive: Receive
    ) -> ASGIApp:
        try:
            body = await self._read_body(headers, receive)
            query = scope["query_string"].decode("latin-1")
            call, token = self._read(RawCall(scope["path"], body, headers, query))
        except CallError as error:
            return problem(error.status, error.code, redacted(error.detail))
        return await self._accept(name, call, token, body)

    async def _read_body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        """The body, its bytes counted as they come.

        Raises:
            CallError: 413, or 400 if the caller left in the middle.
        """
        declared = headers.get("content-length", "0")
        if declared.isdecimal() and int(declared[:20]) > self._body_limit:
            raise self._too_large()
        body, more = b"", True
        chunks: list[bytes] = []
        size = 0
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise CallError(400, "incomplete", "The body broke off.")
            body, more = message.get("body", b""), message.get("more_body", False)
            size += len(body)
            if size > self._body_limit:
                raise self._too_large()
            chunks.append(body)
        return body if len(chunks) == 1 else b"".join(chunks)

    def _too_large(self) -> CallError:
        return CallError(
            413, "too_large", f"The body may have {self._body_limit} bytes (VERTEXKIT_BODY_LIMIT)."
        )

    def _read(self, raw: RawCall) -> tuple[Call, Token]:
        call = self._read_call_safely(raw)
        try:
            token = Token(call.token)
        except (ValueError, TypeError) as error:
            raise CallError(400, "malformed_token", f"The token is unusable: {error}.") from None
        if not self._keys.fit(token):
            raise CallError(403, "wrong_signature", "The token is not signed with a known key.")
        self._address.base_url(token)
        return call, token

    def _read_call_safely(self, raw: RawCall) -> Call:
        """What the reader says; a reader that breaks down could not read the call."""
        try:
            return Call(*self._read_call(raw))
        except CallError:
            raise
        except Exception as error:  # noqa: BLE001 - an author's reader may raise anything
            # Without its text: that may hold the call, and so the token.
            frame = extract_tb(error.__traceback__)[:2][-1]
            at = f"{frame.filename}:{frame.lineno}"
            log.error("read_call_failed", error=type(error).__name__, at=at)  # noqa: TRY400
            raise CallError(400, "unreadable", "The call cannot be read.") from None

    async def _accept(self, name: str, call: Call, token: Token, body: bytes) -> ASGIApp:
        block = self._blocks.get(name)
        if block is None:
            self._rejections.refuse(token, Failure("unknown_block"))
            return problem(404, "unknown_block", "There is no block of this name; see GET /blocks.")
        try:
            block.signature.read(call.inputs)
        except ValidationError as error:
            hold(token)  # a validator of the author's may have said it
            self._rejections.refuse(token, Failure("invalid_input"))
            return problem(
                422,
                "invalid_input",
                "The inputs do not fit the block; its schema is at GET /blocks.",
                errors=shown(error.errors(include_input=False, include_url=False)),
            )
        except Exception:
            hold(token)
            log.exception("validation_failed", block=name)
            self._rejections.refuse(token, Failure("internal"))
            return problem(500, "internal", "The block's own validation failed; see the log.")
        try:
            acceptance = await self._inbox.accept(name, token, call.inputs, body)
        except QueueFull:
            log.info("call_rejected", block=name, code="queue_full", **token.log_fields)
            return self._full(token)
        except JournalUnavailable as error:
            said = {"code": "journal_unavailable", "reason": str(error)}
            log.info("call_rejected", block=name, **said, **token.log_fields)
            return problem(
                503,
                "journal_unavailable",
                "The call cannot be kept now; nothing was started.",
                retry_after=COME_BACK,
            )
        return Ack(self._ack_status, b'{"execution":"%b"}' % acceptance.execution.encode())

    def _full(self, token: Token) -> ASGIApp:
        if not self._fail_when_full:
            return problem(
                503, "queue_full", "Too many executions are waiting.", retry_after=COME_BACK
            )
        self._rejections.refuse(token, Failure("overloaded"))
        return self._overloaded
