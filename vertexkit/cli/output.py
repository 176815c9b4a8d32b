"""What the commands print: texts without control characters, and JSON that every encoding holds."""

import codecs
import json
import sys
from collections.abc import Iterable
from functools import partial
from typing import Any, TextIO

import typer
from pydantic_core import from_json, to_json
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from vertexkit.text import UNSAFE_IN_LINES, encodable, sanitize_lines


class SafeConsole(Console):
    """A console that prints untrusted texts safely.

    Control characters in a text never reach the terminal, whatever prints the text: only rich's
    own control codes, which are marked as such, do.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render as `Console.render`, without unsafe characters."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(sanitize_lines(segment.text), segment.style)


def console(*, quiet: bool = False, err: bool = False) -> Console:
    """Return a console for texts that are printed as they are, without markup.

    Args:
        quiet: Print nothing.
        err: Print to standard error.
    """
    return SafeConsole(highlight=False, markup=False, emoji=False, quiet=quiet, stderr=err)


def echo(text: str, *, err: bool = False) -> None:
    """Print a text without control characters.

    Args:
        text: The text; may have several lines.
        err: Print to standard error.
    """
    typer.echo(sanitize_lines(text), err=err)


def print_json(value: Any, *, indent: int | None = None, flush: bool = False) -> None:
    """Print a value as JSON to standard output.

    Args:
        value: The value. Lone surrogates in its texts become U+FFFD.
        indent: Spaces for each level; None prints a single line.
        flush: Flush the output.
    """
    print(to_json_text(value, sys.stdout, indent=indent), flush=flush)


def to_json_text(value: Any, stream: TextIO, *, indent: int | None = None) -> str:
    r"""Return the JSON of a value for a stream.

    Characters that the stream's encoding may lack, and those that a terminal obeys, are written as
    `\uXXXX`, so that a reader of the JSON gets each text as it is.

    Args:
        value: The value. What JSON has no form for is written as text.
        stream: Where it will be written.
        indent: As in `print_json`.
    """
    value = encodable(value)
    dumps = partial(json.dumps, ensure_ascii=not is_unicode(stream), indent=indent, default=str)
    try:
        text = dumps(value, allow_nan=False)
    except ValueError:  # JSON has no infinity
        text = dumps(from_json(to_json(value, inf_nan_mode="null", fallback=str)))
    # Line breaks of the indentation are kept; within strings, JSON has escaped them already.
    return UNSAFE_IN_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def is_unicode(stream: TextIO) -> bool:
    """Whether the encoding of a stream has every character."""
    try:
        return codecs.lookup(stream.encoding).name.startswith("utf")
    except (LookupError, TypeError, AttributeError):  # unknown, or a stream without an encoding
        return False
