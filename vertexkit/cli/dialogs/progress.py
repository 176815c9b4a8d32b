"""The number of dialogs received so far, shown in a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn

from vertexkit.cli import output
from vertexkit.cli.translation import translate

UPDATE_EVERY = 50
"""Dialogs between two updates of the counter: an update costs as much as counting a dialog."""


@contextmanager
def dialog_counter(done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show a counter on standard error while the context is open.

    Args:
        done: The initial count.

    Yields:
        A function that adds to the count.
    """
    console = output.console(err=True)
    if not console.is_terminal:
        yield _ignore
        return
    progress = Progress(
        SpinnerColumn(),
        TextColumn(translate("dialogs") + " {task.completed:,}"),
        console=console,
        transient=True,
    )
    waiting = 0
    with progress:
        task = progress.add_task("", completed=done)

        def advance(number: int) -> None:
            nonlocal waiting
            waiting += number
            if waiting >= UPDATE_EVERY:
                progress.advance(task, waiting)
                waiting = 0

        yield advance


def _ignore(_: int) -> None:
    """Count nothing: there is no terminal to show it in."""
