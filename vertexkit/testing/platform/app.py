"""The platform on this machine, for tests and for the terminal: strict, and faulty on request."""

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
from vertexkit.testing.platform.auth import Door
from vertexkit.testing.platform.conversations import Archive
from vertexkit.testing.platform.dialog_api import DialogPart
from vertexkit.testing.platform.dialogs import Activation, Dialog, Dialogs
from vertexkit.testing.platform.faults import SLOW_SECONDS, Fault, Faults, body_of
from vertexkit.testing.platform.ledger import Entry, Exchange, Ledger
from vertexkit.testing.platform.methods import DIALOG_METHODS
from vertexkit.testing.platform.responses import read_body, refusal, written_down
from vertexkit.testing.platform.seeds import FIRST_ID
from vertexkit.testing.platform.vertex import METHODS, CallAgain, VertexPart

BASE_PATH = "/api"
"""What all paths begin with."""
DIALOG_PATHS = (f"{BASE_PATH}/v1/", f"{BASE_PATH}/v2/")
SEEDED = 200
LOGIN = "demo"
"""The password too."""
ASTRAY = {404: "path", 405: "method for this path"}


class ConnectionCut(ConnectionError):
    """How an ordered fault leaves the ASGI app: for the caller the connection broke.

    It comes before anything was sent ("cut", "lost") or after half of the answer ("half"). Over a
    socket, uvicorn logs it, and answers 500 in the first case and closes the connection in the
    second.

    Attributes:
        processed: the platform had done what the request asks for.
    """

    def __init__(self, processed: bool) -> None:
        super().__init__(f"an ordered fault, {'after' if processed else 'before'} processing")
        self.processed = processed


