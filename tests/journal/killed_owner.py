"""A process that owns a journal's file and is killed: `python -m tests.journal.killed_owner FILE`."""

import os
import signal
import sys
import tempfile
from pathlib import Path

from vertexkit.journal.shared.socket import listening_socket


def main(file: Path) -> None:
    tempfile.tempdir = None  # of the environment, not of the process that this one is forked from
    with listening_socket(file):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
