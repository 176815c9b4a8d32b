"""Progress bars on standard error: what is done, of how much, how fast, and how long it still takes."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from vertexkit.cli import output
from vertexkit.cli.translation import translate

UPDATE_SECONDS = 0.1
"""Between two updates of a bar: an update costs as much as counting a dialog."""
CI_VARIABLE = "CI"
"""Is set where output goes into a log: by GitHub, GitLab and others."""


def shows_progress(console: Console, *, quiet: bool) -> bool:
    """Whether there is a person who sees a bar, in a terminal that can change its last line.

    Args:
        console: Of standard error.
        quiet: The user does not want one.
    """
    in_ci = os.environ.get(CI_VARIABLE, "").lower() not in {"", "0", "false"}
    return sys.stderr.isatty() and console.is_interactive and not quiet and not in_ci


def progress_bars(*, quiet: bool = False) -> Progress:
    """Return bars on standard error, which disappear at the end; they show nothing in pipes and CI.

    Args:
        quiet: Show nothing in a terminal either.
    """
    console = output.console(err=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        redirect_stdout=False,  # rows may be printed there, for another program
        disable=not shows_progress(console, quiet=quiet),
    )


class RateColumn(ProgressColumn):
    """Things per second."""

    def render(self, task: Task) -> Text:
        """Show the speed of the task; nothing until it is known."""
        speed = task.finished_speed or task.speed
        if speed is None:
            return Text("")
        return Text(translate("{0}/s", f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}"))


@contextmanager
def dialog_progress(
    done: int = 0, find_total: Callable[[], int | None] = lambda: None, *, quiet: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show a bar for dialogs while the context is open.

    Args:
        done: Dialogs that are done already.
        find_total: Returns the number of all dialogs, with those that are done; None if it is not
            known yet.
        quiet: Show nothing.

    Yields:
        A function that adds to the count.
    """
    progress = progress_bars(quiet=quiet)
    if progress.disable:
        yield _ignore
        return
    waiting, updated = 0, time.monotonic()
    with progress:
        task = progress.add_task(translate("dialogs"), completed=done, total=None)

        def update() -> None:
            nonlocal waiting, updated
            progress.update(task, advance=waiting, total=find_total())
            waiting, updated = 0, time.monotonic()

        def advance(number: int) -> None:
            nonlocal waiting
            waiting += number
            if time.monotonic() - updated >= UPDATE_SECONDS:
                update()

        try:
            yield advance
        finally:
            update()


def _ignore(_: int) -> None:
    """Count nothing: no bar is shown."""
