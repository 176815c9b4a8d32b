"""How many dialogs have come until now, for whoever watches a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn


@contextmanager
def counting(done: int = 0) -> Iterator[Callable[[int], None]]:
    """A number on standard error that goes away at the end; gives what adds to it.

    Args:
        done: what it begins with.
    """
    console = Console(stderr=True)
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
