"""The number of dialogs received so far, shown in a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn

from vertexkit.cli import output


@contextmanager
def dialog_counter(done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show a counter on standard error while the context is open.

    Args:
        done: The initial count.

    Yields:
        A function that adds to the count.
    """
    console = output.console(err=True)
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,} dialogs"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task("", completed=done)
        yield lambda number: progress.advance(task, number)
