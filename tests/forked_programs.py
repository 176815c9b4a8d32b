"""Programs that are started by other programs, forked from the warm process.

A shell that completes a command line, and `vertexkit dev`, start a program by its path. The program
here is a stub: a Python without its standard packages, which starts in a few milliseconds. It hands
its arguments, its environment, its folder and its streams to a thread of the test, which runs the
module in a forked process; it passes signals on, and ends as that process does.
"""

import os
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import forked

STUB = """#!{python} -IS
import os, signal, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect({address!r})
texts = [{module!r}, os.getcwd(), str(len(sys.argv) - 1), *sys.argv[1:]]
texts += [f"{{name}}={{value}}" for name, value in os.environ.items()]
given = os.memfd_create("given")
os.write(given, "\\0".join(texts).encode(errors="surrogateescape"))
socket.send_fds(line, [b"start"], [given, 0, 1, 2])
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, frame: line.send(b"%d\\n" % number))
for number in range(3):
    os.close(number)
code = line.recv(8)
os._exit(int(code) if code else 70)  # 70: the test has ended
"""


PYTHON_VARIABLE = "FORKED_PYTHON"
"""In the environment of a forked command: the Python with which it starts programs."""
SCRIPT = "vertexkit_script"
"""Module of the program `vertexkit`."""


class ForkedPrograms:
    """Runs what stubs ask for; they are written into a folder of their own."""

    def __init__(self) -> None:
        self._temporary = TemporaryDirectory(prefix="vertexkit-programs-")
        self._folder = Path(self._temporary.name)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / "socket"))
        self._listener.listen()
        self._processes: list[forked.ForkedProcess] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def command(self) -> Path:
        """Write the program `vertexkit`, as pip writes it; return its path."""
        (self._folder / f"{SCRIPT}.py").write_text(
            "import sys\n\nfrom vertexkit.cli.main import main\n\n"
            "sys.argv[0] = 'vertexkit'\nmain()\n"
        )
        return self._stub("vertexkit", SCRIPT)

    def python(self) -> Path:
        """Write a `python` that runs what its arguments name as `-m MODULE`; return its path."""
        return self._stub("python", "")

    def _stub(self, name: str, module: str) -> Path:
        path = self._folder / name
        address = str(self._folder / "socket")
        path.write_text(STUB.format(python=sys.executable, address=address, module=module))
        path.chmod(0o700)
        return path

    def close(self) -> None:
        """Kill what still runs, and remove the stubs."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # the thread waits in accept
        self._listener.close()
        for process in self._processes:
            process.close()
        self._temporary.cleanup()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[line], daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line:
            _, descriptors, _, _ = socket.recv_fds(line, len(b"start"), 4)
            if len(descriptors) != 4:  # killed at its start
                return
            given, *streams = descriptors
            with os.fdopen(given, "rb") as file:
                file.seek(0)
                texts = file.read().decode(errors="surrogateescape").split("\0")
            process = self._start(texts, (streams[0], streams[1], streams[2]))
            for stream in streams:
                os.close(stream)
            threading.Thread(target=_pass_signals, args=[line, process], daemon=True).start()
            code = process.wait()
            with suppress(OSError):
                line.send(b"%d" % (code if code >= 0 else 128 - code))

    def _start(self, texts: list[str], streams: tuple[int, int, int]) -> forked.ForkedProcess:
        module, folder, count, *rest = texts
        arguments, variables = rest[: int(count)], rest[int(count) :]
        if not module:
            _, module, *arguments = arguments
        environment = dict(variable.split("=", 1) for variable in variables)
        if module == SCRIPT:
            environment["PYTHONPATH"] = str(self._folder)
        process = forked.ForkedProcess(module, arguments, Path(folder), environment, streams)
        self._processes.append(process)
        return process


def _pass_signals(line: socket.socket, process: forked.ForkedProcess) -> None:
    """Pass the signals of a stub on; a stub that was killed kills the process."""
    with suppress(OSError):
        while data := line.recv(64):
            for number in data.split():
                process.send_signal(int(number))
    process.kill()
