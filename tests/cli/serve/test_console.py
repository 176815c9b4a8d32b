"""`vertexkit console`: the console over a journal whose service is stopped, or starts meanwhile."""

import signal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from tests.cli.executions.filled_journal import fill as fill_journal
from tests.cli.executions.filled_journal import name
from tests.console.client import ConsoleClient
from tests.journal.driver import JournalDriver
from vertexkit.cli.serve.console import make_console
from vertexkit.clock import Clock
from vertexkit.execution import Execution, Outcome, OutcomeStatus
from vertexkit.journal.protocol import NullJournalObserver
from vertexkit.journal.shared.server import offered_to_operators
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.system.supervision import Supervisor
from vertexkit.testing import VirtualClock
from vertexkit.token import Token

PARKED = Outcome(OutcomeStatus.PARKED, "unreachable")


async def fill(file: Path) -> str:
    """A journal with a parked execution; its service is stopped."""
    clock = VirtualClock()
    driver = JournalDriver(SqliteJournal(file, clock, JournalSettings()), clock)
    await driver.journal.open(driver)
    lease = await driver.held()
    await driver.journal.settle(lease, PARKED)
    await driver.journal.close()
    return lease.execution.id


async def listed(console: ConsoleClient) -> list[str]:
    answer = await console.get("executions")
    return [execution["execution"] for execution in answer.json["executions"]]


async def test_the_journal_is_read_before_and_while_a_service_runs(tmp_path: Path) -> None:
    """The console does not keep the file: a service opens it, and the console then asks it."""
    file = tmp_path / "journal.db"
    execution = await fill(file)
    settings = JournalSettings(url=f"sqlite:{file}")
    console = ConsoleClient(make_console(settings, writable=False))
    assert await listed(console) == [execution]
    assert (await console.get("service")).json["service"] is None
    journal = SqliteJournal(file, Clock(), settings)
    await journal.open(NullJournalObserver())
    supervisor = Supervisor(lambda reason: None)
    async with offered_to_operators(journal, supervisor):
        assert await listed(console) == [execution]
        await journal.drop(execution)
        assert await listed(console) == []
    await journal.close()
    assert await listed(console) == []


async def test_it_is_read_only_unless_asked_for(tmp_path: Path) -> None:
    """With --write an operator drops an execution; the log has the user of this machine."""
    file = tmp_path / "journal.db"
    execution = await fill(file)
    settings = JournalSettings(url=f"sqlite:{file}")
    path = f"executions/{execution}/drop"
    reader = ConsoleClient(make_console(settings, writable=False))
    assert (await reader.post(path)).rejection == (403, "read_only")
    assert await listed(reader) == [execution]
    with capture_logs() as lines:
        answer = await ConsoleClient(make_console(settings, writable=True)).post(path)
    assert answer.json["done"] == "deleted"
    assert await listed(reader) == []
    [line] = [line for line in lines if line["event"] == "console_action_performed"]
    assert (line["action"], line["client"]) == ("drop", "127.0.0.1")
    assert line["user"] != ""


async def test_a_journal_that_is_gone_is_reported(tmp_path: Path) -> None:
    """The page shows why, and works again when the journal does."""
    console = ConsoleClient(
        make_console(JournalSettings(url=f"sqlite:{tmp_path / 'none.db'}"), writable=False)
    )
    answer = await console.get("executions")
    assert answer.rejection == (503, "journal_unavailable")
    assert "does not exist" in answer.json["detail"]


def test_the_command_serves_the_page(shell: Any) -> None:
    """Without a journal it fails; with one it answers at its address until Ctrl+C."""
    command = ("console", "--no-open", "--port", "0")
    missing = shell.run(*command)
    assert missing.returncode == 1
    assert "does not exist" in missing.stderr
    assert "Traceback" not in missing.stderr
    fill_journal(shell, accept_one)
    process = shell.start(*command)
    process.wait_for("/console/")
    connection = HTTPConnection("127.0.0.1", int(process.port))
    for path, text in (("/console/", b"console.js"), ("/console/api/executions", b"hello")):
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200
        assert text in response.read()
    connection.close()
    assert process.end(signal.SIGINT) == 0
    assert not [line for line in process.lines if "Traceback" in line]


async def accept_one(journal: SqliteJournal) -> None:
    await journal.accept(Execution(name(1), "hello", Token("a-token"), {}), 10)
