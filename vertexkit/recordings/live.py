"""Recorded runs of a service at work: off by default, for it writes down what people say."""

from pathlib import Path
from typing import Any

import structlog
from pydantic_core import from_json

from vertexkit.botone.response import Response
from vertexkit.botone.wire import Wire
from vertexkit.clock import Clock
from vertexkit.errors import PlatformError
from vertexkit.execution import Execution
from vertexkit.recordings import Recorder, Shelf, readable
from vertexkit.telemetry.events import Event

log = structlog.get_logger("vertexkit")


class Recording:
    """Writes a file for each execution whose handler this process runs.

    Args:
        folder: gets the files.
        clock: of the service.
        target: where the app is, if that is known.
    """

    def __init__(self, folder: Path, clock: Clock, target: str) -> None:
        self._shelf = Shelf(folder)
        self._clock = clock
        self._target = target
        self._early: dict[str, list[Event]] = {}
        self._live: dict[str, tuple[Recorder, str]] = {}
        """By execution: with the token, under which requests are found."""
        self._tokens: dict[str, Recorder] = {}

    def handler_starting(self, execution: Execution) -> None:
        """Start a recording when a handler runs for the first time in this process."""
        if execution.id not in self._live:
            try:
                self._begin(execution)
            except OSError as error:  # a full disk must not fail a dialog
                log.warning("recording_failed", reason=str(error))

    def _begin(self, execution: Execution) -> None:
        early = self._early.pop(execution.id, [])
        claims, token = execution.token.claims, execution.token.reveal()
        recorder = self._shelf.begin(
            execution.block,
            early[0].at if early else self._clock.now(),
            target=self._target,
            inputs=execution.inputs,
            by="run",
            dialog_id=claims.dialog_id if claims else None,
        )
        self._live[execution.id] = recorder, token
        self._tokens[token] = recorder
        for event in early:
            recorder.event(event)

    def event(self, event: Event) -> None:
        """For `Events.subscribe`."""
        live = self._live.get(event.execution)
        if live is None:
            if event.name != "settled":
                self._early.setdefault(event.execution, []).append(event)
            else:
                self._early.pop(event.execution, None)
            return
        recorder, token = live
        recorder.event(event)
        if event.name == "settled":
            recorder.end(event.at, event.fields["outcome"], event.fields["code"])
            del self._live[event.execution]
            if self._tokens.get(token) is recorder:  # and not one that follows with this token
                del self._tokens[token]

    def wire(self, wire: Wire) -> Wire:
        """A wire whose requests are written down."""
        return _RecordedWire(wire, self)

    def requested(self, began: float, url: str, body: bytes, answer: Response | None) -> None:
        """A request is over; without an answer nobody knows what came of it."""
        content = from_json(body)
        recorder = self._tokens.get(content.get("token", ""))
        if recorder is None:
            return
        done = answer is not None and 200 <= answer.status < 300
        facts: dict[str, Any] = {"retry_after": answer.retry_after} if answer is not None else {}
        recorder.request(
            began,
            seconds=round(self._clock.now() - began, 6),
            method=url.rpartition("/")[2],
            path="/" + url.partition("://")[2].partition("/")[2],
            request=content,
            status=None if answer is None else answer.status,
            answer=None if answer is None else readable(answer.body),
            fault=None,
            processed=done,
            **facts,
        )


class _RecordedWire:
    def __init__(self, wire: Wire, recording: Recording) -> None:
        self._wire = wire
        self._recording = recording

    async def post(self, url: str, body: bytes, timeout: float) -> Response:
        began = self._recording._clock.now()  # noqa: SLF001 - of one noun
        answer = None
        try:
            answer = await self._wire.post(url, body, timeout)
        except PlatformError:
            self._recording.requested(began, url, body, None)
            raise
        self._recording.requested(began, url, body, answer)
        return answer

    async def close(self) -> None:
        await self._wire.close()
