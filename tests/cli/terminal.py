"""A program in a terminal, which a test types into and reads."""

import os
import pty
import select
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.forked import ForkedProcess
from tests.waiting import until_outside

PAUSE_SECONDS = 10.0
"""After which a key that had no effect is pressed again."""


class ShownTerminal:
    """A terminal that a program writes to."""

    def __init__(self, descriptor: int, process: subprocess.Popen[bytes] | ForkedProcess) -> None:
        self._descriptor = descriptor
        self._process = process
        self._text = ""

    def finish(self, again: Callable[[], object] = lambda: None) -> tuple[int, str]:
        """Wait until the program has ended; return its exit code, and what else was shown.

        Args:
            again: what a user presses again when nothing happens.
        """
        while True:
            if not select.select([self._descriptor], [], [], PAUSE_SECONDS)[0]:
                again()
                continue
            try:
                data = os.read(self._descriptor, 4096)
            except OSError:  # the program has closed its end
                break
            self._text += data.decode(errors="replace")
        return self._process.wait(), self._text

    def type(self, text: str) -> None:
        """Type keys."""
        os.write(self._descriptor, text.encode())

    def interrupt(self) -> None:
        """Send the signal that a terminal sends on Ctrl+C, once the program waits for a key."""
        status = Path(f"/proc/{self._process.pid}/stat")
        if status.exists():
            until_outside(lambda: ") S " in status.read_text(), "the program waits for a key")
        self._process.send_signal(signal.SIGINT)

    def wait_for(self, text: str) -> None:
        """Read until a text is shown, and forget what was shown up to its end."""
        while text not in self._text:
            self._text += os.read(self._descriptor, 4096).decode(errors="replace")
        self._text = self._text.partition(text)[2]


@contextmanager
def forked_terminal(
    module: str, arguments: list[str], folder: Path, environment: dict[str, str]
) -> Iterator[ShownTerminal]:
    """A module that runs in a forked process, whose standard streams are a terminal."""
    ours, theirs = pty.openpty()
    process = ForkedProcess(module, arguments, folder, environment, (theirs, theirs, theirs))
    os.close(theirs)
    try:
        yield ShownTerminal(ours, process)
    finally:
        process.close()
        os.close(ours)


@contextmanager
def terminal(
    command: list[str], folder: Path, environment: dict[str, str]
) -> Iterator[ShownTerminal]:
    """A program whose standard streams are a terminal; it is killed at the end."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield ShownTerminal(ours, process)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
