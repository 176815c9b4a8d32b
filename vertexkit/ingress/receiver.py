"""The endpoint of all blocks: reads the platform's call, accepts it and answers."""

from collections.abc import Mapping
from contextlib import suppress
from traceback import extract_tb
from typing import Protocol

import structlog
from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from vertexkit.blocks.limits import CallInfo, hash_key
from vertexkit.blocks.registry import Block
from vertexkit.botone.address import PlatformAddress
from vertexkit.errors import CallError, JournalUnavailable, QueueFull
from vertexkit.failure import Failure
from vertexkit.ingress.access import AccessControl, TokenVerifier
from vertexkit.ingress.content import ContentReader
from vertexkit.ingress.inbox import Inbox
from vertexkit.ingress.rejections import Rejections
from vertexkit.ingress.request import Call, RawCall, ReadCall, has_token_field
from vertexkit.references import error_fields, reference_of
from vertexkit.server.problems import (
    RETRY_AFTER_SECONDS,
    Problem,
    list_errors,
    method_not_allowed,
    not_found,
    problem,
)
from vertexkit.settings import Settings
from vertexkit.telemetry import tracing
from vertexkit.telemetry.redaction import redact_text, register_token
from vertexkit.token import Token

ACK_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
STATUSES_WITHOUT_BODY: dict[int, tuple[tuple[bytes, bytes], ...]] = {
    204: (),
    205: ((b"content-length", b"0"),),
}
"""Statuses whose responses have no body, each with its headers about the body."""
COMPRESSION_HEADERS = ("content-encoding", "content-length")
"""Headers that are not those of a decompressed body."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class CallObserver(Protocol):
    """Learns about rejected calls."""

    def call_rejected(self, block: str, code: str) -> None:
        """A call was not accepted.

        Args:
            block: name of the block; empty if it does not exist.
            code: of the response's problem.
        """


class Acknowledgement:
    """The response to an accepted call: an ASGI app that sends bytes made in advance.

    Args:
        status: 2xx.
        body: JSON.
        rejection: why the call was not accepted after all; empty if it was.
    """

    def __init__(self, status: int, body: bytes, rejection: str = "") -> None:
        self.rejection = rejection
        headers = [*ACK_HEADERS, (b"content-length", b"%d" % len(body))]
        if status in STATUSES_WITHOUT_BODY:
            headers, body = [*ACK_HEADERS[1:], *STATUSES_WITHOUT_BODY[status]], b""
        self._start = {"type": "http.response.start", "status": status, "headers": headers}
        self._body = {"type": "http.response.body", "body": body}

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        """Send the response."""
        await send(self._start)
        await send(self._body)


class Receiver:
    """The endpoint of all blocks: an ASGI app behind the routes.

    Args:
        blocks: by name.
        inbox: accepts calls.
        rejections: completes the blocks of rejected calls.
        address: of the platform; it may not serve the instance that a token names.
        access: which requests are accepted.
        read_call: reads token and inputs from a raw call.
        settings: of the process.
        observer: learns about rejected calls.
    """

    def __init__(
        self,
        blocks: Mapping[str, Block],
        inbox: Inbox,
        rejections: Rejections,
        address: PlatformAddress,
        access: AccessControl,
        read_call: ReadCall,
        settings: Settings,
        observer: CallObserver,
    ) -> None:
        self._blocks = blocks
        self._inbox = inbox
        self._rejections = rejections
        self._address = address
        self._access = access
        self._read_call = read_call
        self._observer = observer
        self._token_verifier = TokenVerifier(settings.access)
        self._content = ContentReader(
            settings.server.body_limit, find_tokens=has_token_field(read_call)
        )
        self._settings = settings.server
        self._fail_when_full = settings.journal.on_full == "fail"
        self._overloaded = Acknowledgement(
            settings.server.ack_status, b'{"execution":null}', "overloaded"
        )
        self.closed = False
        """Set during shutdown: every call is rejected with 503."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._respond(scope, receive)
        if code := _rejection_code(response):
            name = scope["path_params"].get("name", "")
            self._observer.call_rejected(name if name in self._blocks else "", code)
        await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> ASGIApp:
        if not self._access.allows(scope):
            return not_found()
        if scope["method"] != "POST":
            return method_not_allowed("POST")
        if self.closed:
            return problem(
                503, "shutting_down", "The service is stopping.", retry_after=RETRY_AFTER_SECONDS
            )
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        # A URL without a name is served only if there is one block.
        name = scope["path_params"].get("name") or next(iter(self._blocks))
        target = name if name in self._blocks else "?"
        with tracing.span("call", target, "server", parent=headers.get("traceparent", "")):
            return await self._handle_call(name, scope, headers, receive)

    async def _handle_call(
        self, name: str, scope: Scope, headers: Mapping[str, str], receive: Receive
    ) -> ASGIApp:
        try:
            body, was_compressed = await self._content.read(headers, receive)
            if was_compressed:
                headers = {k: v for k, v in headers.items() if k not in COMPRESSION_HEADERS}
            query = scope["query_string"].decode("latin-1")
            call, token = self._read(RawCall(scope["path"], body, headers, query))
        except CallError as error:
            self._complete_unread(error)
            return problem(error.status, error.code, redact_text(error.detail))
        block = self._blocks.get(name)
        if block is None:
            self._rejections.reject(token, Failure("unknown_block"))
            return problem(
                404, "unknown_block", "The block does not exist. GET /blocks lists the blocks."
            )
        request = self._validate(block, call, token)
        if isinstance(request, Problem):
            return request
        limit_key = None if block.limits is None else _limit_key(block, call, token, request)
        return await self._accept(name, call, token, body, limit_key)

    def _read(self, raw: RawCall) -> tuple[Call, Token]:
        call = self._read_call_safely(raw)
        return call, self._read_token(call.token)

    def _read_token(self, secret: str) -> Token:
        try:
            token = Token(secret)
        except (ValueError, TypeError) as error:
            raise CallError(400, "malformed_token", f"The token is invalid: {error}.") from None
        if not self._token_verifier.accepts(token):
            raise CallError(403, "wrong_signature", "The token is not signed with a known key.")
        self._address.base_url(token)
        return token

    def _complete_unread(self, error: CallError) -> None:
        """Complete the block of a call of which only the token could be read."""
        if error.token:
            with suppress(CallError):
                token = self._read_token(error.token)
                register_token(token)  # an author's reader may have put it into the detail
                self._rejections.reject(token, Failure("invalid_input"))

    def _read_call_safely(self, raw: RawCall) -> Call:
        """Call the author's reader, which may raise anything.

        Raises:
            CallError: the reader's, or 400 for any other error.
        """
        try:
            return Call(*self._read_call(raw))
        except CallError:
            raise
        except Exception as error:  # noqa: BLE001 - an author's reader may raise anything
            # The error's text may contain the call, and so the token: it is not logged.
            frame = extract_tb(error.__traceback__)[:2][-1]
            at = f"{frame.filename}:{frame.lineno}"
            name = type(error).__name__
            log.error("read_call_failed", error=name, at=at, reference=reference_of(error))  # noqa: TRY400
            raise CallError(400, "unreadable", "The call cannot be read.") from None

    def _validate(self, block: Block, call: Call, token: Token) -> BaseModel | Problem:
        """Validate the inputs; if they are invalid, return the response to the call."""
        try:
            return block.signature.read(call.inputs)
        except ValidationError as error:
            register_token(token)  # an author's validator may have put it into its message
            self._rejections.reject(token, Failure("invalid_input"))
            return problem(
                422,
                "invalid_input",
                "The inputs are invalid; GET /blocks shows the block's schema.",
                errors=list_errors(error.errors(include_input=False, include_url=False)),
            )
        except Exception:
            register_token(token)
            log.exception("validation_failed", block=block.name)
            self._rejections.reject(token, Failure("internal"))
            return problem(
                500, "internal", "The block's own validation failed. The log has the traceback."
            )

    async def _accept(
        self, name: str, call: Call, token: Token, body: bytes, limit_key: str | None
    ) -> ASGIApp:
        try:
            acceptance = await self._inbox.accept(name, token, call.inputs, body, limit_key)
        except QueueFull as error:
            code = "queue_full"
            log.info(
                "call_rejected", block=name, code=code, **error_fields(error), **token.log_fields
            )
            return self._reject_overload(token)
        except JournalUnavailable as error:
            code = "journal_unavailable"
            log.info(
                "call_rejected", block=name, code=code, **error_fields(error), **token.log_fields
            )
            return problem(
                503,
                code,
                "The journal cannot be written. Nothing was started.",
                retry_after=RETRY_AFTER_SECONDS,
            )
        status = self._settings.ack_status
        return Acknowledgement(status, b'{"execution":"%b"}' % acceptance.execution.encode())

    def _reject_overload(self, token: Token) -> ASGIApp:
        if not self._fail_when_full:
            return problem(
                503,
                "queue_full",
                "Too many executions are waiting.",
                retry_after=RETRY_AFTER_SECONDS,
            )
        self._rejections.reject(token, Failure("overloaded"))
        return self._overloaded


def _limit_key(block: Block, call: Call, token: Token, request: BaseModel) -> str:
    """Return the hash of a call's key for the limits of its block; empty if it has none.

    A call whose key cannot be made is accepted: it shares the limits of all such calls.
    """
    make_key = block.options["key"]
    if make_key is None:
        return ""
    info = CallInfo(block.name, token.claims, call.inputs)
    try:
        return hash_key(make_key(info, block.signature.request(request)))
    except Exception:
        register_token(token)  # an author's function may have put it into its message
        log.exception("limit_key_failed", block=block.name)
        return ""


def _rejection_code(response: ASGIApp) -> str:
    """Why a call was rejected; empty if it was accepted."""
    if isinstance(response, Problem):
        return response.code
    return response.rejection if isinstance(response, Acknowledgement) else ""
