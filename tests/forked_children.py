"""The Python programs that a command starts, forked from it.

A benchmark reads the processor time and the memory of the programs that it starts, so they have to be
its children, which those of `forked_programs.py` are not. A new Python takes a second before it begins
to work.
"""

import gc
import os
import runpy
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests import forked

VARIABLE = "FORKED_CHILDREN"
"""In the environment of a forked command: the Python programs that it starts are forked, too."""


def use() -> None:
    """In a forked command: fork what it starts with its own Python."""
    subprocess.Popen = _Popen


class _Popen(subprocess.Popen[Any]):
    """Forks instead of starting a new Python.

    `subprocess` forks, prepares the streams and the folder, calls `preexec_fn`, and then starts the
    program: here `preexec_fn` runs the program, and does not return.
    """

    def __init__(self, args: Sequence[str], **options: Any) -> None:
        if args[0] == sys.executable:
            program = partial(_run, args[1:], options.get("env"), options.get("preexec_fn"))
            options["preexec_fn"] = partial(forked.exit_as_python, program)
            for stream in (sys.stdout, sys.stderr):
                stream.flush()  # or the fork would write it again
        super().__init__(args, **options)


def _run(
    arguments: Sequence[str],
    environment: Mapping[str, str] | None,
    prepare: Callable[[], object] | None,
) -> None:
    """In the fork: run what the arguments of `python` name."""
    if prepare is not None:
        prepare()
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # the caller waits until they are closed
    gc.enable()  # `subprocess` disables it before it forks
    for finalizer in list(weakref.finalize._registry):  # pyrefly: ignore[missing-attribute]
        finalizer.detach()  # the temporary folders are the caller's
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    run = _WAYS.get(arguments[0], _run_file)
    name, *rest = arguments[1:] if arguments[0] in _WAYS else arguments
    variables = dict(os.environ if environment is None else environment)
    forked.become(forked.Start(name, tuple(rest), Path.cwd(), variables, ()))
    run(name)


def _run_file(path: str) -> None:
    runpy.run_path(path, run_name="__main__")


def _run_text(text: str) -> None:
    exec(text, {"__name__": "__main__"})


_WAYS = {"-m": forked.run_module, "-c": _run_text}
"""By the option of `python`; without one, the first argument is a file."""
