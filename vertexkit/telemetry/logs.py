"""Logging: one line an event, the execution on each of them, no secret on any."""

import asyncio
import atexit
import contextlib
import contextvars
import logging
import sys
import threading
import time
from collections.abc import Callable, Collection, MutableMapping
from typing import Any, BinaryIO, Literal

import structlog
from pydantic_core import to_json
from structlog.typing import Processor

from vertexkit.execution import Execution
from vertexkit.telemetry import tracing
from vertexkit.telemetry.redaction import hold, redact

FLUSH_AFTER = 0.05
"""Seconds that a line below WARNING may wait for others, to be written together with them."""
NOISY = (
    "aiohttp.access",
    "asyncio",
    "httpcore",
    "httpx",
    "uvicorn.access",
    "uvicorn.error",
    "watchfiles",
)
"""Loggers that print URLs, headers or trifles at INFO; they speak from WARNING on."""

Form = Literal["auto", "json", "console"]

_SILENCE = structlog.testing.ReturnLogger()
_bound: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar(
    "vertexkit_execution", default=None
)


def bind(execution: Execution, attempt: int = 0) -> None:
    """Put this execution on every line that this task, and what it starts, will log."""
    fields = {"execution": execution.id, "block": execution.block, **execution.token.log_fields}
    if attempt:
        fields["attempt"] = attempt
    _bound.set(fields)
    hold(execution.token)


class LineWriter:
    """Writes lines to a binary stream, those of a moment together.

    A write for each line costs more than making the line. From WARNING on, and where no event
    loop runs, a line is written at once; so is everything at the end of the process.

    Args:
        stream: where to.
        at_once: write every line at once, for people who watch.
    """

    def __init__(self, stream: BinaryIO, *, at_once: bool = False) -> None:
        self._stream = stream
        self._at_once = at_once
        self._lines: list[bytes] = []
        self._lock = threading.Lock()
        self._timed: asyncio.AbstractEventLoop | None = None

    def write(self, line: bytes) -> None:
        """Take a line, without its end; it is written within `FLUSH_AFTER` seconds."""
        self._lines.append(redact(line))
        if self._at_once:
            self.flush()
            return
        if self._timed is not None and not self._timed.is_closed():
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        self._timed = loop
        loop.call_later(FLUSH_AFTER, self.flush)

    def write_now(self, line: bytes) -> None:
        """Write a line, and all that wait, before returning."""
        self._lines.append(redact(line))
        self.flush()

    def flush(self) -> None:
        """Write all that wait. Lines that cannot be written are lost, and nothing else."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._timed = None
            number = len(self._lines)  # other threads go on adding to the list
            if number:
                lines = self._lines[:number]
                del self._lines[:number]
                self._stream.write(b"\n".join(lines) + b"\n")
                self._stream.flush()

    msg = debug = info = write
    warning = warn = error = critical = exception = fatal = failure = err = write_now


class _Handler(logging.Handler):
    """Sends the lines of the standard library's loggers the same way."""

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
    bound = _bound.get()
    if bound is not None:
        event = {**bound, **event}
    tracing.on_line(event)
    return event


class _Stamp:
    """Puts the time on a line (UTC, ISO 8601): the text of a second is made once in a second."""

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


def _console(stream: BinaryIO) -> Processor:
    render = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return lambda logger, name, event: render(logger, name, event).encode(errors="replace")


def _whatever(render: Processor) -> Processor:
    """Render what cannot be rendered too: a log line must not break what it speaks of."""

    def safely(logger: Any, name: str, event: MutableMapping[str, Any]) -> Any:
        try:
            return render(logger, name, dict(event))
        except Exception:  # noqa: BLE001 - half an emoji, a circle, a repr that raises
            texts = {key: _text(value) for key, value in event.items() if key != "exc_info"}
            return render(logger, name, {**event, **texts})

    return safely


def _text(value: Any) -> str:
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - an author's object
        text = f"<{type(value).__name__}>"
    return text.encode(errors="backslashreplace").decode()


def readable(form: Form, stream: BinaryIO | None = None) -> bool:
    """Are lines of this form on this stream (standard output if None) made for people?"""
    return form == "console" or (form == "auto" and (stream or sys.stdout.buffer).isatty())


def configure(
    form: Form = "auto",
    level: str = "info",
    stream: BinaryIO | None = None,
    mute: Collection[str] = (),
) -> LineWriter:
    """Set up structlog and the standard library's logging to write alike.

    Args:
        form: `json` (one object a line), `console` (for people), or `auto` (by the terminal).
        level: the least level that is written.
        stream: binary; standard output if None.
        mute: structlog loggers, by the first name they were got by, that say nothing.

    Returns:
        What the lines go through; flush it last.
    """
    stream = stream or sys.stdout.buffer
    for_people = readable(form, stream)
    writer = LineWriter(stream, at_once=for_people)
    number = logging.getLevelNamesMapping()[level.upper()]
    last: list[Processor] = (
        [_whatever(_console(stream))]
        if for_people
        else [structlog.processors.format_exc_info, _whatever(_render_json)]
    )
    first: list[Processor] = [
        _add_execution,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False) if for_people else _Stamp(),
    ]
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *names: _SILENCE if names[:1] and names[0] in mute else writer,
        cache_logger_on_first_use=False,  # an author's test may want structlog's capture_logs
    )
    _configure_stdlib(writer, first, last, number)
    atexit.register(writer.flush)
    return writer


def _configure_stdlib(
    writer: LineWriter, first: list[Processor], last: list[Processor], level: int
) -> None:
    chain: list[Processor] = [*first, *last]

    def render(record: logging.LogRecord) -> bytes:
        event: Any = {"event": record.getMessage(), "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        for process in chain:
            event = process(None, record.levelname.lower(), event)
        return bytes(event)

    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(handler)
    root.addHandler(_Handler(writer, render))
    root.setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
