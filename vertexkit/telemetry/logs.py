"""Logging: one line for each event, with its execution, and with all secrets masked."""

import atexit
import contextvars
import logging
import re
import sys
import time
from collections.abc import Callable, Collection, Mapping, MutableMapping
from io import StringIO
from typing import Any, BinaryIO, Literal, TextIO, cast

import structlog
from pydantic_core import to_json
from structlog.typing import Processor

from vertexkit.execution import Execution
from vertexkit.references import add_reference
from vertexkit.telemetry import tracing
from vertexkit.telemetry.line_writer import LineWriter
from vertexkit.telemetry.log_tail import LogTail
from vertexkit.telemetry.redaction import redact, redact_json, register_token
from vertexkit.text import sanitize_lines

QUIET_LOGGERS = (
    "aiohttp.access",
    "asyncio",
    "httpcore",
    "httpx",
    "uvicorn.access",
    "uvicorn.error",
    "watchfiles",
)
"""Loggers that print URLs, headers or details at INFO; they log only from WARNING on."""

_TASK_RESULT = re.compile(r"(?<= )result=.*(?= created at |>)")
"""What asyncio prints of a task's result: it may be the text of a message."""

Format = Literal["auto", "json", "console"]

_NULL_LOGGER = structlog.testing.ReturnLogger()
_bound_fields: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar(
    "vertexkit_execution", default=None
)


def bind(execution: Execution, attempt: int = 0) -> None:
    """Add an execution to every line that the current task, and tasks that it starts, log.

    Args:
        execution: its id, block and dialog are logged, and its token is masked.
        attempt: number of the run; 0: it has not started.
    """
    fields = {"execution": execution.id, "block": execution.block, **execution.token.log_fields}
    if attempt:
        fields["attempt"] = attempt
    _bound_fields.set(fields)
    register_token(execution.token)


class EventLines:
    """Writes events at INFO as JSON without structlog's chain, at a fifth of its cost.

    The lines are those that the chain makes. It is used instead whenever it is not as `configure`
    has made it, so that an author's own configuration, and `structlog.testing.capture_logs`, get
    every event.

    Args:
        writer: writes the lines.
        timestamper: adds the time.
        chain: structlog's processors; `capture_logs` replaces them in place.
    """

    def __init__(
        self, writer: LineWriter, timestamper: "_Timestamper", chain: list[Processor]
    ) -> None:
        self._writer = writer
        self._timestamper = timestamper
        self._chain = chain
        self._last = chain[-1]

    def write(self, name: str, fields: Mapping[str, Any]) -> bool:
        """Write an event.

        Args:
            name: of the event.
            fields: of the event, without those that `bind` has added.

        Returns:
            Whether it was written. If not, structlog's chain has to log it.
        """
        if not self._chain or self._chain[-1] is not self._last:
            return False
        event = {**(_bound_fields.get() or {}), **fields, "event": name}
        tracing.add_ids(event)
        event["level"] = "info"
        try:
            line = _render_json(None, name, self._timestamper(None, name, event))
        except Exception:  # noqa: BLE001 - the chain renders such values as text
            return False
        self._writer.write(line)
        return True


_event_lines: tuple[object, EventLines] | None = None
"""The chain that `configure` has made last, and what writes the same lines."""


def event_lines() -> EventLines | None:
    """Return what writes events at INFO, or None if structlog's chain has to."""
    if _event_lines is None or structlog.get_config()["processors"] is not _event_lines[0]:
        return None
    return _event_lines[1]


_configured: tuple[object, LineWriter] | None = None
"""The chain and the writer that `configure` has made last."""


def keep_lines() -> LogTail | None:
    """Keep the newest lines of the log in memory from now on.

    Returns:
        The lines; None if the log is not written by vertexkit: the author has configured structlog.
    """
    if _configured is None or structlog.get_config()["processors"] is not _configured[0]:
        return None
    writer = _configured[1]
    if writer.tail is None:
        writer.tail = LogTail()
    return writer.tail


class _LevelMethods:
    """The logger behind structlog's: a method for each level, which takes a rendered line.

    Args:
        writer: writes the lines.
    """

    def __init__(self, writer: LineWriter) -> None:
        self.debug = self.info = writer.write
        self.warning = self.error = self.critical = writer.write_now


class _StandardHandler(logging.Handler):
    """Writes the lines of the standard library's loggers with the same writer."""

    def __init__(self, writer: LineWriter, render: Callable[[logging.LogRecord], bytes]) -> None:
        super().__init__()
        self._writer, self._render = writer, render

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self._render(record)
        except Exception:  # noqa: BLE001 - as in the standard library: a log line never raises
            self.handleError(record)
            return
        if record.levelno >= logging.WARNING:
            self._writer.write_now(line)
        else:
            self._writer.write(line)


