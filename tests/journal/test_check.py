"""Checking a journal before it is opened: the same errors as opening it, and no change."""

import sqlite3
from pathlib import Path

import pytest

from vertexkit.clock import Clock
from vertexkit.errors import JournalUnusable, SettingsError
from vertexkit.journal import make_journal
from vertexkit.journal.protocol import NullJournalObserver
from vertexkit.settings import Settings


def settings(url: str) -> Settings:
    return Settings.of(platform_url="http://platform/api", journal=url)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def occupy(folder: Path, kind: str) -> None:
    """Put something other than a journal at its path."""
    file = folder / "journal.db"
    match kind:
        case "another program's":
            with sqlite3.connect(file) as connection:
                connection.execute("CREATE TABLE notes (text)")
            connection.close()
        case "another version's":
            with sqlite3.connect(file) as connection:
                connection.execute("CREATE TABLE executions (id)")
                connection.execute("PRAGMA application_id = 0x76786B6A")
            connection.close()
        case "text":
            file.write_text("a shopping list, which is long enough for a header\n" * 100)
        case "folder":
            file.mkdir()
        case "file instead of its folder":
            file.parent.rmdir()
            file.parent.write_text("")
        case "readable":
            file.touch()
    if file.is_file():
        file.chmod(0o644 if kind == "readable" else 0o600)


@pytest.mark.parametrize(
    "kind",
    [
        *("another program's", "another version's", "text", "folder"),
        *("file instead of its folder", "readable"),
    ],
)
async def test_what_cannot_be_opened_is_found_by_the_check(tmp_path: Path, kind: str) -> None:
    """The check raises the error that opening raises, word by word, and changes nothing."""
    folder = tmp_path / "folder"
    folder.mkdir()
    occupy(folder, kind)
    before = contents(tmp_path)
    journal = make_journal(settings(f"sqlite:{folder}/journal.db").journal, Clock())
    with pytest.raises(JournalUnusable) as checked:
        journal.check()
    assert contents(tmp_path) == before
    with pytest.raises(JournalUnusable) as opened:
        await journal.open(NullJournalObserver())
    assert str(checked.value) == str(opened.value)


@pytest.mark.parametrize("path", ["/proc/journal.db", "/proc/self/journal.db", "/sys/journal.db"])
async def test_a_folder_that_takes_no_files_is_found(path: str) -> None:
    """Permissions alone do not show whether a file can be created: the check tries one."""
    journal = make_journal(settings(f"sqlite:{path}").journal, Clock())
    with pytest.raises(JournalUnusable, match="cannot be opened"):
        journal.check()
    with pytest.raises(JournalUnusable, match="cannot be opened"):
        await journal.open(NullJournalObserver())


@pytest.mark.parametrize("url", ["redis://x", "nonsense", "", "sqlite:", "sqlite://", "SQLITE:x"])
def test_a_journal_of_no_known_kind_cannot_be_made(url: str) -> None:
    """Another scheme, or a path that is missing, is an error of the setting."""
    with pytest.raises(SettingsError, match="VERTEXKIT_JOURNAL"):
        make_journal(settings(url).journal, Clock())


async def test_a_journal_that_can_be_opened_passes(tmp_path: Path) -> None:
    """A new one, one in use by a service, and one that was closed pass; nothing is created."""
    url = f"sqlite:{tmp_path}/new/folder/journal.db"
    checked, opened = (make_journal(settings(url).journal, Clock()) for _ in range(2))
    assert checked.check().endswith("journal.db will be created")
    assert not contents(tmp_path)
    assert not (tmp_path / "new").exists()
    await opened.open(NullJournalObserver())
    assert checked.check().endswith("journal.db exists")
    await opened.close()
    before = contents(tmp_path)
    assert checked.check().endswith("journal.db exists")
    assert contents(tmp_path) == before
    assert make_journal(settings("memory:").journal, Clock()).check()
