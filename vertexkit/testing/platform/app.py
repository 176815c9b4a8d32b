"""The fake platform: an ASGI app for tests and for the terminal, strict, with faults on request."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from vertexkit.clock import Clock
from vertexkit.testing.platform.auth import BasicAuth
from vertexkit.testing.platform.conversations import FakeConversations, UpdatedBy
from vertexkit.testing.platform.dialog_api import DialogApi
from vertexkit.testing.platform.dialogs import Activation, Dialog, DialogRegistry
from vertexkit.testing.platform.fault_rules import FaultPlan, FaultRule
from vertexkit.testing.platform.faults import DEFAULT_SLOW_SECONDS, Fault, Faults, encode_body
from vertexkit.testing.platform.ledger import Entry, Exchange, Ledger
from vertexkit.testing.platform.methods import DIALOG_METHODS
from vertexkit.testing.platform.responses import error_response, receive_body, recording_send
from vertexkit.testing.platform.seeds import FIRST_DIALOG_ID
from vertexkit.testing.platform.vertex import VERTEX_METHODS, CallDuringComplete, VertexApi

BASE_PATH = "/api"
"""The start of all paths."""
DIALOG_PATHS = (f"{BASE_PATH}/v1/", f"{BASE_PATH}/v2/")
DEFAULT_DIALOGS = 200
"""Number of seeded dialogs."""
DEFAULT_LOGIN = "demo"
DEFAULT_PASSWORD = "demo"  # noqa: S105 - a fake's
ROUTING_ERRORS = {404: "unknown path", 405: "unknown method for this path"}


class ConnectionCut(ConnectionError):
    """An ordered fault that breaks the client's connection; it leaves the ASGI app as this error.

    It is raised before anything was sent ("cut", "lost") or after half of the response ("half").
    Over a socket, uvicorn logs it, and answers 500 in the first case and closes the connection in
    the second.

    Attributes:
        processed: the platform had done what the request asked for.
    """

    def __init__(self, processed: bool) -> None:
        super().__init__(f"an ordered fault, {'after' if processed else 'before'} processing")
        self.processed = processed


class FakePlatform:
    """An ASGI app that fakes the platform, records all requests, and tolerates no mistakes.

    An invalid request is answered as the document says, and is also a violation, for which
    `check()` fails. What the document allows is not a violation: a `complete` that is repeated
    because its response was lost, a message into a dialog that was ordered gone, an id that does
    not exist, a wrong password.

    Use one instance in one event loop and one thread at a time.

    Args:
        seed: of the generated dialogs and numbers, and of `chaos`.
        clock: dates everything and does all the waiting; real time by default.
        tokens: "issued" accepts only tokens that `issue` returned; with "any", an unknown token
            opens a dialog.
        typing_seconds: delay of the response to a message with typing=true.
        dialogs: number of seeded dialogs, all of the first half of 2023. They are generated when
            one of methods 1 to 13 is used first.
        updated_by: whose last message `UpdatedFrom` and `UpdatedTo` go by: that of the user, as the
            tables of the document say, or that of anybody, as its section 5 says.
        login: the login for methods 1 to 13, by HTTP Basic.
        password: the password for them.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        clock: Clock | None = None,
        tokens: Literal["issued", "any"] = "issued",
        typing_seconds: float = 0.0,
        dialogs: int = DEFAULT_DIALOGS,
        updated_by: UpdatedBy = "user",
        login: str = DEFAULT_LOGIN,
        password: str = DEFAULT_PASSWORD,
    ) -> None:
        self.clock: Clock = clock if clock is not None else Clock()
        self._ledger = Ledger()
        self._dialogs = DialogRegistry(seed, tokens == "any", self.clock, FIRST_DIALOG_ID + dialogs)
        self._faults = Faults((*VERTEX_METHODS, *DIALOG_METHODS), seed)
        self._vertex_api = VertexApi(self._dialogs, self._faults, self.clock, typing_seconds)
        self._conversations = FakeConversations(
            seed, dialogs, self.clock, self._dialogs, updated_by
        )
        self._dialog_api = DialogApi(
            self._conversations, self._faults, self.clock, BasicAuth(login, password)
        )

    @cached_property
    def _vertex_app(self) -> Starlette:
        return self._app(self._vertex_api.routes())

    @cached_property
    def _dialog_app(self) -> Starlette:
        return self._app(self._dialog_api.routes())

    def _app(self, routes: Sequence[BaseRoute]) -> Starlette:
        return Starlette(
            routes=[Mount(BASE_PATH, Router(routes, redirect_slashes=False))],
            exception_handlers=dict.fromkeys(ROUTING_ERRORS, self._reject_route),
        )

    def issue(
        self,
        block: str = "block",
        dialog_id: int | None = None,
        instance: str = "demo",
        reuse: str | None = None,
    ) -> str:
        """Activate a block in a dialog.

        Args:
            block: the block's name. All its tokens have the same `vertex_id`.
            dialog_id: the dialog's number; a new dialog by default.
            instance: for the token's claims.
            reuse: a token whose block was completed: the dialog reaches the same block again with
                the same token. The other arguments are ignored then.

        Returns:
            The token for the platform's call.

        Raises:
            ValueError: the dialog is deleted, or the block of the token to reuse is not completed.
            LookupError: the token to reuse was never issued nor seen.
        """
        if reuse is not None:
            return self.reactivate(reuse).token
        return self._dialogs.issue(block, dialog_id, instance)

    def reactivate(self, token: str) -> Activation:
        """Activate the same block again with the same token.

        Returns:
            The new activation.

        Raises:
            ValueError: its last activation is not completed.
            LookupError: the token was never issued nor seen.
        """
        return self._dialogs.reactivate(token)

    @property
    def call_during_complete(self) -> CallDuringComplete | None:
        """Awaited with the token and the data before the response to `complete` is sent.

        The block is completed by then, so the function may `reactivate` it and call it again, as a
        platform does that continues the bot's flow within that request. An exception in it is a
        violation.
        """
        return self._vertex_api.call_during_complete

    @call_during_complete.setter
    def call_during_complete(self, call: CallDuringComplete | None) -> None:
        self._vertex_api.call_during_complete = call

    def fail(
        self,
        method: str,
        *,
        status: int | None = None,
        retry_after: str | float | None = None,
        body: str | bytes | Mapping[str, Any] | None = None,
        kind: str | None = None,
        seconds: float | None = None,
        times: int = 1,
        after: int = 0,
    ) -> None:
        """Order a fault. The faults of a method happen in the order in which they were ordered.

        Only valid, authenticated requests for something that exists are hit.

        Args:
            method: "send_message" or "complete"; of methods 1 to 13 the client's name, such as
                "v1.conversations" or "v2.create_and_start".
            status: the response's status; unless it is a 2xx, nothing is processed.
            retry_after: the response's `Retry-After`, in seconds or as an HTTP date.
            body: the response's body.
            kind: "cut", "garbage", "gone", "half", "lost" or "slow": see `faults.FAULT_KINDS`.
                "lost" and "slow" may be combined with a status.
            seconds: the delay of "slow"; 60 by default.
            times: how many requests the fault hits.
            after: how many requests pass first, once all earlier faults are used up.

        Raises:
            ValueError: the method or kind is unknown, or the arguments do not fit together.
        """
        if seconds is None:
            seconds = DEFAULT_SLOW_SECONDS if kind == "slow" else 0.0
        header = None if retry_after is None else str(retry_after)
        content = encode_body(body)
        self._faults.order(Fault(method, kind, status, header, content, seconds, times, after))

    def plan_faults(self, token: str, rules: Sequence[FaultRule], seed: int = 0) -> None:
        """Hit the requests of one call by rules of its own, instead of the ordered faults.

        Args:
            token: of the call.
            rules: several may hit the same request.
            seed: of the rules' probabilities.
        """
        self._faults.plan(token, FaultPlan(rules, seed))

    def clear_faults(self) -> None:
        """Remove the ordered faults that have not happened yet."""
        self._faults.clear()

    def chaos(self, rate: float, kinds: Sequence[str | int] = ("cut", "lost", 503)) -> None:
        """Hit each request that no ordered fault hits with this probability, based on the seed.

        Args:
            rate: from 0 to 1; 0 ends it.
            kinds: kinds and statuses; one of them is drawn for each hit.

        Raises:
            ValueError: the rate is out of range, or a kind is unknown.
        """
        self._faults.set_chaos(rate, kinds)

    @property
    def ledger(self) -> list[Entry]:
        """All requests so far, in the order of arrival."""
        return list(self._ledger.entries)

    @property
    def violations(self) -> list[str]:
        """A sentence for each violation of the platform's rules."""
        return list(self._ledger.violations)

    @property
    def conversations(self) -> FakeConversations:
        """The dialogs as methods 1 to 13 show them, to read, change and add.

        `add(698, city="Perm", answers=[...])`, `add_file(name, content)`, `[id]`, `[uuid]`, `len`.
        """
        return self._conversations

    @property
    def dialogs(self) -> list[Dialog]:
        """All dialogs that reached a block, in the order in which they started."""
        return list(self._dialogs.all)

    def dialog(self, token: str) -> Dialog:
        """Return the dialog that a token belongs to.

        Raises:
            LookupError: the token was never issued nor seen.
        """
        return self._dialogs.activation(token).dialog

    def activation(self, token: str) -> Activation:
        """Return the last activation with this token.

        Raises:
            LookupError: the token was never issued nor seen.
        """
        return self._dialogs.activation(token)

    def subscribe(self, callback: Callable[[Entry], object], *, arrivals: bool = False) -> None:
        """Call back with each ledger entry when its exchange ends.

        Args:
            callback: called with the entry, in the platform's event loop.
            arrivals: call it also when a request arrives; `answered_at` is None then.
        """
        self._ledger.subscribe(callback, arrivals)

    def check(self, *, allow_unused: bool = False) -> None:
        """Fail if there are violations or unused faults.

        Args:
            allow_unused: ordered faults may be left over.

        Raises:
            AssertionError: lists the violations and the faults that were not used up.
        """
        lines = []
        if violations := self.violations:
            count = "1 violation" if len(violations) == 1 else f"{len(violations)} violations"
            lines = [f"FakePlatform found {count}:", *violations]
        if not allow_unused:
            lines += self._faults.unused()
        if lines:
            raise AssertionError("\n".join(lines))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Faults that break the connection are raised as `ConnectionCut`."""
        # Two apps: thousands of tests need that of blocks, and building the other one takes time.
        is_dialog_path = scope["type"] == "http" and scope["path"].startswith(DIALOG_PATHS)
        app: ASGIApp = self._dialog_app if is_dialog_path else self._vertex_app
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        now, query = self.clock.now(), scope["query_string"]
        exchange = Exchange(self._ledger, scope["method"], scope["path"], now, query)
        finished = False
        try:
            body = await receive_body(receive)
            if body is not None:
                exchange.update(body=body)
                scope["exchange"] = exchange
                await app(scope, receive, recording_send(exchange, send))
                finished = not exchange.client_left
        finally:
            exchange.client_left = not finished
            sent_whole = exchange.withheld is None and exchange.entry.status is not None
            delivered = finished and sent_whole and exchange.as_documented
            exchange.update(delivered=delivered, answered_at=self.clock.now())
            exchange.notify()
        if finished and exchange.withheld is not None:
            raise ConnectionCut(exchange.entry.processed)

    async def _reject_route(self, request: Request, error: Exception) -> Response:
        exchange: Exchange = request.scope["exchange"]
        if not isinstance(error, HTTPException):
            raise error
        entry = exchange.entry
        known = ", ".join(
            f"{route.name} {'/'.join(route.methods or ())} {BASE_PATH}{route.path}"
            for route in (*self._vertex_api.routes(), *self._dialog_api.routes())
        )
        problem = ROUTING_ERRORS[error.status_code]
        sentence = f"{entry.verb} {entry.path}: {problem}; the paths are: {known}"
        exchange.add_violation(sentence)
        response = error_response(error.status_code, sentence)
        response.headers.update(error.headers or {})
        return response
