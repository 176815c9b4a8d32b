"""Access for operators, with a running service and without one."""

import asyncio
import json
import os
import signal
import socket
import stat
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from tests import forked
from tests.journal.driver import JournalDriver
from tests.journal.shared.served_journal import HostedJournal
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable, JournalUnusable
from vertexkit.execution import Phase
from vertexkit.journal import KINDS
from vertexkit.journal.admin import open_admin
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import (
    Access,
    JournalAdmin,
    JournalObserver,
    NullJournalObserver,
    Query,
    Record,
)
from vertexkit.journal.shared.client import JournalClient
from vertexkit.journal.shared.socket import find_socket, listening_socket
from vertexkit.journal.sqlite.file import open_file
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock

ROOT = Path(__file__).parents[2]


def kill_owner(file: Path) -> Path:
    """Kill a process that owns this file; return the socket that it leaves behind."""
    environment = {**os.environ, "TMPDIR": tempfile.gettempdir()}
    killed = forked.run(
        "tests.journal.killed_owner", [str(file)], folder=ROOT, environment=environment
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = find_socket(file)
    assert left is not None
    assert left.is_socket()
    return left


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file in a folder whose path is too long for a socket."""
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        folder = tmp_path / ("x" * 100)
        folder.mkdir()
        yield folder / "journal.db"
        assert not list(Path(short).iterdir())


async def test_a_running_service_is_asked(file: Path) -> None:
    """While a service has the file open, an operator's command uses that service's journal."""
    host = HostedJournal(file, VirtualClock())
    await host.open()
    lease = await JournalDriver(host.journal, VirtualClock()).held()
    async with open_admin(JournalSettings(url=f"sqlite:{file}"), Clock()) as journal:
        assert isinstance(journal._journal, JournalClient)  # pyrefly: ignore[missing-attribute]
        [record] = await journal.search(Query())
        assert (record.execution, record.phase) == (lease.execution.id, Phase.RUNNING)
    [still] = await host.journal.search(Query())
    assert still.phase is Phase.RUNNING
    await host.close()


async def test_a_frozen_service_is_reported(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stopped accepts the connection and says nothing: the command ends."""
    monkeypatch.setattr("vertexkit.journal.admin.ANSWER_TIMEOUT_SECONDS", 0.1)
    await asyncio.to_thread(lambda: open_file(file).close())
    with listening_socket(file), pytest.raises(JournalUnusable, match=rf"{os.getpid()}.*SIGCONT"):
        async with open_admin(JournalSettings(url=f"sqlite:{file}"), Clock()):
            pass


QUESTIONS: dict[str, Callable[[JournalAdmin], Awaitable[object]]] = {
    "list": lambda journal: journal.search(Query()),
    "show": lambda journal: journal.find("a"),
    "retry": lambda journal: journal.retry("a"),
    "drop": lambda journal: journal.drop("a"),
}


@pytest.mark.parametrize("running", [True, False], ids=["socket", "file"])
@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
async def test_every_question_has_an_answer(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    question: Callable[[JournalAdmin], Awaitable[object]],
    running: bool,
) -> None:
    """A journal that does not answer is an error after a time limit, and so is nothing to close."""
    host = HostedJournal(file, VirtualClock())
    await host.open()
    await JournalDriver(host.journal, VirtualClock()).accept()
    if not running:
        await host.close()
    thread_may_end = threading.Event()
    with monkeypatch.context() as patch:
        async with open_admin(JournalSettings(url=f"sqlite:{file}"), Clock()) as journal:
            patch.setattr("vertexkit.journal.admin.ANSWER_TIMEOUT_SECONDS", 0.1)
            if running:  # the service's event loop takes the request and is then blocked
                for client in host.server._clients:
                    patch.setattr(client, "frame_received", lambda _: None)
            else:  # the disk does not respond
                writer: Writer = journal._journal._writer  # pyrefly: ignore[missing-attribute]
                writer._runner.put(thread_may_end.wait, lambda *_: None)
            with pytest.raises(JournalUnavailable, match="did not answer"):
                await question(journal)
    thread_may_end.set()
    if running:
        await host.close()


async def test_without_a_running_service_the_file_is_opened(file: Path) -> None:
    """An operator's command reads the file of a stopped service, and closes it again."""
    host = HostedJournal(file, VirtualClock())
    await host.open()
    kept = await JournalDriver(host.journal, VirtualClock()).accept()
    await host.close()
    async with open_admin(JournalSettings(url=f"sqlite:{file}"), Clock()) as journal:
        assert isinstance(journal._journal, SqliteJournal)  # pyrefly: ignore[missing-attribute]
        [record] = await journal.search(Query())
        assert (record.execution, record.phase) == (kept.execution, Phase.WAITING)
    await host.journal.open(NullJournalObserver())
    await host.journal.close()


@pytest.mark.parametrize(
    "url, error", [("sqlite:no/journal.db", "does not exist"), ("memory:", "memory")]
)
async def test_no_file_is_created_for_a_missing_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, error: str
) -> None:
    """A command does not create the journal that it was to read."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JournalUnusable, match=error):
        async with open_admin(JournalSettings(url=url), Clock()):
            pass
    assert not os.listdir()  # noqa: PTH208 - the working folder


class ServerJournal(MemoryJournal):
    """Stands for a journal in a database server, which any process may open."""

    access = Access.ANY

    async def search(self, query: Query) -> list[Record]:
        self.queries.append(query)
        return await super().search(query)

    queries: ClassVar[list[Query]] = []


def make_server_journal(rest: str, clock: Clock, settings: JournalSettings) -> ServerJournal:
    assert rest == "//user:secret@db"
    return ServerJournal(clock, settings)


async def test_a_registered_kind_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command does with a journal depends on what it can do, not on its URL's scheme."""
    monkeypatch.setitem(KINDS, "postgres", f"{__name__}:make_server_journal")
    settings = JournalSettings(url="postgres://user:secret@db")
    async with open_admin(settings, Clock()) as journal:
        assert await journal.search(Query(limit=7)) == []
    assert ServerJournal.queries.pop().limit == 7


