"""What operators do in the console: retry, drop, send an event, see results, see the log, save a test."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.typing import FilteringBoundLogger

from vertexkit.console.guard import USER_UNKNOWN, ConsoleGuard
from vertexkit.console.queries import json_response
from vertexkit.console.source import ConsoleSource
from vertexkit.context.event_names import check_event_name
from vertexkit.errors import JournalError, OperationNotAllowed, SettingsError
from vertexkit.execution import SEND
from vertexkit.journal.encryption import recordings_cipher
from vertexkit.journal.protocol import JournalAdmin, Record
from vertexkit.operators.executions import find, send_event
from vertexkit.operators.saved_tests import BlocksOfApp, save_test
from vertexkit.recordings import RecordingsFolder
from vertexkit.references import error_fields
from vertexkit.server.problems import problem
from vertexkit.telemetry.redaction import redact_json

MAX_BODY_BYTES = 256 * 1024
"""Largest body of a request: the data of an event."""
MAX_LOG_LINES = 500
"""Lines of the log of an execution in one answer."""
READ_ONLY = (
    "The console is read-only. To retry, drop and send events, set VERTEXKIT_CONSOLE=write, or start "
    "vertexkit console with --write."
)
NO_SERVICE = (
    "A test needs the app, which this console does not have. Run: vertexkit executions save-test"
)
ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")
"""A colour in a line for people."""
DEFAULT_APP = "app:app"
"""The app that a saved test names if VERTEXKIT_APP is not set."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")

Act = Callable[[JournalAdmin, Record, dict[str, Any]], Awaitable[dict[str, Any]]]


class InvalidBody(ValueError):
    """The body of a request cannot be used; the text says why."""


class ActionApi:
    """Carries out the operators' actions and logs who asked for each.

    Args:
        source: has the journal, and says whether it may be changed.
        guard: names the operator.
    """

    def __init__(self, source: ConsoleSource, guard: ConsoleGuard) -> None:
        self._source = source
        self._guard = guard

    def routes(self, path: str) -> list[Route]:
        """Return the routes.

        Args:
            path: start of their paths.
        """
        return [
            self._route(path, "retry", _retry),
            self._route(path, "drop", _drop),
            self._route(path, "send_event", _send_event),
            self._route(path, "show_contents", _show_contents, changes=False),
            self._route(path, "show_log", self._show_log, changes=False),
            self._route(path, "save_test", self._save_test, changes=False),
        ]

    def _route(self, path: str, action: str, act: Act, *, changes: bool = True) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self._carry_out(request, action, act, changes=changes)

        return Route(f"{path}/executions/{{execution}}/{action}", endpoint, methods=["POST"])

    async def _carry_out(
        self, request: Request, action: str, act: Act, *, changes: bool
    ) -> Response:
        """Carry out an action; log it with its operator, whether or not it was possible."""
        operator = self._guard.operator(request.scope)
        client = request.client.host if request.client is not None else ""
        user = "" if operator is None else operator.user
        fields = {"action": action, "user": user, "client": client}
        execution = request.path_params["execution"]
        if changes and not self._source.writable:
            log.warning(
                "console_action_rejected", execution=execution, reason="read-only", **fields
            )
            return problem(403, "read_only", READ_ONLY)
        if operator is None:
            log.warning("console_action_rejected", execution=execution, reason="no user", **fields)
            return problem(403, "user_unknown", USER_UNKNOWN)
        try:
            body = await _read_object(request)
            async with self._source.open_journal() as journal:
                record = await find(journal, execution)
                answer = await act(journal, record, body)
        except InvalidBody as error:
            return problem(422, "invalid_body", str(error))
        except JournalError as error:
            log.warning(
                "console_action_rejected", execution=execution, **error_fields(error), **fields
            )
            raise
        log.info(
            "console_action_performed", execution=record.execution, done=answer["done"], **fields
        )
        return json_response(answer)

    async def _show_log(
        self, _: JournalAdmin, record: Record, __: dict[str, Any]
    ) -> dict[str, Any]:
        """The newest log lines of an execution; null if this process keeps none."""
        tail = self._source.log_tail
        if tail is None:
            return {"done": "log_shown", "lines": None}
        found = tail.find(record.execution, MAX_LOG_LINES)
        return {"done": "log_shown", "lines": [_log_line(line) for line in found]}

    async def _save_test(
        self, journal: JournalAdmin, record: Record, _: dict[str, Any]
    ) -> dict[str, Any]:
        """The files of `vertexkit executions save-test`, for the operator's machine."""
        service = self._source.service
        if service is None:
            raise OperationNotAllowed(NO_SERVICE)
        settings = service.settings
        app = BlocksOfApp(settings.server.app or DEFAULT_APP, service.blocks)
        folder, recordings = settings.logging.record, None
        if folder is not None:
            recordings = RecordingsFolder(folder, recordings_cipher(settings.journal))
        with TemporaryDirectory() as name:
            try:
                saved = await save_test(
                    journal, record.execution, app, Path(name), recordings=recordings
                )
            except SettingsError as error:
                raise OperationNotAllowed(str(error)) from error
            files = {path.name: path.read_text("utf-8") for path in (saved.test, saved.recording)}
        return {"done": "test_saved", "files": files, "masked": saved.masked}


async def _read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request.

    Raises:
        InvalidBody: it is too large, or is not a JSON object.
    """
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MAX_BODY_BYTES:
            raise InvalidBody(f"The body must not be larger than {MAX_BODY_BYTES} bytes.")
    try:
        value = from_json(bytes(content), allow_inf_nan=False)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InvalidBody("The body must be a JSON object.")
    return value


async def _retry(journal: JournalAdmin, record: Record, body: dict[str, Any]) -> dict[str, Any]:
    fresh = body.get("fresh") is True
    after = await journal.retry(record.execution, fresh=fresh)
    if fresh:
        return {"done": "handler_from_beginning"}
    return {"done": "result_again" if after.result is not None else "handler_again"}


async def _drop(journal: JournalAdmin, record: Record, _: dict[str, Any]) -> dict[str, Any]:
    after = await journal.drop(record.execution)
    if record.outcome is not None:
        return {"done": "deleted"}
    return {"done": "dropped" if after.outcome is not None else "failing"}


async def _send_event(
    journal: JournalAdmin, record: Record, body: dict[str, Any]
) -> dict[str, Any]:
    name = body.get("name")
    try:
        check_event_name(name if isinstance(name, str) else "")
    except ValueError as error:
        raise InvalidBody(str(error)) from None
    delivery = await send_event(journal, record.execution, str(name), to_json(body.get("data")))
    return {"done": f"event_{delivery.value}"}


async def _show_contents(_: JournalAdmin, record: Record, __: dict[str, Any]) -> dict[str, Any]:
    """What the journal keeps of the results of steps, the data of events and the block's result."""
    effects = [
        {"position": effect.position, "value": _content(effect.value)}
        for effect in record.effects
        if effect.value and effect.kind != SEND
    ]
    result = None if record.result is None else _content(record.result.data)
    return {"done": "contents_shown", "effects": effects, "result": result}


def _content(value: bytes) -> Any:
    """A stored JSON value with secrets masked."""
    return from_json(redact_json(b'{"value":' + value + b"}"))["value"]


def _log_line(line: bytes) -> dict[str, Any]:
    """A line of the log as an object; a line for people, which is not JSON, is its event."""
    try:
        read = from_json(line)
    except ValueError:
        read = None
    if isinstance(read, dict):
        return read
    return {"event": ESCAPE_SEQUENCE.sub("", line.decode(errors="replace"))}
