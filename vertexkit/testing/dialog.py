"""A fake dialog that runs blocks in the test's process: no network, no waiting."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, Self

from pydantic import AliasChoices, AliasPath, BaseModel, RootModel
from pydantic_core import from_json, to_jsonable_python
from starlette.types import ASGIApp

from vertexkit.app import App
from vertexkit.asgi import http_app
from vertexkit.botone.http_client import asgi_client
from vertexkit.clock import Clock
from vertexkit.execution import Outcome
from vertexkit.journal import make_journal
from vertexkit.loading import suggestion
from vertexkit.service import Service, running_service
from vertexkit.settings import Settings
from vertexkit.telemetry.events import Event
from vertexkit.testing.app_under_test import AppUnderTest
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.testing.clock import VirtualClock, real_timer
from vertexkit.testing.crashes import CrashingJournal, CrashPlan
from vertexkit.testing.failures import describe, readable_tracebacks
from vertexkit.testing.loop_timers import replaced_timers
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
        error: what the handler raised, if the block failed because of that. The representation of
            the run, which a failed assertion shows, names its line in the author's code.
        crashes: how often the process of the handler has crashed, as the test had ordered.
    """

    status: int
    answer: dict[str, Any]
    messages: list[SentMessage] = field(default_factory=list)
    data: Any = None
    outcome: Outcome | None = None
    timeline: list[Event] = field(default_factory=list)
    error: BaseException | None = None
    crashes: int = 0

    def __repr__(self) -> str:
        code = self.answer.get("code") if self.outcome is None else self.outcome.code
        parts = [str(self.status) if self.outcome is None else self.outcome.status.value]
        if code not in {None, "ok"}:
            parts.append(str(code) if self.error is None else f"{code} {describe(self.error)}")
        elif self.outcome is not None:
            parts.append("ok")
        messages = [str(message) for message in self.messages]
        return f"<Run {' '.join(parts)}; messages={messages!r}; data={self.data!r}>"

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
        virtual_sleep: let `asyncio.sleep`, `timeout` and `wait_for` of handlers take no time
            either, if the clock is virtual. Threads and sockets take real time; the clock does not
            skip the time in which a thread works.
        settings: of the app, for example `timeout=2`; the environment is not read.
    """

    def __init__(
        self,
        app: App,
        platform: FakePlatform | None = None,
        *,
        clock: Clock | None = None,
        patience: float = DEFAULT_PATIENCE_SECONDS,
        virtual_sleep: bool = True,
        **settings: Any,
    ) -> None:
        self.app = app
        self.clock: Clock = clock or (platform.clock if platform is not None else VirtualClock())
        self.platform: FakePlatform = (
            platform if platform is not None else FakePlatform(clock=self.clock)
        )
        self._settings = Settings.of(**(DEFAULT_SETTINGS | settings))
        self._patience = patience
        self._virtual_sleep = virtual_sleep
        self._service: Service | None = None
        self._app_under_test: AppUnderTest
        self._journal: CrashingJournal
        self._asgi: ASGIApp | None = None
        self._timelines: dict[str, list[Event]] = {}
        self._settled: dict[str, asyncio.Event] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        require_asyncio()
        self._stack = AsyncExitStack()
        self._journal = CrashingJournal(make_journal(self._settings.journal, self.clock))
        virtual = self.clock if isinstance(self.clock, VirtualClock) else None
        if not self._virtual_sleep:
            virtual = None
        self._app_under_test = AppUnderTest(self.app, virtual)
        self._stack.enter_context(readable_tracebacks())
        if virtual is not None:
            self._stack.enter_context(replaced_timers())
        service = self._service = await self._stack.enter_async_context(
            running_service(
                self._app_under_test,
                self._settings,
                clock=self.clock,
                wire=AsgiWire(self.platform, self.clock),
                journal=self._journal,
                client=asgi_client(self.platform),
            )
        )
        service.events.subscribe(self._on_event)
        self._asgi = http_app(service)
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

    async def run(
        self,
        block: str,
        /,
        *,
        crash_after: int | str | None = None,
        crash_everywhere: bool = False,
        **inputs: Any,
    ) -> Run:
        """Call the block from a new dialog, and wait until its execution has ended.

        A crash ends the run of the handler as the death of its process does: nothing that the run
        does with `ctx` afterwards counts, and when its lease has expired, the next run starts on
        the same journal.

        Args:
            block: the block's name.
            crash_after: crash once, after this effect: its number, counted from 1 over messages and
                steps, or its name: that of a step, or "send_message".
            crash_everywhere: crash after each effect, so that every part of the handler is rerun;
                fail if a rerun does something else than the run before.
            inputs: the block's inputs. (One that is called `crash_after` needs `call`.)

        Returns:
            The record of the call.

        Raises:
            ValueError: the app has no such block, or the block no such input. (With `call`, these
                are sent.)
            AssertionError: the ordered crash did not happen, or a rerun was not deterministic.
            TimeoutError: the execution did not end within the patience.
        """
        __tracebackhide__ = True
        self._check_names(block, inputs)
        return await self.call(
            block,
            inputs,
            self.platform.issue(block),
            crash_after=crash_after,
            crash_everywhere=crash_everywhere,
        )

    def run_sync(
        self,
        block: str,
        /,
        *,
        crash_after: int | str | None = None,
        crash_everywhere: bool = False,
        **inputs: Any,
    ) -> Run:
        """Do the same as `run` in a test without `async`.

        Args:
            block: as for `run`.
            crash_after: as for `run`.
            crash_everywhere: as for `run`.
            inputs: as for `run`.

        Returns:
            The record of the call.

        Raises:
            RuntimeError: an event loop is running.
            ValueError: as for `run`.
            AssertionError: as for `run`.
            TimeoutError: as for `run`.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError(
                "run_sync cannot be used in an async test; use `await dialog.run(...)` there"
            )
        return asyncio.run(
            self.run(block, crash_after=crash_after, crash_everywhere=crash_everywhere, **inputs)
        )

    async def call(
        self,
        block: str,
        inputs: dict[str, Any],
        token: str,
        *,
        crash_after: int | str | None = None,
        crash_everywhere: bool = False,
    ) -> Run:
        """Do the same as `run` with a token that the platform's `issue` returned.

        The names of the block and of the inputs are not checked before they are sent.

        Args:
            block: the block's name.
            inputs: the block's inputs.
            token: the token of the call.
            crash_after: as for `run`.
            crash_everywhere: as for `run`.

        Returns:
            The record of the call.

        Raises:
            AssertionError: as for `run`.
            TimeoutError: the execution did not end within the patience.
        """
        __tracebackhide__ = True
        plan = CrashPlan(crash_after, crash_everywhere)
        if self._service is not None:
            return await self._call(block, inputs, token, plan)
        # Each run has its own instance of the app, so that concurrent runs do not stop it.
        async with copy(self) as dialog:
            return await dialog._call(block, inputs, token, plan)  # noqa: SLF001 - of this class

    async def _call(self, block: str, inputs: dict[str, Any], token: str, plan: CrashPlan) -> Run:
        __tracebackhide__ = True
        assert self._service is not None
        service, started = self._service, self.clock.now()
        ACCEPTED_EXECUTION.set(None)
        self._journal.order(token, plan)
        status, answer = await self.post(f"/blocks/{block}", {"token": token} | inputs)
        execution = ACCEPTED_EXECUTION.get()
        if execution is None:
            await service.rejections.drain(self._patience)
            return self._with_activation(Run(status, answer), token, started)
        await self._wait_until_settled(block, execution)
        record = await self._journal.find(execution)
        outcome = record.outcome if record is not None else None
        run = Run(
            status,
            answer,
            outcome=outcome,
            timeline=list(self._timelines[execution]),
            error=self._app_under_test.errors.get(execution),
            crashes=plan.crashes,
        )
        if plan.everywhere and outcome is not None and outcome.code == "nondeterministic":
            raise AssertionError(f"block {block!r} is not deterministic: {outcome.reason}")
        plan.check()
        return self._with_activation(run, token, started)

    async def _wait_until_settled(self, block: str, execution: str) -> None:
        try:
            async with asyncio.timeout(None) as limit:
                loop = asyncio.get_running_loop()
                timer = real_timer(loop, self._patience, lambda: limit.reschedule(0.0))
                try:
                    await self._settled.setdefault(execution, asyncio.Event()).wait()
                finally:
                    timer.cancel()
        except TimeoutError:
            if self._service is not None:
                self._service.skip_drain_phase()  # it will not end within the grace period either
            events = ", ".join(event.name for event in self._timelines[execution])
            raise TimeoutError(
                f"block {block!r} did not end within {self._patience} s; events so far: {events}"
            ) from None

    def _check_names(self, block: str, inputs: dict[str, Any]) -> None:
        """Fail for a misspelt name; the app itself answers 404, or ignores an unknown input.

        Raises:
            ValueError: with a suggestion.
        """
        __tracebackhide__ = True
        blocks = self.app.blocks
        if block not in blocks:
            raise ValueError(
                f"there is no block {block!r}.{suggestion(block, blocks)} "
                f"The app has: {', '.join(blocks) or 'no blocks'}"
            )
        known = input_names(blocks[block].signature.model)
        for name in inputs:
            if known is not None and name not in known:
                raise ValueError(
                    f"block {block!r} has no input {name!r}.{suggestion(name, known)} "
                    f"It has: {', '.join(known) or 'no inputs'}"
                )

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
        messages = [{"type": "http.request", "body": _encode(body), "more_body": False}]

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
        if event.name == "fenced":
            self._journal.run_cancelled(event.execution)
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


def require_asyncio() -> None:
    """Fail with an explanation if another library runs the event loop.

    Raises:
        RuntimeError: says what to change.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "fake_dialog runs on asyncio, and this test runs on another event loop. Remove the "
            "test's marker for trio; with `trio_mode`, tests that use fake_dialog need no marker"
        ) from None


def input_names(model: type[BaseModel]) -> list[str] | None:
    """Return the names of the inputs that a model reads; None if it takes or rejects others."""
    before = model.__pydantic_decorators__.model_validators.values()
    if model.model_config.get("extra") in {"allow", "forbid"} or issubclass(model, RootModel):
        return None
    if any(validator.info.mode != "after" for validator in before):
        return None
    names: list[str] = []
    for name, model_field in model.model_fields.items():
        alias = model_field.validation_alias or model_field.alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias or name]
        names += [str(c.path[0]) if isinstance(c, AliasPath) else c for c in choices]
        if model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name"):
            names.append(name)
    return list(dict.fromkeys(names))


def _encode(body: Any) -> bytes:
    """Return a body as JSON; half of an emoji, which UTF-8 cannot encode, becomes an escape."""
    plain = to_jsonable_python(body)
    try:
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(plain).encode()