class FilelessJournal(MemoryJournal):
    """Stands for a journal that one process has open, and that has no file to announce a socket."""

    access = Access.SOCKET
    opened: ClassVar[list[object]] = []

    async def open(self, observer: JournalObserver) -> None:
        self.opened.append(observer)
        await super().open(observer)


def make_fileless_journal(rest: str, clock: Clock, settings: JournalSettings) -> FilelessJournal:
    return FilelessJournal(clock, settings)


async def test_a_registered_kind_without_a_file_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other process can be asked, so the command opens it."""
    monkeypatch.setitem(KINDS, "store", f"{__name__}:make_fileless_journal")
    async with open_admin(JournalSettings(url="store:"), Clock()) as journal:
        assert await journal.search(Query()) == []
    assert len(FilelessJournal.opened) == 1


async def test_a_registered_kind_in_memory_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that only its process can read is named by its scheme, without its password."""
    monkeypatch.setitem(KINDS, "postgres", "vertexkit.journal.memory:make")
    settings = JournalSettings(url="postgres://user:secret@db")
    with pytest.raises(
        JournalUnusable, match="a postgres: journal can only be read by the process"
    ):
        async with open_admin(settings, Clock()):
            pass


async def test_files_of_a_killed_owner_are_replaced(file: Path) -> None:
    """After kill -9 a socket and its announcement are left; commands and the next owner ignore them."""
    old = await asyncio.to_thread(kill_owner, file)
    with pytest.raises(JournalUnusable, match="does not exist"):
        async with open_admin(JournalSettings(url=f"sqlite:{file}"), Clock()):
            pass
    host = HostedJournal(file, VirtualClock())
    await host.open()
    async with open_admin(JournalSettings(url=f"sqlite:{file}"), Clock()) as journal:
        assert isinstance(journal._journal, JournalClient)  # pyrefly: ignore[missing-attribute]
    await host.close()
    assert find_socket(file) is None
    assert not old.exists()


def test_the_socket_is_for_this_user_alone(file: Path) -> None:
    """Tokens are sent over it: like the file it is 0600, and so is its announcement."""
    with listening_socket(file) as (_, path):
        announcement = file.with_name("journal.db.owner")
        assert path.parent == file.parent
        assert json.loads(announcement.read_text()) == {"pid": os.getpid(), "socket": str(path)}
        for created in (path, announcement):
            assert stat.S_IMODE(created.stat().st_mode) == 0o600
    assert not list(file.parent.iterdir())


def test_a_socket_with_a_long_path_is_in_a_temporary_folder(deep: Path) -> None:
    """Where the path is too long for a socket, it is in a temporary folder of this user."""
    with listening_socket(deep) as (_, path):
        assert find_socket(deep) == path
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.parent.exists()
    with listening_socket(None) as (_, path):
        assert path.is_socket()


def test_the_temporary_folder_of_a_killed_owner_is_removed(deep: Path) -> None:
    """The next owner removes the temporary folder too."""
    old = kill_owner(deep)
    with listening_socket(deep):
        assert not old.parent.exists()


def test_temporary_folders_of_killed_owners_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of those without a file; a process that runs or has just started keeps its own."""
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        with listening_socket(None) as (_, running):
            folders = {"dead": True, "starting": False, "other": True}
            for name, is_old in folders.items():
                folder = Path(short) / f"vertexkit-{name}"
                folder.mkdir(mode=0o700)
                if name == "other":
                    (folder / "notes.txt").touch()
                else:
                    for ending in ("sock", "metrics"):
                        with socket.socket(socket.AF_UNIX) as left:
                            left.bind(str(folder / f"journal.{ending}"))
                if is_old:
                    os.utime(folder, (1, 1))
            os.utime(running.parent, (1, 1))
            with listening_socket(None) as (_, new):
                left_over = {folder.name for folder in Path(short).iterdir()}
        assert left_over == {
            running.parent.name,
            new.parent.name,
            "vertexkit-starting",
            "vertexkit-other",
        }
