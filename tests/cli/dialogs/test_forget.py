"""`vertexkit dialogs forget`: lists and erases what a service keeps of a dialog."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

from tests.cli.executions.filled_journal import fill, name
from vertexkit.clock import Clock
from vertexkit.execution import Effect, EffectState, Execution, Outcome, OutcomeStatus
from vertexkit.journal.admin import open_admin
from vertexkit.journal.dialog_memory import DialogKey, DialogMemory
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.recordings import RecordingsFolder
from vertexkit.settings import JournalSettings
from vertexkit.testing import FakePlatform
from vertexkit.token import Token

DIALOG = 4711
SECRET = "+7 900 555 0101"
DONE = Outcome(OutcomeStatus.COMPLETED, "ok", "204")


async def one_dialog(journal: SqliteJournal) -> None:
    """An ended execution with a memory, and an execution of another dialog."""
    for number, dialog in enumerate((DIALOG, 4712), 1):
        token = Token(FakePlatform(seed=number).issue(dialog_id=dialog))
        call = Execution(name(number), "hello", token, {"phone": SECRET}, SECRET.encode(), 1.7e9)
        await journal.accept(call, 10)
        [lease] = await journal.claim("first", {"hello": 1}, 1)
        effect = Effect(0, "memory.set:phone", "", EffectState.CONFIRMED)
        memory = DialogMemory().changed("phone", json.dumps(SECRET).encode())
        key = DialogKey("demo", dialog)
        memory = DialogMemory(memory.values, (await journal.read_memory(key)).version)
        await journal.write_memory(lease, effect, key, memory)
        if dialog == DIALOG:
            await journal.settle(lease, DONE)


def record_runs(folder: Path) -> list[Path]:
    """A recorded run of each of two dialogs; returns the files."""
    recordings = RecordingsFolder(folder)
    files = []
    for dialog in (DIALOG, 4712):
        recorder = recordings.start("hello", 0.0, dialog_id=dialog, inputs={"phone": SECRET})
        recorder.end(1, "", "ok")
        files.append(recordings.file(recorder.header.id))
    return files


def test_it_lists_and_erases(shell: Any) -> None:
    """--dry-run lists what is kept and erases nothing; then all of it is erased, also its bytes."""
    fill(shell, one_dialog)
    own, other = record_runs(shell.folder / "runs")
    listed = shell.run("dialogs", "forget", str(DIALOG), "--dry-run", record="runs")
    assert listed.returncode == 0, listed.stderr
    assert f"execution {name(1)}  hello  completed" in listed.stdout
    assert "memory in demo  27 bytes" in listed.stdout
    assert f"recorded run  runs/{own.name}" in listed.stdout
    assert own.exists()
    found = shell.run("dialogs", "forget", str(DIALOG), "--yes", "--json", record="runs")
    [kept] = map(json.loads, found.stdout.splitlines())
    assert (kept["dialog"], kept["erased"], len(kept["executions"])) == (DIALOG, True, 1)
    assert (kept["memories"][0]["bytes"], len(kept["recordings"])) == (27, 1)
    assert (own.exists(), other.exists()) == (False, True)
    nothing = shell.run("dialogs", "forget", str(DIALOG), record="runs")
    assert nothing.stdout == f"  nothing is kept of dialog {DIALOG}\n"
    stored = b"".join(path.read_bytes() for path in (shell.folder / ".vertexkit").iterdir())
    assert stored.count(json.dumps(SECRET).encode()) == 2  # inputs and memory of the other dialog


def test_a_running_dialog_is_refused(shell: Any) -> None:
    """While an execution has not ended, nothing is erased, and the message says what to do."""
    fill(shell, one_dialog)
    refused = shell.run("dialogs", "forget", "4712", "--yes")
    assert refused.returncode == 1
    assert "dialog 4712 has executions that have not ended (1)" in refused.stderr
    assert f"vertexkit executions drop {name(2)}" in refused.stderr
    assert asyncio.run(_memories(shell)) == 1


async def _memories(shell: Any) -> int:
    url = f"sqlite:{shell.folder}/.vertexkit/journal.db"
    async with open_admin(JournalSettings(url=url), Clock()) as journal:
        return len(await journal.memories(4712))


def test_it_asks_a_running_service(shell: Any) -> None:
    """With a service that has the journal open, the command erases over its socket."""
    fill(shell, one_dialog)
    settings = {"platform_url": "http://127.0.0.1:9/api", "log_format": "json", "grace": "0"}
    service = shell.start("run", "hello:app", "--port", "0", **settings)
    service.wait_for("started")
    erased = shell.run("dialogs", "forget", str(DIALOG), "--yes")
    assert erased.returncode == 0, erased.stderr
    assert "erased: executions: 1, memories: 1, recorded runs: 0" in erased.stdout
    assert "Not erased: the platform's data" in erased.stdout
    service.end(signal.SIGINT)
