"""A fake dialog that runs blocks in the test's process: no network, no waiting."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, Self

from pydantic_core import from_json, to_json
from starlette.types import ASGIApp

from vertexkit.app import App
from vertexkit.asgi import http_app
from vertexkit.botone.http_client import asgi_client
from vertexkit.clock import Clock
from vertexkit.execution import Outcome
from vertexkit.journal import make_journal
from vertexkit.journal.protocol import JournalBackend
from vertexkit.service import Service, running_service
from vertexkit.settings import Settings
from vertexkit.telemetry.events import Event
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.platform.app import DEFAULT_LOGIN, DEFAULT_PASSWORD, FakePlatform

DEFAULT_SETTINGS: dict[str, Any] = {
    "platform_url": "http://platform.test/api",
    "login": DEFAULT_LOGIN,
    "password": DEFAULT_PASSWORD,
    "journal": "memory:",
    "lease": 1e9,
    "grace": 5.0,
}
RETRY_EVENTS = frozenset({"send_retried", "completion_retried", "retried"})
DEFAULT_PATIENCE_SECONDS = 60.0
ACCEPTED_EXECUTION: ContextVar[str | None] = ContextVar("ACCEPTED_EXECUTION", default=None)
"""The execution of this task's call; a response without a body does not name it."""


class SentMessage(str):
    """A message that reached the dialog. It is a `str`, so it compares equal to its text.

    Attributes:
        typing: the platform showed the bot typing before it.
        message_id: the platform's id.
        created_at: the platform's time, in Unix seconds.
        at: seconds since the start of the run, on the run's clock.
    """

    typing: bool
    message_id: int
    created_at: int
    at: float

    __slots__ = ("at", "created_at", "message_id", "typing")


@dataclass(frozen=True, slots=True)
class Run:
    """The record of one call of a block.

    Attributes:
        status: status of the response to the platform's call; 200 if the call was accepted.
        answer: JSON of that response.
        messages: the messages that reached the dialog, in order; each compares equal to its text.
        data: the data that the block was completed with.
        outcome: how the execution ended; None if the call was rejected.
        timeline: the events of the execution, in order: accepted, claimed, sent, step_completed,
            result_recorded, completed, settled and others.
    """

    status: int
    answer: dict[str, Any]
    messages: list[SentMessage] = field(default_factory=list)
    data: Any = None
    outcome: Outcome | None = None
    timeline: list[Event] = field(default_factory=list)

    @property
    def execution(self) -> str | None:
        """The id of the execution; None if the call was rejected."""
        return self.timeline[0].execution if self.timeline else self.answer.get("execution")

    @property
    def retries(self) -> int:
        """How often a message, the completion or the handler was retried."""
        return sum(event.name in RETRY_EVENTS for event in self.timeline)

    @property
    def attempts(self) -> int:
        """How often the handler was started."""
        return sum(event.name == "claimed" for event in self.timeline)

    @property
    def events(self) -> list[str]:
        """The names of the events of the timeline."""
        return [event.name for event in self.timeline]

    @property
    def ok(self) -> bool:
        """Whether the call was accepted and the block did not fail."""
        return self.outcome is not None and self.outcome.code == "ok"


