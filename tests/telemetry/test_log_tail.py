"""The newest lines of the log that are kept in memory."""

import io
import json

import structlog

from vertexkit.execution import Execution
from vertexkit.telemetry import logs
from vertexkit.telemetry.log_tail import LogTail
from vertexkit.token import Token

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpbnN0YW5jZSI6ImRlbW8iLCJkaWFsb2dfaWQiOjMxNH0.c2ln"


def test_the_newest_lines_with_a_text_are_found() -> None:
    """They are in the order in which they were written; those of other executions are left out."""
    tail = LogTail()
    for number in range(6):
        tail.add(b"a %d\nb %d\n" % (number, number))
    assert tail.find("a", 100) == [b"a %d" % number for number in range(6)]
    assert tail.find("a", 3) == [b"a 3", b"a 4", b"a 5"]
    assert tail.find("c", 3) == []


def test_lines_are_dropped_when_they_are_too_many() -> None:
    """The memory is bounded in bytes, and a batch that is larger than it is not kept."""
    tail = LogTail(max_bytes=20)
    for number in range(100):
        tail.add(b"line %02d\n" % number)
    assert tail.find("line", 100) == [b"line 98", b"line 99"]
    tail.add(b"x" * 21)
    assert tail.find("x", 1) == tail.find("line", 1) == []


def test_the_lines_that_are_written_are_kept_with_secrets_masked() -> None:
    """What is kept is what is in the log: the lines of an execution, without its token."""
    stream = io.BytesIO()
    writer = logs.configure("json", "info", stream)
    tail = logs.keep_lines()
    assert tail is not None
    assert logs.keep_lines() is tail
    logs.bind(Execution("01e", "loan", Token(TOKEN), {}, b"", 0.0), 1)
    structlog.get_logger("mine").info("called", token=TOKEN)
    writer.flush()
    assert tail.find("01e", 10) == stream.getvalue().splitlines()
    [line] = map(json.loads, tail.find("01e", 10))
    assert (line["event"], line["execution"]) == ("called", "01e")
    assert TOKEN not in str(line)


def test_no_lines_are_kept_of_a_log_that_the_author_has_configured() -> None:
    """Such a log may have texts that vertexkit has not masked."""
    logs.configure("json", "info", io.BytesIO())
    structlog.configure(processors=[])
    assert logs.keep_lines() is None
