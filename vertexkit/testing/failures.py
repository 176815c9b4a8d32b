"""What a failing test shows of an author's error: the author's own frames, and no locals."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import structlog

from vertexkit.loading import error_location, is_library
from vertexkit.text import sanitize

ERROR_CHARACTERS = 120
"""Length at which an error's text is cut: pytest cuts the line of an assertion at 240."""
Traceback = traceback.TracebackException


def describe(error: BaseException) -> str:
    """Return an error and its place in the author's code on one line.

    Args:
        error: what a handler raised.

    Returns:
        For example `at hello.py:9: KeyError: 'name'`. The place is missing if it is unknown.
    """
    place, _ = error_location(error)
    text = sanitize(f"{type(error).__name__}: {error}".removesuffix(": "), ERROR_CHARACTERS)
    return f"at {place}: {text}" if place else f": {text}"


def own_traceback(error: BaseException) -> str:
    """Format an error as Python does, with the frames of the author's code only.

    If there are none, all frames are shown.
    """
    captured = Traceback.from_exception(error)
    _remove_library_frames(captured)
    return "".join(captured.format())


@contextmanager
def readable_tracebacks() -> Iterator[None]:
    """Let structlog's renderers for terminals use `own_traceback` inside this context.

    By default, they print a page for each error, with the values of all local variables.
    """
    changed = []
    for processor in structlog.get_config()["processors"]:
        formatter = getattr(processor, "exception_formatter", None)
        if isinstance(formatter, structlog.dev.RichTracebackFormatter):
            changed.append((processor, formatter))
            processor.exception_formatter = _write_traceback
    try:
        yield
    finally:
        for processor, formatter in changed:
            processor.exception_formatter = formatter


def _write_traceback(stream: TextIO, exc_info: Any) -> None:
    stream.write("\n" + own_traceback(exc_info[1]).rstrip())


def _remove_library_frames(captured: Traceback) -> None:
    own = [frame for frame in captured.stack if not is_library(frame.filename)]
    if own:
        captured.stack = traceback.StackSummary.from_list(own)
    for linked in (captured.__cause__, captured.__context__, *(captured.exceptions or ())):
        if linked is not None:
            _remove_library_frames(linked)