def _add_execution(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    fields = _bound_fields.get()
    if fields is not None:
        event = {**fields, **event}
    tracing.add_ids(event)
    return event


class _Timestamper:
    """Adds the time to a line (UTC, ISO 8601). It formats a second only once."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> Any:
        second, fraction = divmod(time.time_ns() // 1000, 1_000_000)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        event["time"] = f"{self._text}.{fraction:06d}Z"
        return event


def _render_json(_: Any, __: str, event: MutableMapping[str, Any]) -> bytes:
    return to_json(event, fallback=repr, inf_nan_mode="strings")


def _console_renderer(stream: BinaryIO) -> Processor:
    """Format lines for people; control characters in texts do not reach the terminal."""
    render = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=_plain_traceback
    )

    def render_safely(logger: Any, name: str, event: MutableMapping[str, Any]) -> bytes:
        texts = {
            sanitize_lines(str(key)): value if key == "exc_info" else _sanitized(value)
            for key, value in event.items()
        }
        return str(render(logger, name, texts)).encode(errors="replace")

    return render_safely


class _Shown:
    """A value whose representation is safe to print."""

    def __init__(self, value: object) -> None:
        self._text = sanitize_lines(repr(value))

    def __repr__(self) -> str:
        return self._text


def _sanitized(value: Any) -> Any:
    """Return what a terminal may be shown of a value; an author's object may print anything."""
    if isinstance(value, str):
        return sanitize_lines(value)
    return value if value is None or isinstance(value, (bool, int, float)) else _Shown(value)


def _plain_traceback(stream: TextIO, error: Any) -> None:
    trace = StringIO()
    structlog.dev.plain_traceback(trace, error)
    stream.write(sanitize_lines(trace.getvalue()))


def _safe(render: Processor) -> Processor:
    """Render values that raise as text: a log line must not break the code that logs it."""

    def render_safely(logger: Any, name: str, event: MutableMapping[str, Any]) -> Any:
        try:
            return render(logger, name, dict(event))
        except Exception:  # noqa: BLE001 - half an emoji, a circular reference, a repr that raises
            texts = {
                _text(key): value if key == "exc_info" else _text(value)
                for key, value in event.items()
            }
            return render(logger, name, texts)

    return render_safely


def _text(value: Any) -> str:
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - an author's object
        text = f"<{type(value).__name__}>"
    return text.encode(errors="backslashreplace").decode()


def is_console(log_format: Format, stream: BinaryIO | None = None) -> bool:
    """Whether lines are formatted for people.

    Args:
        log_format: as `configure` takes it.
        stream: None: standard output.
    """
    if log_format == "auto":
        return (stream or sys.stdout.buffer).isatty()
    return log_format == "console"


def configure(
    log_format: Format = "auto",
    level: str = "info",
    stream: BinaryIO | None = None,
    mute: Collection[str] = (),
    *,
    bare: bool = False,
) -> LineWriter:
    """Configure structlog and the standard library's logging to write the same lines.

    Args:
        log_format: `json` (one object in each line), `console` (for people), or `auto` (`console`
            if the stream is a terminal, else `json`).
        level: the lowest level that is written.
        stream: binary; None: standard output.
        mute: names of structlog loggers whose lines are dropped.
        bare: leave out the fields of the execution, where only one runs at a time.

    Returns:
        The writer of the lines; call its `flush` last.
    """
    stream = stream or sys.stdout.buffer
    console = is_console(log_format, stream)
    writer = LineWriter(stream, immediate=console, mask=redact if console else redact_json)
    logger = _LevelMethods(writer)
    level_number = logging.getLevelNamesMapping()[level.upper()]
    timestamper = _Timestamper()
    chain: list[Processor] = [
        *([] if bare else [_add_execution]),
        add_reference,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False) if console else timestamper,
    ]
    if console:
        chain.append(_safe(_console_renderer(stream)))
    else:
        chain += [structlog.processors.format_exc_info, _safe(_render_json)]
    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(level_number),
        logger_factory=lambda *names: _NULL_LOGGER if names[:1] and names[0] in mute else logger,
        cache_logger_on_first_use=False,  # an author's test may want structlog's capture_logs
    )
    global _configured, _event_lines  # noqa: PLW0603 - as structlog's own configuration
    _configured = (chain, writer)
    is_plain = not console and level_number == logging.INFO and "vertexkit" not in mute
    _event_lines = (chain, EventLines(writer, timestamper, chain)) if is_plain else None
    _configure_stdlib(writer, chain, level_number)
    atexit.register(writer.flush)
    return writer


def _configure_stdlib(writer: LineWriter, chain: list[Processor], level: int) -> None:
    def render(record: logging.LogRecord) -> bytes:
        message = record.getMessage()
        if record.name == "asyncio":
            message = _TASK_RESULT.sub("result=...", message)
        event: Any = {"event": message, "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        for processor in chain:
            event = processor(None, record.levelname.lower(), event)
        return cast(bytes, event)

    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _StandardHandler)]:
        root.removeHandler(handler)
    root.addHandler(_StandardHandler(writer, render))
    root.setLevel(level)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
