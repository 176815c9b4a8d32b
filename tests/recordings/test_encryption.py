"""Encrypted recordings: nothing in their files is readable without the key."""

import shutil
from pathlib import Path

import pytest

from tests.journal.driver import JOURNAL_KEY, OTHER_KEY
from vertexkit import App, Context
from vertexkit.errors import SettingsError
from vertexkit.journal.encryption import recordings_cipher
from vertexkit.recordings import RecordingsFolder
from vertexkit.settings import JournalSettings
from vertexkit.testing import FakeDialog
from vertexkit.testing.replay import replay

pytest.importorskip("cryptography", reason="the extra encryption is not installed")

app = App()
SECRETS = ("+7 900 111", "Your phone", "answered")


@app.block("ask")
async def ask(ctx: Context, phone: str) -> dict[str, str]:
    await ctx.send_message(f"Your phone is {phone}")
    return {"state": "answered"}


def folder(path: Path, *keys: str) -> RecordingsFolder:
    return RecordingsFolder(path, recordings_cipher(JournalSettings(keys=",".join(keys))))


async def record(path: Path) -> bytes:
    """Record a run of a service with a key; return the bytes of the file."""
    await FakeDialog(app, record=path, journal_keys=JOURNAL_KEY).run("ask", phone="+7 900 111")
    [file] = folder(path).files()
    return file.read_bytes()


async def test_a_recording_is_encrypted(tmp_path: Path) -> None:
    """No secret is in its bytes; with the key it is read and replayed."""
    content = await record(tmp_path)
    assert not [secret for secret in SECRETS if secret.encode() in content]
    recording = folder(tmp_path, JOURNAL_KEY).find("last")
    assert recording.messages == ["Your phone is +7 900 111"]
    assert (await replay(app, recording)).matches


@pytest.mark.parametrize("keys, reason", [((), "is not set"), ((OTHER_KEY,), "does not contain")])
async def test_a_recording_without_its_key_is_refused(
    tmp_path: Path, keys: tuple[str, ...], reason: str
) -> None:
    """The error names the file and what is missing; a list of recordings skips it."""
    await record(tmp_path)
    with pytest.raises(SettingsError, match=reason):
        folder(tmp_path, *keys).find("last")
    assert list(folder(tmp_path, *keys)) == []


async def test_lines_cannot_be_moved(tmp_path: Path) -> None:
    """A file under the name of another recording cannot be read."""
    await record(tmp_path)
    [file] = folder(tmp_path).files()
    shutil.move(file, file.with_name("another.jsonl"))
    with pytest.raises(SettingsError, match="cannot be decrypted"):
        folder(tmp_path, JOURNAL_KEY).find("another")


async def test_a_line_that_was_cut_ends_the_recording(tmp_path: Path) -> None:
    """What was written before the process was killed is read."""
    content = await record(tmp_path)
    [file] = folder(tmp_path).files()
    file.write_bytes(content[:-30])
    recording = folder(tmp_path, JOURNAL_KEY).find("last")
    assert recording.messages == ["Your phone is +7 900 111"]
    assert recording.end is None


async def test_recordings_are_encrypted_again(tmp_path: Path) -> None:
    """After `rekey` the newest key is enough; plain recordings are encrypted too."""
    await record(tmp_path)
    await FakeDialog(app, record=tmp_path).run("ask", phone="+7 900 111")
    assert folder(tmp_path, OTHER_KEY, JOURNAL_KEY).rekey() == 2
    found = list(folder(tmp_path, OTHER_KEY))
    assert [recording.code for recording in found] == ["ok", "ok"]
    content = b"".join(file.read_bytes() for file in folder(tmp_path).files())
    assert not [secret for secret in SECRETS if secret.encode() in content]