class FakeDialog:
    """Runs the blocks of an app against a fake platform, with the real app and wire format.

    Backoff, `Retry` and typing take no time: the clock is virtual. Each run starts and stops the
    app, including its lifespan; `async with dialog:` keeps the app running for several runs.

    Args:
        app: the app whose blocks are run.
        platform: by default a new one.
        clock: by default the platform's; `Clock()` for real time.
        patience: real seconds after which a run counts as hanging.
        settings: of the app, for example `timeout=2`; the environment is not read.
    """

    def __init__(
        self,
        app: App,
        platform: FakePlatform | None = None,
        *,
        clock: Clock | None = None,
        patience: float = DEFAULT_PATIENCE_SECONDS,
        **settings: Any,
    ) -> None:
        self.app = app
        self.clock: Clock = clock or (platform.clock if platform is not None else VirtualClock())
        self.platform: FakePlatform = (
            platform if platform is not None else FakePlatform(clock=self.clock)
        )
        self._settings = Settings.of(**(DEFAULT_SETTINGS | settings))
        self._patience = patience
        self._service: Service | None = None
        self._journal: JournalBackend
        self._asgi: ASGIApp | None = None
        self._timelines: dict[str, list[Event]] = {}
        self._settled: dict[str, asyncio.Event] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        self._journal = make_journal(self._settings.journal, self.clock)
        self._service = await self._stack.enter_async_context(
            running_service(
                self.app,
                self._settings,
                clock=self.clock,
                wire=AsgiWire(self.platform, self.clock),
                journal=self._journal,
                client=asgi_client(self.platform),
            )
        )
        self._service.events.subscribe(self._on_event)
        self._asgi = http_app(self._service)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._service = self._asgi = None
        await self._stack.aclose()

    def subscribe(self, callback: Callable[[Event], None]) -> None:
        """Call back with each event of the executions, until `async with dialog:` ends.

        Raises:
            AssertionError: the dialog is used outside of `async with dialog:`.
        """
        assert self._service is not None, "call this inside `async with dialog:`"
        self._service.events.subscribe(callback)

    async def run(self, block: str, /, **inputs: Any) -> Run:
        """Call the block from a new dialog, and wait until its execution has ended.

        Args:
            block: the block's name.
            inputs: the block's inputs.

        Returns:
            The record of the call.

        Raises:
            TimeoutError: the execution did not end within the patience.
        """
        return await self.call(block, inputs, self.platform.issue(block))

    def run_sync(self, block: str, /, **inputs: Any) -> Run:
        """Do the same as `run` in a test without `async`.

        Raises:
            RuntimeError: an event loop is running.
            TimeoutError: the execution did not end within the patience.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError(
                "run_sync cannot be used in an async test; use `await dialog.run(...)` there"
            )
        return asyncio.run(self.run(block, **inputs))

    async def call(self, block: str, inputs: dict[str, Any], token: str) -> Run:
        """Do the same as `run` with a token that the platform's `issue` returned.

        Args:
            block: the block's name.
            inputs: the block's inputs.
            token: the token of the call.

        Returns:
            The record of the call.

        Raises:
            TimeoutError: the execution did not end within the patience.
        """
        if self._service is None:
            # Each run has its own instance of the app, so that concurrent runs do not stop it.
            async with copy(self) as dialog:
                return await dialog.call(block, inputs, token)
        service, started = self._service, self.clock.now()
        ACCEPTED_EXECUTION.set(None)
        status, answer = await self.post(f"/blocks/{block}", {"token": token} | inputs)
        execution = ACCEPTED_EXECUTION.get()
        if execution is None:
            await service.rejections.drain(self._patience)
            return self._with_activation(Run(status, answer), token, started)
        try:
            async with asyncio.timeout(self._patience):
                await self._settled.setdefault(execution, asyncio.Event()).wait()
                record = await self._journal.find(execution)
        except TimeoutError:
            events = ", ".join(event.name for event in self._timelines[execution])
            raise TimeoutError(
                f"block {block!r} did not end within {self._patience} s; events so far: {events}"
            ) from None
        timeline = list(self._timelines[execution])
        outcome = record.outcome if record is not None else None
        run = Run(status, answer, outcome=outcome, timeline=timeline)
        return self._with_activation(run, token, started)

    async def post(self, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Send a POST request to the app as the platform does.

        Args:
            path: of the request.
            body: sent as JSON.

        Returns:
            Status and JSON of the response.

        Raises:
            AssertionError: the dialog is used outside of `async with dialog:`.
        """
        assert self._asgi is not None, "call this inside `async with dialog:`"
        response: dict[str, Any] = {"body": b""}
        messages = [{"type": "http.request", "body": to_json(body), "more_body": False}]

        async def receive() -> dict[str, Any]:
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            response["status"] = message.get("status", response.get("status"))
            response["body"] += message.get("body", b"")

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
        return response["status"], from_json(response["body"] or b"{}")

    def _on_event(self, event: Event) -> None:
        if event.name in {"accepted", "deduplicated"}:
            ACCEPTED_EXECUTION.set(event.execution)
        self._timelines.setdefault(event.execution, []).append(event)
        if event.name == "settled":
            self._settled.setdefault(event.execution, asyncio.Event()).set()

    def _with_activation(self, run: Run, token: str, started: float) -> Run:
        """Return the run with the messages and data that the platform received for it."""
        activation = self.platform.activation(token)
        messages = []
        for received in activation.messages:
            message = SentMessage(received.text)
            message.typing = received.typing
            message.message_id = received.message_id
            message.created_at = received.created_at
            message.at = received.at - started
            messages.append(message)
        data = activation.completions[-1].data if activation.completions else None
        return replace(run, messages=messages, data=data)
