"""A fake dialog that runs blocks in the test's process: no network, no waiting."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from copy import copy
from dataclasses import replace
from typing import Any, Self

from starlette.types import ASGIApp

from vertexkit.app import App, asgi_app
from vertexkit.asgi import http_app
from vertexkit.botone.http_client import asgi_client
from vertexkit.clock import Clock
from vertexkit.journal import make_journal
from vertexkit.service import Service, running_service
from vertexkit.settings import Settings
from vertexkit.telemetry.events import Event
from vertexkit.testing.app_under_test import DEFAULT_SETTINGS, AppUnderTest
from vertexkit.testing.asgi_request import post
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.crashes import CrashingJournal, CrashPlan
from vertexkit.testing.event_loop import require_asyncio, require_no_loop
from vertexkit.testing.failures import readable_tracebacks
from vertexkit.testing.live_run import LiveRun
from vertexkit.testing.loop_timers import replaced_timers
from vertexkit.testing.memory import INSTANCE, FakeMemory, make_memories, memory_key
from vertexkit.testing.misspelling import check_names
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.run import Run, SentMessage, check_determinism, sent_messages
from vertexkit.testing.timelines import Timelines

DEFAULT_PATIENCE_SECONDS = 60.0
ACCEPTED_EXECUTION: ContextVar[str | None] = ContextVar("ACCEPTED_EXECUTION", default=None)
"""The execution of this task's call; a response without a body does not name it."""


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
        self._timelines = Timelines()
        self._stack = AsyncExitStack()
        self._memories = make_memories(self._settings.journal)
        self._dialog_id: int | None = None  # of all calls; None: of a new dialog each

    async def __aenter__(self) -> Self:
        require_asyncio()
        self._stack = AsyncExitStack()
        self._journal = CrashingJournal(
            make_journal(self._settings.journal, self.clock), self._memories, self.clock
        )
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
        asgi_app(self.app).service = service  # for `app.send_event`
        return self

    async def __aexit__(self, *error: object) -> None:
        self._service = self._asgi = asgi_app(self.app).service = None
        await self._stack.aclose()

    def in_dialog(self, dialog_id: int) -> Self:
        """Return a fake dialog whose calls are all made from one dialog: blocks find its memory.

        Args:
            dialog_id: the dialog's number.
        """
        dialog = copy(self)
        dialog._dialog_id = dialog_id  # noqa: SLF001 - of this class
        return dialog

    @property
    def memory(self) -> FakeMemory:
        """What `ctx.memory` has of this dialog, as a mapping that a test can read and change.

        Raises:
            ValueError: each call is made from a new dialog.
        """
        return FakeMemory(self._memories, memory_key(self._dialog_id), self.clock)

    def _issue(self, block: str) -> str:
        return self.platform.issue(block, self._dialog_id, INSTANCE)

    def subscribe(self, callback: Callable[[Event], None], *, contents: bool = False) -> None:
        """Call back with each event of the executions, until `async with dialog:` ends.

        Args:
            callback: called in the event loop.
            contents: call it with what executions work with instead: see `Events.emit_contents`.

        Raises:
            AssertionError: the dialog is used outside of `async with dialog:`.
        """
        assert self._service is not None, "call this inside `async with dialog:`"
        events = self._service.events
        (events.subscribe_contents if contents else events.subscribe)(callback)

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
            crash_after: crash once, after this message or step (its number, counted from 1 over both)
                or effect (the name of a step, "send_message", "sleep", "memory.set:visits", ...).
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
        check_names(self.app, block, inputs)
        return await self.call(
            block, inputs, crash_after=crash_after, crash_everywhere=crash_everywhere
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
        require_no_loop()
        return asyncio.run(
            self.run(block, crash_after=crash_after, crash_everywhere=crash_everywhere, **inputs)
        )

    async def call(
        self,
        block: str,
        inputs: dict[str, Any],
        token: str | None = None,
        *,
        crash_after: int | str | None = None,
        crash_everywhere: bool = False,
    ) -> Run:
        """Do the same as `run` with any names and token: they are sent as the platform sends them.

        Args:
            block: the block's name.
            inputs: the block's inputs.
            token: of the call, from the platform's `issue`; by default that of a new dialog.
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
        token = token or self._issue(block)
        if self._service is not None:
            return await self._call(block, inputs, token, plan)
        # Each run has its own instance of the app, so that concurrent runs do not stop it.
        async with copy(self) as dialog:
            return await dialog._call(block, inputs, token, plan)  # noqa: SLF001 - of this class

    async def start(self, block: str, /, *, token: str | None = None, **inputs: Any) -> LiveRun:
        """Call the block from a new dialog, and wait until its handler waits or has ended.

        From then on, what `ctx.sleep` and `ctx.wait_for` wait for comes only by the run's methods:
        `run.skip(hours=1)`, `run.send_event("payment", {"amount": 1})`.

        Args:
            block: the block's name.
            token: as for `call`.
            inputs: the block's inputs.

        Returns:
            The run. Unless the dialog is entered, the app stops when the run is finished.

        Raises:
            ValueError: as for `run`.
            AssertionError: the call was rejected, or the clock is not virtual.
        """
        __tracebackhide__ = True
        check_names(self.app, block, inputs)
        assert isinstance(self.clock, VirtualClock), "start needs a dialog with a virtual clock"
        self.clock.hold_durable_waits()
        if self._service is not None:
            return await self._start(block, inputs, AsyncExitStack(), token)
        stack = AsyncExitStack()
        dialog = await stack.enter_async_context(copy(self))
        return await dialog._start(block, inputs, stack, token)  # noqa: SLF001 - of this class

    async def _start(
        self, block: str, inputs: dict[str, Any], stack: AsyncExitStack, token: str | None
    ) -> LiveRun:
        token, plan = token or self._issue(block), CrashPlan(None, False)
        started = self.clock.now()
        assert isinstance(self.clock, VirtualClock)
        status, answer, execution = await self._post_call(block, inputs, token, plan)
        assert execution is not None, f"the call was answered {status}: {answer}"

        async def collect() -> Run:
            async with stack:
                return await self._collect(
                    (status, answer), (block, token, execution), plan, started
                )

        call = (block, token, execution)
        run = LiveRun(self, self._journal, call, self.clock, collect)
        await run.rest()
        return run

    async def _post_call(
        self, block: str, inputs: dict[str, Any], token: str, plan: CrashPlan
    ) -> tuple[int, dict[str, Any], str | None]:
        """Send the platform's call; return the response, and the execution if it was accepted."""
        ACCEPTED_EXECUTION.set(None)
        self._journal.order(token, plan)
        status, answer = await self.post(f"/blocks/{block}", {"token": token} | inputs)
        return status, answer, ACCEPTED_EXECUTION.get()

    async def _call(self, block: str, inputs: dict[str, Any], token: str, plan: CrashPlan) -> Run:
        __tracebackhide__ = True
        assert self._service is not None
        service, started = self._service, self.clock.now()
        status, answer, execution = await self._post_call(block, inputs, token, plan)
        if execution is None:
            await service.rejections.drain(self._patience)
            return self._with_activation(Run(status, answer), token, started)
        return await self._collect((status, answer), (block, token, execution), plan, started)

    async def _collect(
        self,
        response: tuple[int, dict[str, Any]],
        call: tuple[str, str, str],
        plan: CrashPlan,
        started: float,
    ) -> Run:
        """Wait until an execution has ended, and return the record of its call.

        Args:
            response: status and content of the response to the call.
            call: block, token and id of the execution.
            plan: of the crashes.
            started: when the call was made.
        """
        __tracebackhide__ = True
        (status, answer), (block, token, execution) = response, call
        await self._wait_until_settled(block, execution)
        record = await self._journal.find(execution)
        outcome = record.outcome if record is not None else None
        run = Run(
            status,
            answer,
            outcome=outcome,
            timeline=self._timelines.find(execution),
            error=self._app_under_test.errors.get(execution),
            crashes=plan.crashes,
        )
        if plan.everywhere:
            check_determinism(block, run)
        plan.check()
        return self._with_activation(run, token, started)

    async def _wait_until_settled(self, block: str, execution: str) -> None:
        try:
            await self._timelines.wait_until_settled(block, execution, self._patience)
        except TimeoutError:
            if self._service is not None:
                self._service.skip_drain_phase()  # it will not end within the grace period either
            raise

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
        return await post(self._asgi, path, body)

    def _on_event(self, event: Event) -> None:
        if event.name in {"accepted", "deduplicated"}:
            ACCEPTED_EXECUTION.set(event.execution)
        self._timelines.add(event)
        if event.name == "fenced":
            self._journal.run_cancelled(event.execution)

    def _with_activation(self, run: Run, token: str, started: float) -> Run:
        """Return the run with the messages and data that the platform received for it."""
        activation = self.platform.activation(token)
        data = activation.completions[-1].data if activation.completions else None
        return replace(run, messages=self.messages_of(token, started), data=data)

    def messages_of(self, token: str, started: float) -> list[SentMessage]:
        """Return the messages that the dialog of a token has received.

        Args:
            token: of the call.
            started: when the call was made: `SentMessage.at` counts from then.
        """
        return sent_messages(self.platform.activation(token), started)
