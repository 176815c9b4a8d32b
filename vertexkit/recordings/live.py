"""Recordings of the executions of a running service.

Off by default, because a recording contains everything that users wrote; see `VERTEXKIT_RECORD`.
"""

from pathlib import Path
from typing import Any

import structlog
from pydantic_core import from_json
from structlog.typing import FilteringBoundLogger

from vertexkit.botone.response import Response
from vertexkit.botone.wire import Wire
from vertexkit.clock import Clock
from vertexkit.errors import PlatformError
from vertexkit.execution import Execution
from vertexkit.journal.encryption import PLAIN, Cipher
from vertexkit.recordings.contents import WAITS, wait_event
from vertexkit.recordings.folder import RecordingsFolder
from vertexkit.recordings.recorder import Recorder, decode_body
from vertexkit.references import error_fields
from vertexkit.telemetry.events import Event

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class ServiceRecorder:
    """Records each execution whose handler runs in this process.

    It learns about events from `event`, which is subscribed to them, and about requests from the
    wire that `wire` returns.

    Args:
        folder: the folder of the recordings.
        clock: the service's clock.
        target: the app, `module:app`; empty if unknown.
        cipher: encrypts the recordings.
    """

    def __init__(self, folder: Path, clock: Clock, target: str, cipher: Cipher = PLAIN) -> None:
        self._folder = RecordingsFolder(folder, cipher)
        self._clock = clock
        self._target = target
        self._pending_events: dict[str, list[Event]] = {}
        """Events of executions whose recording has not started, by execution id."""
        self._recorders: dict[str, tuple[Recorder, str]] = {}
        """The recorder and the token of each execution, by execution id."""
        self._recorders_by_token: dict[str, Recorder] = {}

    def handler_starting(self, execution: Execution) -> None:
        """Start the recording of an execution, before its handler runs for the first time.

        If the file cannot be written, a warning is logged and the execution is not recorded.
        """
        if execution.id in self._recorders:
            return
        events = self._pending_events.pop(execution.id, [])
        claims, token = execution.token.claims, execution.token.reveal()
        try:
            recorder = self._folder.start(
                execution.block,
                events[0].at if events else self._clock.now(),
                target=self._target,
                inputs=execution.inputs,
                by="run",
                execution=execution.id,
                dialog_id=claims.dialog_id if claims else None,
            )
        except OSError as error:
            log.warning("recording_failed", **error_fields(error))
            return
        self._recorders[execution.id] = recorder, token
        self._recorders_by_token[token] = recorder
        for event in events:
            recorder.event(event)

    def event(self, event: Event) -> None:
        """Record an event of an execution; for `Events.subscribe`."""
        entry = self._recorders.get(event.execution)
        if entry is None:
            if event.name == "settled":
                self._pending_events.pop(event.execution, None)
            else:
                self._pending_events.setdefault(event.execution, []).append(event)
            return
        recorder, token = entry
        recorder.event(event)
        if event.name == "settled":
            recorder.end(event.at, event.fields["outcome"], event.fields["code"])
            del self._recorders[event.execution]
            # The next execution with this token may have started its own recording already.
            if self._recorders_by_token.get(token) is recorder:
                del self._recorders_by_token[token]

    def contents(self, event: Event) -> None:
        """Record contents of an execution; for `Events.subscribe_contents`."""
        if event.name in WAITS:
            self.event(wait_event(event, self._clock.unix()))

    def wire(self, wire: Wire) -> Wire:
        """Return a wire that records the requests of another one."""
        return _RecordedWire(wire, self, self._clock)

    def request_ended(
        self, url: str, body: bytes, started_at: float, response: Response | None
    ) -> None:
        """Record a request to the platform.

        Args:
            url: the request's URL.
            body: the request's JSON.
            started_at: the start of the request, on the clock.
            response: the response; None if the request failed without one.
        """
        content = from_json(body)
        recorder = self._recorders_by_token.get(content.get("token", ""))
        if recorder is None:
            return
        fields: dict[str, Any] = {"status": None, "answer": None, "processed": False}
        if response is not None:
            fields = {
                "status": response.status,
                "answer": decode_body(response.body),
                "processed": 200 <= response.status < 300,
                "retry_after": response.retry_after,
            }
        recorder.request(
            started_at,
            seconds=round(self._clock.now() - started_at, 6),
            method=url.rpartition("/")[2],
            path="/" + url.partition("://")[2].partition("/")[2],
            request=content,
            fault=None,
            **fields,
        )


class _RecordedWire:
    """A wire whose requests are recorded; see `Wire`."""

    def __init__(self, wire: Wire, recorder: ServiceRecorder, clock: Clock) -> None:
        self._wire = wire
        self._recorder = recorder
        self._clock = clock

    async def post(self, url: str, body: bytes, timeout: float) -> Response:
        started_at = self._clock.now()
        try:
            response = await self._wire.post(url, body, timeout)
        except PlatformError:
            self._recorder.request_ended(url, body, started_at, None)
            raise
        self._recorder.request_ended(url, body, started_at, response)
        return response

    async def close(self) -> None:
        await self._wire.close()
