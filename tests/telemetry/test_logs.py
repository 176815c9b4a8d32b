"""Log lines: each has its execution, none has a secret."""

import asyncio
import io
import json
import logging
import re
from typing import Any

import pytest
import structlog

from vertexkit import App, Context
from vertexkit.errors import WaitTimeout
from vertexkit.execution import Execution
from vertexkit.telemetry import logs, redaction
from vertexkit.telemetry.line_writer import LineWriter
from vertexkit.testing import FakeDialog
from vertexkit.token import Token

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpbnN0YW5jZSI6ImRlbW8iLCJkaWFsb2dfaWQiOjMxNH0.c2ln"
OPAQUE = "an-opaque-token-0123"


def configured(form: Any = "json", level: str = "info", **options: Any) -> io.BytesIO:
    """A stream to which logging is configured to write."""
    stream = io.BytesIO()
    logs.configure(form, level, stream, **options)
    return stream


def read(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(text: str) -> None:
    raise ValueError(text)


def execution(token: str = TOKEN) -> Execution:
    return Execution("01e", "loan", Token(token), {}, b"", 0.0)


def test_a_line_is_an_object_with_time_level_and_execution() -> None:
    """One JSON object a line; execution, block, dialog, instance and attempt are on it."""
    stream = configured()
    logs.bind(execution(), 2)
    structlog.get_logger("any").info("greeted", name="Аня", odd=object, nan=float("nan"))
    [line] = read(stream)
    assert line["event"] == "greeted"
    assert line["level"] == "info"
    assert line["name"] == "Аня"
    assert (line["execution"], line["block"], line["attempt"]) == ("01e", "loan", 2)
    assert (line["instance"], line["dialog"]) == ("demo", 314)
    assert line["time"].endswith("Z")
    assert line["nan"] == "NaN"


def test_lines_of_the_standard_library_are_alike() -> None:
    """An author's own `logging` gets the same form and the same fields, with its traceback."""
    stream = configured()
    logs.bind(execution())
    logging.getLogger("mine").info("hello %s", "you")
    try:
        fail("why")
    except ValueError:
        logging.getLogger("mine").exception("failed")
    first, second = read(stream)
    assert (first["event"], first["logger"], first["execution"]) == ("hello you", "mine", "01e")
    assert second["level"] == "error"
    assert "ValueError: why" in second["exception"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_line_with_a_traceback_has_the_code_of_its_error(form: str) -> None:
    """The code of docs/errors is added to the traceback of an exception, unless the line has one."""
    stream = configured(form)
    logger, error = structlog.get_logger("any"), WaitTimeout("no event came")
    for given in (error, (WaitTimeout, error, None)):
        logger.error("failed", exc_info=given)
    try:
        fail("why")
    except ValueError:
        logger.exception("failed")
    logger.error("failed", exc_info=KeyError("city"))
    logger.error("failed", exc_info=KeyError("city"), reference="VK-609")
    logger.error("failed")
    written = stream.getvalue().decode()
    assert re.findall(r"VK-\d{3}", written) == ["VK-605"] * 2 + ["VK-004"] * 2 + ["VK-609"]


async def test_an_author_s_lines_are_of_their_execution() -> None:
    """A token is masked whatever logger is used, and whatever else runs at the time."""
    app = App()
    both = asyncio.Barrier(2)

    @app.block("talk")
    async def talk(ctx: Context, name: str) -> None:
        await both.wait()
        logging.getLogger("author").warning("own %s", name)
        ctx.log.warning("by context", name=name)

    async with FakeDialog(app) as dialog:
        stream = configured()
        one, two = await asyncio.gather(*(dialog.run("talk", name=name) for name in "ab"))
    lines = read(stream)
    for name, run in (("a", one), ("b", two)):
        [own] = [line for line in lines if line["event"] == f"own {name}"]
        [by_context] = [line for line in lines if line.get("name") == name]
        for line in (own, by_context):
            assert (line["execution"], line["block"], line["attempt"]) == (run.execution, "talk", 1)
            assert line["dialog"]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("token", [TOKEN, OPAQUE])
def test_no_token_is_on_any_line(form: str, token: str) -> None:
    """Not in the event, a field, a nested value, an exception or a foreign logger's line."""
    stream = configured(form)
    logs.bind(execution(token))
    log = structlog.get_logger("any")
    event = f"called with {token}"
    log.info(event, token=token, nested={"deep": [token]}, held=Token(token))
    logging.getLogger("mine").warning("body: %s", {"token": token})
    try:
        fail(f"bad token {token}")
    except ValueError:
        log.exception("failed")
    text = stream.getvalue().decode()
    assert "failed" in text
    assert token not in text
    assert text.count("[secret]") >= 4


def test_a_jwt_is_masked_wherever_it_comes_from() -> None:
    """A JWT of another execution or of a rejected call is masked too."""
    stream = configured()
    structlog.get_logger("any").info("odd", header=f"Bearer {TOKEN}")
    assert TOKEN not in stream.getvalue().decode()


def test_secrets_of_urls_are_masked() -> None:
    """Registered secrets are on no line; an empty one masks nothing."""
    stream = configured()
    redaction.register_secrets(["the-urls-secret", ""])
    structlog.get_logger("any").info("GET /blocks/a?key=the-urls-secret")
    [line] = read(stream)
    assert line["event"] == "GET /blocks/a?key=[secret]"


@pytest.mark.parametrize("level, seen", [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_is_the_least_that_is_written(level: str, seen: int) -> None:
    """For structlog and for the standard library."""
    stream = configured("json", level)
    for log in (structlog.get_logger("x"), logging.getLogger("x")):
        log.debug("d")
        log.info("i")
        log.warning("w")
        log.error("e")
    assert len(read(stream)) == 2 * seen


def test_talkative_libraries_speak_from_warnings_on() -> None:
    """Lines of uvicorn and httpx at INFO contain URLs: they are not written."""
    stream = configured()
    for name in logs.QUIET_LOGGERS:
        logging.getLogger(name).info("GET http://x/?key=secret")
        logging.getLogger(name).warning("watch out")
    assert {line["event"] for line in read(stream)} == {"watch out"}


@pytest.mark.parametrize("result", ["a text", "it's <b> created at noon>", "a\nb" * 50])
@pytest.mark.parametrize("form", ["json", "console"])
def test_asyncio_s_debug_mode_does_not_log_the_results_of_tasks(form: str, result: str) -> None:
    """A slow task is named with its place, without what it has returned."""
    stream = configured(form)

    async def slow() -> str:
        return result

    async def main() -> None:
        asyncio.get_running_loop().slow_callback_duration = 0
        await asyncio.create_task(slow(), name="the slow one")

    asyncio.run(main(), debug=True)
    logging.getLogger("asyncio").error("task: %r", _Finished(result))
    lines = stream.getvalue().decode()
    assert "the slow one" in lines
    assert "result=..." in lines
    assert not any(part in lines for part in ("text", "it's", "noon", "b\\na"))


class _Finished:
    """Represented as a finished task is in "Task was destroyed" and similar messages."""

    def __init__(self, result: str) -> None:
        self._result = result

    def __repr__(self) -> str:
        return f"<Task finished name='one' coro=<slow() done> result={self._result!r}>"


def test_a_muted_logger_says_nothing() -> None:
    """`vertexkit trigger` shows an author's lines alone."""
    stream = configured("json", "info", mute=("vertexkit",))
    structlog.get_logger("vertexkit").error("ours")
    structlog.get_logger("vertexkit.block").info("theirs")
    structlog.get_logger().info("anybody's")
    assert [line["event"] for line in read(stream)] == ["theirs", "anybody's"]


def test_the_form_follows_the_terminal() -> None:
    """`auto` writes lines for people to a terminal, and JSON to other streams."""

    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    assert read(configured("auto")) == []
    assert not logs.is_console("auto", io.BytesIO())
    assert logs.is_console("auto", Terminal())
    assert logs.is_console("console", io.BytesIO())
    stream = configured("console")
    structlog.get_logger("x").info("greeted", name="Аня")
    assert "greeted" in stream.getvalue().decode()
    assert "{" not in stream.getvalue().decode()


async def test_lines_of_a_moment_are_written_together() -> None:
    """On the event loop lines wait; a warning is written immediately with all that wait."""
    writes: list[bytes] = []

    class Stream(io.BytesIO):
        def write(self, data: Any) -> int:
            writes.append(bytes(data))
            return len(data)

    writer = LineWriter(Stream())
    writer.write(b"one")
    writer.write(b"two")
    assert writes == []
    writer.write_now(b"three")
    assert writes == [b"one\ntwo\nthree\n"]
    writer.write(b"four")
    writer.flush()
    writer.flush()
    assert writes[1:] == [b"four\n"]


async def test_lines_for_people_do_not_wait() -> None:
    """In a terminal, lines and other output appear in the order in which they were written."""
    stream = io.BytesIO()
    LineWriter(stream, immediate=True).write(b"one")
    assert stream.getvalue() == b"one\n"


async def test_bare_lines_have_no_fields_of_the_execution() -> None:
    """Where only one execution runs, a line has its own fields alone."""
    stream = io.BytesIO()
    writer = logs.configure("json", "info", stream, bare=True)
    logs.bind(execution(), 1)
    structlog.get_logger("mine").info("counted", amount=5)
    writer.flush()
    [line] = read(stream)
    assert line.keys() == {"event", "level", "time", "amount"}


def test_setting_up_twice_writes_once() -> None:
    """The second call replaces the first: no line is written twice."""
    configured()
    stream = configured()
    logging.getLogger("mine").info("once")
    assert len(read(stream)) == 1


def test_a_line_that_cannot_be_made_raises_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong format in another library's log call does not raise."""
    stream = configured()
    record = logging.LogRecord("mine", logging.WARNING, "mine.py", 1, "%d", ("text",), None)
    [ours] = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logs._StandardHandler)
    ]
    ours.handle(record)
    assert stream.getvalue() == b""
    assert "TypeError" in capsys.readouterr().err


class Showy:
    """An object of an author's, whose text clears the screen."""

    def __repr__(self) -> str:
        return "\x1b[2Jgone"


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no")


ODD_FIELDS: list[dict[Any, Any]] = [
    {"\ud83d": 1},
    {"\x1b[2J": 1},
    {"a": Showy()},
    {"a": [Showy()]},
    {"a": (Showy(),)},
    {"a": ValueError("\x1b[2J")},
    {"a": {"\x1b": "\x1b[2J", "\ud83d": {"\ud83d": 1}}},
    {"a": {Unprintable(): 1}, "\ud83d": Unprintable()},
    {"a": b"\x1b[2J", "b": 2**5000},
]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("fields", ODD_FIELDS, ids=range(len(ODD_FIELDS)))
def test_any_field_is_written_without_harm(form: Any, fields: dict[Any, Any]) -> None:
    """Names and values that UTF-8 cannot encode or that control a terminal, and any object."""
    stream = io.BytesIO()
    writer = logs.configure(form, "info", stream)
    log = structlog.get_logger("a")
    log.info("event", **fields)
    log.info(next(iter(fields.values())))
    try:
        fail("\x1b[2J\ud83d")
    except ValueError:
        log.exception("event", **fields)
    writer.flush()
    written = stream.getvalue().decode()
    assert "\x1b" not in written
    assert written.count("\n") >= 3
    assert "ValueError" in written