class FakePlatform:
    """An ASGI app that plays the platform, writes down all it is asked, and forgives nothing.

    A wrong request is answered as the document says, and is a violation besides, by which
    `check()` fails. What the document grants is none: a `complete` repeated because its answer
    was lost, a message into a dialog that was ordered gone, an id that does not exist, a wrong
    password.

    Not for use from several event loops or threads at a time.

    Args:
        seed: of the dialogs and numbers that are made up, and of `chaos`.
        clock: dates everything and does all the waiting; real time by default.
        tokens: "issued" knows those that `issue` gave; with "any", a token that was never seen
            opens a dialog.
        typing_seconds: how long a message with typing=true takes to be answered.
        dialogs: how many there are from the start, of the first half of 2023. They are made when
            one of methods 1 to 13 is used, so that they cost nothing before.
        login: what methods 1 to 13 ask for by HTTP Basic.
        password: with it.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        clock: Clock | None = None,
        tokens: Literal["issued", "any"] = "issued",
        typing_seconds: float = 0.0,
        dialogs: int = SEEDED,
        login: str = LOGIN,
        password: str = LOGIN,
    ) -> None:
        self.clock = clock if clock is not None else Clock()
        self._ledger = Ledger()
        self._dialogs = Dialogs(seed, tokens == "any", self.clock, FIRST_ID + dialogs)
        self._faults = Faults((*METHODS, *DIALOG_METHODS), seed)
        self._vertex = VertexPart(self._dialogs, self._faults, self.clock, typing_seconds)
        self._archive = Archive(seed, dialogs, self.clock, self._dialogs)
        self._methods = DialogPart(self._archive, self._faults, self.clock, Door(login, password))

    @cached_property
    def _vertex_app(self) -> Starlette:
        return self._app(self._vertex.routes())

    @cached_property
    def _dialog_app(self) -> Starlette:
        return self._app(self._methods.routes())

    def _app(self, routes: Sequence[BaseRoute]) -> Starlette:
        return Starlette(
            routes=[Mount(BASE_PATH, Router(routes, redirect_slashes=False))],
            exception_handlers=dict.fromkeys(ASTRAY, self._astray),
        )

    def issue(
        self,
        block: str = "block",
        dialog_id: int | None = None,
        instance: str = "demo",
        reuse: str | None = None,
    ) -> str:
        """Let a dialog reach a block; gives the token for the platform's call.

        Args:
            block: the block's name. Its tokens share one `vertex_id`.
            dialog_id: the dialog's number; a new dialog by default.
            instance: for the token's claims.
            reuse: a token whose block was completed: the dialog reaches the same block again with
                the very same token. The other arguments say nothing then.

        Raises:
            ValueError: the dialog is deleted, or the activation of the token to reuse is not over.
        """
        if reuse is not None:
            return self.reactivate(reuse).token
        return self._dialogs.issue(block, dialog_id, instance)

    def reactivate(self, token: str) -> Activation:
        """Let the dialog reach the same block again with the same token: a new activation.

        Raises:
            ValueError: its last activation is not completed.
            LookupError: the token was never issued nor seen.
        """
        return self._dialogs.reactivate(token)

    @property
    def call_during_complete(self) -> CallAgain | None:
        """Awaited with the token and the data while `complete` is still being answered.

        The activation is completed by then, so it may `reactivate` and call the block: this plays a
        platform that goes on with the flow within that request. What it raises is a violation.
        """
        return self._vertex.call_during_complete

    @call_during_complete.setter
    def call_during_complete(self, call: CallAgain | None) -> None:
        self._vertex.call_during_complete = call

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
        """Order a fault. A method's faults happen in the order in which they were ordered.

        Only requests in the right form, let in, and about what exists are hit.

        Args:
            method: "send_message" or "complete"; of methods 1 to 13 the client's name, such as
                "v1.conversations" or "v2.create_and_start".
            status: answer this; unless it is a 2xx, nothing is processed.
            retry_after: its `Retry-After`.
            body: its body.
            kind: "cut", "garbage", "gone", "half", "lost" or "slow": see `faults.KINDS`. "lost"
                and "slow" go with a status too.
            seconds: how slow "slow" is; a minute by default.
            times: how many requests it hits.
            after: how many requests it lets pass first, once all earlier faults are used up.

        Raises:
            ValueError: an unknown method or kind, or arguments that do not go together.
        """
        if seconds is None:
            seconds = SLOW_SECONDS if kind == "slow" else 0.0
        wait, answer = None if retry_after is None else str(retry_after), body_of(body)
        self._faults.order(Fault(method, kind, status, wait, answer, seconds, times, after))

    def clear_faults(self) -> None:
        """Nothing that was ordered and has not happened will."""
        self._faults.forget()

    def chaos(self, rate: float, kinds: Sequence[str | int] = ("cut", "lost", 503)) -> None:
        """Hit each request that no ordered fault hits with this probability, by the seed.

        Args:
            rate: 0 to 1; 0 ends it.
            kinds: kinds and statuses, one of which is drawn.

        Raises:
            ValueError: a rate or a kind that cannot be.
        """
        self._faults.chaos(rate, kinds)

    @property
    def ledger(self) -> list[Entry]:
        """All requests so far, as they came."""
        return list(self._ledger.entries)

    @property
    def violations(self) -> list[str]:
        """A sentence for each breach of the rules."""
        return list(self._ledger.violations)

    @property
    def conversations(self) -> Archive:
        """The dialogs as methods 1 to 13 know them: to look at, to change and to add to.

        `add(698, city="Perm", answers=[...])`, `add_file(name, content)`, `[id]`, `[uuid]`, `len`.
        """
        return self._archive

    @property
    def dialogs(self) -> list[Dialog]:
        """All dialogs that reached a block, in the order in which they began."""
        return list(self._dialogs.all)

    def dialog(self, token: str) -> Dialog:
        """The dialog that a token speaks in.

        Raises:
            LookupError: the token was never issued nor seen.
        """
        return self._dialogs.activation(token).dialog

    def activation(self, token: str) -> Activation:
        """The last activation with this token.

        Raises:
            LookupError: the token was never issued nor seen.
        """
        return self._dialogs.activation(token)

    def subscribe(self, callback: Callable[[Entry], object], *, arrivals: bool = False) -> None:
        """Call back with each ledger entry as it is over.

        With `arrivals`, also as it comes: then `answered_at` is still None.
        """
        self._ledger.subscribe(callback, arrivals)

    def check(self, *, allow_unused: bool = False) -> None:
        """Fail if anything was wrong.

        Raises:
            AssertionError: lists the violations, and the ordered faults that were not used up
                unless `allow_unused`.
        """
        wrongs = self.violations + ([] if allow_unused else self._faults.unused())
        if wrongs:
            raise AssertionError("\n".join(["the platform was not content:", *wrongs]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Ordered faults come out as `ConnectionCut`."""
        # Two apps, for that of blocks is needed at once and by thousands of tests.
        about_dialogs = scope["type"] == "http" and scope["path"].startswith(DIALOG_PATHS)
        app: ASGIApp = self._dialog_app if about_dialogs else self._vertex_app
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        now, query = self.clock.now(), scope["query_string"]
        exchange = Exchange(self._ledger, scope["method"], scope["path"], now, query)
        finished = False
        try:
            body = await read_body(receive)
            if body is not None:
                exchange.note(body=body)
                scope["exchange"] = exchange
                await app(scope, receive, written_down(exchange, send))
                finished = not exchange.left
        finally:
            exchange.left = not finished
            entry = exchange.entry
            whole = finished and exchange.withheld is None and entry.status is not None
            exchange.note(delivered=whole and exchange.promised, answered_at=self.clock.now())
            exchange.announce()
        if finished and exchange.withheld is not None:
            raise ConnectionCut(exchange.entry.processed)

    async def _astray(self, request: Request, problem: Exception) -> Response:
        exchange: Exchange = request.scope["exchange"]
        if not isinstance(problem, HTTPException):
            raise problem
        what = ASTRAY[problem.status_code]
        known = ", ".join(
            f"{route.name} is {'/'.join(route.methods or ())} {BASE_PATH}{route.path}"
            for route in (*self._vertex.routes(), *self._methods.routes())
        )
        sentence = f"{exchange.entry.verb} {exchange.entry.path}: no such {what}; {known}"
        exchange.violate(sentence)
        answer = refusal(problem.status_code, sentence)
        answer.headers.update(problem.headers or {})
        return answer
