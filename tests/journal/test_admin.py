"""The journal in an operator's hands: with a service that runs, and without."""

import asyncio
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.conftest import Desk
from tests.journal.shared.served_journal import House
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnusable
from vertexkit.execution import Phase
from vertexkit.journal.admin import operators_journal
from vertexkit.journal.protocol import Query
from vertexkit.journal.shared.client import RemoteJournal
from vertexkit.journal.shared.socket import find_socket, offering
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock

KILLED = """
import os, signal, sys
from pathlib import Path
from vertexkit.journal.shared.socket import offering
with offering(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_owner(file: Path) -> Path:
    """Let a process own this file and kill it; gives the socket that it leaves behind."""
    environment = {**os.environ, "TMPDIR": tempfile.gettempdir()}
    command = [sys.executable, "-c", KILLED, str(file)]
    subprocess.run(command, env=environment, check=False, timeout=30)
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
    """While a service has the file, an operator sees and does everything through it."""
    house = House(file, VirtualClock())
    await house.open()
    lease = await Desk(house.journal, VirtualClock()).held()
    async with operators_journal(JournalSettings(url=f"sqlite:{file}"), Clock()) as journal:
        assert isinstance(journal, RemoteJournal)
        [record] = await journal.search(Query())
        assert (record.execution, record.phase) == (lease.execution.id, Phase.RUNNING)
    [still] = await house.journal.search(Query())
    assert still.phase is Phase.RUNNING
    await house.close()


async def test_without_a_service_the_file_is_opened(file: Path) -> None:
    """An operator sees what a service has left, and leaves the file to the next one."""
    house = House(file, VirtualClock())
    await house.open()
    kept = await Desk(house.journal, VirtualClock()).accept()
    await house.close()
    async with operators_journal(JournalSettings(url=f"sqlite:{file}"), Clock()) as journal:
        assert isinstance(journal, SqliteJournal)
        [record] = await journal.search(Query())
        assert (record.execution, record.phase) == (kept.execution, Phase.WAITING)
    await house.journal.open(lambda: None)
    await house.journal.close()


@pytest.mark.parametrize(
    "url, said", [("sqlite:no/journal.db", "there is no journal"), ("memory:", "memory")]
)
async def test_where_there_is_nothing_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    """Looking at a journal that is not there makes no file."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JournalUnusable, match=said):
        async with operators_journal(JournalSettings(url=url), Clock()):
            pass
    assert not os.listdir()  # noqa: PTH208 - the working folder


async def test_what_a_killed_owner_left_is_no_obstacle(file: Path) -> None:
    """After kill -9 a socket and a note lie about: an operator and the next owner pass them by."""
    old = await asyncio.to_thread(kill_owner, file)
    with pytest.raises(JournalUnusable, match="there is no journal"):
        async with operators_journal(JournalSettings(url=f"sqlite:{file}"), Clock()):
            pass
    house = House(file, VirtualClock())
    await house.open()
    async with operators_journal(JournalSettings(url=f"sqlite:{file}"), Clock()) as journal:
        assert isinstance(journal, RemoteJournal)
    await house.close()
    assert find_socket(file) is None
    assert not old.exists()


def test_the_socket_is_for_this_user_alone(file: Path) -> None:
    """Tokens go over it: like the file it is 0600, and so is the note that says where it is."""
    with offering(file) as (_, path):
        note = file.with_name("journal.db.owner")
        assert path.parent == file.parent
        assert json.loads(note.read_text()) == {"pid": os.getpid(), "socket": str(path)}
        for each in (path, note):
            assert stat.S_IMODE(each.stat().st_mode) == 0o600
    assert not list(file.parent.iterdir())


def test_a_long_path_gets_a_folder_of_its_own(deep: Path) -> None:
    """Where the path would be too long for a socket, it lies in a folder that only we can open."""
    with offering(deep) as (_, path):
        assert find_socket(deep) == path
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.parent.exists()
    with offering(None) as (_, path):
        assert path.is_socket()


def test_the_folder_of_a_killed_owner_is_cleared(deep: Path) -> None:
    """The next owner takes away what lies in the temporary folder too."""
    old = kill_owner(deep)
    with offering(deep):
        assert not old.parent.exists()
