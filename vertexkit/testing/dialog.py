"""A dialog that reaches a block, in one process: no network, and no waiting."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic_core import from_json, to_json
from starlette.types import ASGIApp

from vertexkit.app import App
from vertexkit.botone.http_client import asgi_client
from vertexkit.clock import Clock
from vertexkit.execution import Outcome
from vertexkit.service import Service
from vertexkit.settings import Settings
from vertexkit.telemetry.events import Event
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.platform.app import LOGIN, FakePlatform

PLATFORM = "http://platform.test/api"
DEFAULTS = {"platform_url": PLATFORM, "lease": 1e9, "grace": 5.0, "journal": "memory:"} | {
    "login": LOGIN,
    "password": LOGIN,
}
RETRIES = frozenset({"send_retried", "completion_retried", "retried"})
PATIENCE = 60.0
TAKEN: ContextVar[str | None] = ContextVar("TAKEN", default=None)
"""The execution that this task's call became: an answer without a body cannot name it."""


class SentMessage(str):
    """A message that reached the dialog: its text, and what the platform noted with it."""

    typing: bool
    """The bot was shown typing before it."""
    message_id: int
    created_at: int
    at: float
    """Seconds since the run began, on the run's clock."""

    __slots__ = ("at", "created_at", "message_id", "typing")


@dataclass(frozen=True, slots=True)
class Run:
    """What one call of a block came to."""

    status: int
    """Of the answer to the platform's call; 200 if it was accepted."""
    answer: dict[str, Any]
    """That answer's JSON."""
    messages: list[SentMessage] = field(default_factory=list)
    """What the dialog saw, in order; each compares as its text."""
    data: Any = None
    """What the block was completed with."""
    outcome: Outcome | None = None
    """How the execution ended; None if the call was refused."""
    timeline: list[Event] = field(default_factory=list)
    """What happened, in order: accepted, claimed, sent, stepped, completed, settled, ..."""

    @property
    def execution(self) -> str | None:
        """The execution's id."""
        return self.timeline[0].execution if self.timeline else self.answer.get("execution")

    @property
    def retries(self) -> int:
        """How often something was tried again: a message, a completion, the handler."""
        return sum(event.name in RETRIES for event in self.timeline)

    @property
    def attempts(self) -> int:
        """Runs of the handler."""
        return sum(event.name == "claimed" for event in self.timeline)

    @property
    def events(self) -> list[str]:
        """The names of the timeline."""
        return [event.name for event in self.timeline]

    @property
    def ok(self) -> bool:
        """Accepted, completed, and not as failed."""
        return self.outcome is not None and self.outcome.code == "ok"


class FakeDialog:
    """Runs the blocks of an app against a fake platform: the real app, the real wire format.

    Back-off, `Retry` and typing take no time: the clock is virtual. Each run starts the app and
    ends it, its lifespan included; `async with dialog:` keeps it running for several.

    Args:
        app: whose blocks are run.
        platform: by default a new one, strict.
        clock: by default the platform's; real time for whoever wants to watch.
        patience: real seconds that a run may take before it counts as hanging.
        settings: of the app, for example `timeout=2`; the environment is not read.
    """

    def __init__(
        self,
        app: App,
        platform: FakePlatform | None = None,
        *,
        clock: Clock | None = None,
        patience: float = PATIENCE,
        **settings: Any,
    ) -> None:
        self.app = app
        self.clock = clock or (platform.clock if platform is not None else VirtualClock())
        self.platform = platform if platform is not None else FakePlatform(clock=self.clock)
        self._settings = Settings.of(**(DEFAULTS | settings))
        self._patience = patience
        self._service: Service | None = None
        self._asgi: ASGIApp | None = None
        self._timelines: dict[str, list[Event]] = {}
        self._settled: dict[str, asyncio.Event] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        self._service = await self._stack.enter_async_context(
            self.app.started(
                self._settings,
                clock=self.clock,
                wire=AsgiWire(self.platform, self.clock),
                client=asgi_client(self.platform),
            )
        )
        self._service.events.subscribe(self._note)
        self._asgi = self.app.face(self._service)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._service = self._asgi = None
        await self._stack.aclose()

    def subscribe(self, callback: Callable[[Event], None]) -> None:
        """Call back with each event of the executions, inside `async with dialog:`."""
        assert self._service is not None, "use it inside `async with dialog:`"
        self._service.events.subscribe(callback)

    async def run(self, block: str, /, **inputs: Any) -> Run:
        """Let a new dialog reach this block, and wait until its execution has ended.

        Args:
            block: its name.
            inputs: for the block.

        Raises:
            TimeoutError: it did not end within the patience.
        """
        return await self.call(block, inputs, self.platform.issue(block))

    def run_sync(self, block: str, /, **inputs: Any) -> Run:
        """As `run`, for tests that are no coroutines.

        Raises:
            RuntimeError: the test is one.
            TimeoutError: as `run`.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError("run_sync is for plain tests; in an async one: `await dialog.run()`")
        return asyncio.run(self.run(block, **inputs))

    async def call(self, block: str, inputs: dict[str, Any], token: str) -> Run:
        """As `run`, with a token of the platform's `issue`."""
        if self._service is None:
            # An app of its own, so that runs side by side do not end each other's.
            async with copy(self) as alone:
                return await alone.call(block, inputs, token)
        service, began = self._service, self.clock.now()
        TAKEN.set(None)
        status, answer = await self.post(f"/blocks/{block}", {"token": token} | inputs)
        execution = TAKEN.get()
        if execution is None:
            await service.rejections.drain(self._patience)
            return self._seen(Run(status, answer), token, began)
        try:
            async with asyncio.timeout(self._patience):
                await self._settled.setdefault(execution, asyncio.Event()).wait()
                record = await service.journal.find(execution)
        except TimeoutError:
            so_far = ", ".join(event.name for event in self._timelines[execution])
            raise TimeoutError(f"{block!r} hangs after {self._patience} s: {so_far}") from None
        timeline = list(self._timelines[execution])
        outcome = record.outcome if record is not None else None
        return self._seen(Run(status, answer, [], None, outcome, timeline), token, began)

    async def post(self, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Call the app as the platform does; gives status and JSON of the answer."""
        assert self._asgi is not None, "use it inside `async with dialog:`"
        answer: dict[str, Any] = {"body": b""}
        asked = [{"type": "http.request", "body": to_json(body), "more_body": False}]

        async def receive() -> dict[str, Any]:
            return asked.pop() if asked else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            answer["status"] = message.get("status", answer.get("status"))
            answer["body"] += message.get("body", b"")

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": [(b"content-type", b"application/json"), (b"host", b"block.test")],
        }
        await self._asgi(scope, receive, send)
        return answer["status"], from_json(answer["body"] or b"{}")

    def _note(self, event: Event) -> None:
        if event.name in {"accepted", "deduplicated"}:
            TAKEN.set(event.execution)
        self._timelines.setdefault(event.execution, []).append(event)
        if event.name == "settled":
            self._settled.setdefault(event.execution, asyncio.Event()).set()

    def _seen(self, run: Run, token: str, began: float) -> Run:
        """Add what the platform saw of this activation."""
        activation = self.platform.activation(token)
        for message in activation.messages:
            said = SentMessage(message.text)
            said.typing, said.message_id = message.typing, message.message_id
            said.created_at, said.at = message.created_at, message.at - began
            run.messages.append(said)
        data = activation.completions[-1].data if activation.completions else None
        return Run(run.status, run.answer, run.messages, data, run.outcome, run.timeline)
