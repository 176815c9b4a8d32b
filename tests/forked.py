"""Commands as processes that are forked from a warm one, with the interface of `subprocess`.

A forked command has its own process, arguments, environment, folder, streams and exit code, as a
new Python has. tests/cli/test_import_time.py starts new ones.
"""

import atexit
import importlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper
from multiprocessing import connection, forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NoReturn

from tests import measuring

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.warm", "tests.forked", "tests.forked_workers"])
IMPORT_PATH = [entry for entry in sys.path if entry]
"""In the fork server: where a new Python finds modules, without the folder it is started in."""

LIMIT_SECONDS = 230.0
"""A command that does not exit is killed a little before its test reaches its limit, and its output
is shown. On a busy machine, one that works may need most of it."""
_processes = threading.Lock()
"""An exit code can be read once: of two threads that read it at once, one would get 255.

A start reads those of the processes that have ended.
"""

PYTEST_OPTION = "-W ignore::pytest.PytestAssertRewriteWarning"
"""For a forked pytest, whose plugins the warm process has imported before."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a new process is started with.

    Attributes:
        module: that `python -m` runs.
        arguments: of the command.
        folder: in which it runs.
        environment: all of its variables.
        streams: standard input, output and errors; none if it has them already.
    """

    module: str
    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    streams: tuple[Connection, ...]


def fork(target: Callable[..., object], *arguments: object) -> ForkServerProcess:
    """Start a process that is forked from a warm one and calls a function.

    Its coverage is measured if that of a new process is.
    """
    process = FORKS.Process(target=_call, args=(not measuring.is_stopped(), target, arguments))
    with _processes:
        with measuring.for_all_tests():
            forkserver.ensure_running()
        process.start()
    return process


class ForkedProcess:
    """A forked process; its methods do what those of `subprocess.Popen` do."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        streams: tuple[int, int, int],
    ) -> None:
        self.stdout: IO[str] | None = None
        carriers = [Connection(os.dup(stream)) for stream in streams]
        start = Start(
            module,
            tuple(arguments),
            folder,
            dict(environment),
            (carriers[0], carriers[1], carriers[2]),
        )
        self._process = fork(_run, start)
        for carrier in carriers:
            carrier.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, or minus the signal that ended it."""
        with _processes:
            return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended, which it may do at any moment."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends; return the exit code."""
        connection.wait([self._process.sentinel], timeout)
        code = self.returncode
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return code

    def read(self) -> str:
        """Read the output until the process ends."""
        assert self.stdout is not None
        output = self.stdout.read()
        self.wait()
        return output

    def close(self) -> None:
        """Kill it, and close its output."""
        self.kill()
        self.wait()
        if self.stdout is not None:
            self.stdout.close()


def run(
    module: str,
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    stdin: str = "",
    timeout: float = LIMIT_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run a command and wait until it exits; its output is captured.

    The environment may name the encoding of its streams, as PYTHONIOENCODING.
    """
    encoding = _encoding(environment)
    with TemporaryFile() as given, TemporaryFile() as output, TemporaryFile() as errors:
        given.write(stdin.encode())
        given.seek(0)
        streams = given.fileno(), output.fileno(), errors.fileno()
        process = ForkedProcess(module, arguments, folder, environment, streams)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            process.close()
            error.add_note(f"{_text(output, encoding)}\n{_text(errors, encoding)}")
            raise
        finally:
            process.close()
        texts = [_text(stream, encoding) for stream in (output, errors)]
    return subprocess.CompletedProcess(list(arguments), code, texts[0], texts[1])


def start(
    module: str, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> ForkedProcess:
    """Start a command whose output and errors are read from its `stdout`."""
    reading, writing = os.pipe()
    with Path(os.devnull).open("rb") as nothing:
        streams = nothing.fileno(), writing, writing
        process = ForkedProcess(module, arguments, folder, environment, streams)
    os.close(writing)
    process.stdout = os.fdopen(reading, encoding="utf-8")
    return process


def _text(stream: IO[bytes], encoding: str) -> str:
    stream.seek(0)
    return stream.read().decode(encoding)


def _encoding(environment: Mapping[str, str]) -> str:
    return environment.get("PYTHONIOENCODING", "utf-8")


def _call(measured: bool, target: Callable[..., object], arguments: tuple[object, ...]) -> None:
    if not measured:
        measuring.stop()
    target(*arguments)


def _run(start: Start) -> NoReturn:
    """In the forked process: become the command, run it, and exit as Python does."""
    become(start)
    if start.environment.get("FORKED_WORKERS"):
        importlib.import_module("tests.forked_workers").use()
    if start.environment.get("FORKED_CHILDREN"):
        importlib.import_module("tests.forked_children").use()
    sys.executable = start.environment.get("FORKED_PYTHON", sys.executable)
    exit_as_python(lambda: run_module(start.module))


def run_module(name: str) -> None:
    """Run a module as `python -m` does."""
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def exit_as_python(command: Callable[[], object]) -> NoReturn:
    """Run a command, and end this process as a new Python ends after it."""
    code = _exit_code(command)
    threading._shutdown()  # pyrefly: ignore[missing-attribute]
    atexit._run_exitfuncs()  # a forked process leaves them out
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def become(start: Start) -> None:
    """Give this process the streams, folder, environment and arguments of a new one."""
    for number, carrier in enumerate(start.streams):
        os.dup2(carrier.fileno(), number)
        carrier.close()
    os.chdir(start.folder)
    os.environ.clear()
    os.environ.update(start.environment)
    time.tzset()
    sys.argv = [start.module, *start.arguments]
    more = start.environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [str(start.folder), *filter(None, more), *IMPORT_PATH]
    importlib.invalidate_caches()
    unbuffered = bool(start.environment.get("PYTHONUNBUFFERED"))
    encoding = _encoding(start.environment)
    sys.stdin = os.fdopen(0, encoding=encoding, closefd=False)
    sys.stdout = _writer(1, encoding, "strict", write_through=unbuffered)
    sys.stderr = _writer(2, encoding, "backslashreplace", line_buffering=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _writer(
    number: int,
    encoding: str,
    errors: str,
    *,
    line_buffering: bool = False,
    write_through: bool = False,
) -> TextIOWrapper:
    binary = os.fdopen(number, "wb", closefd=False)
    return TextIOWrapper(
        binary,
        encoding=encoding,
        errors=errors,
        line_buffering=line_buffering,
        write_through=write_through,
    )


def _exit_code(command: Callable[[], object]) -> int:
    try:
        command()
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)  # noqa: T201 - as Python does
        return 1
    except BaseException as error:  # noqa: BLE001 - printed, as Python does
        sys.excepthook(type(error), error, error.__traceback__)
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 0
