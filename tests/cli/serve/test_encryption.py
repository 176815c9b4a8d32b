"""Commands with an encrypted journal: they refuse a missing key, and replace keys."""

import asyncio
import signal
from typing import Any

import pytest

from tests.cli.executions.filled_journal import name
from tests.journal.driver import JOURNAL_KEY, OTHER_KEY
from vertexkit.clock import Clock
from vertexkit.execution import Execution, Outcome, OutcomeStatus
from vertexkit.journal.protocol import NullJournalObserver
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.token import Token

pytest.importorskip("cryptography", reason="the extra encryption is not installed")
PARKED = Outcome(OutcomeStatus.PARKED, "unreachable", reason="a private reason")
URL = {"platform_url": "http://127.0.0.1:9/api"}


def fill(shell: Any) -> None:
    """A parked execution in an encrypted journal of this folder."""

    async def run() -> None:
        path = shell.folder / ".vertexkit" / "journal.db"
        journal = SqliteJournal(path, Clock(), JournalSettings(keys=JOURNAL_KEY))
        await journal.open(NullJournalObserver())
        call = Execution(name(1), "hello", Token("t" * 20), {}, b"{}", 1.7e9)
        await journal.accept(call, 10)
        [lease] = await journal.claim("first", {"hello": 1}, 1)
        await journal.settle(lease, PARKED)
        await journal.close()

    asyncio.run(run())


@pytest.mark.unmeasured
def test_a_missing_or_wrong_key_is_a_refusal(shell: Any) -> None:
    """`run`, `check` and `executions` name what is missing and no key, and end with an error."""
    fill(shell)
    for keys, reason in (
        ("", "is encrypted, and VERTEXKIT_JOURNAL_KEYS is not set"),
        (OTHER_KEY, "Add it to the end of the list"),
    ):
        for command in (
            ("run", "hello:app", "--port", "0"),
            ("check", "hello:app", "--offline"),
            ("executions", "list"),
        ):
            done = shell.run(*command, journal_keys=keys, **URL)
            printed = done.stdout + done.stderr
            assert done.returncode in {1, 2}, printed
            assert reason in printed
            assert OTHER_KEY not in printed
    shown = shell.run("executions", "show", name(1), journal_keys=JOURNAL_KEY)
    assert "a private reason" in shown.stdout


def test_a_key_is_replaced_while_the_service_runs(shell: Any) -> None:
    """`journal rekey` asks the service, which must have the same keys; then the old one can go."""
    fill(shell)
    both = f"{OTHER_KEY},{JOURNAL_KEY}"
    service = shell.start(
        "run", "hello:app", "--port", "0", journal_keys=both, log_format="json", **URL
    )
    service.wait_for('"started"')
    refused = shell.run("journal", "rekey", journal_keys=JOURNAL_KEY)
    assert "restart the service with the same keys" in refused.stderr
    done = shell.run("journal", "rekey", journal_keys=both)
    assert done.returncode == 0, done.stderr
    assert "are encrypted with the key" in done.stdout
    assert "rows: 1, recorded runs: 0" in done.stdout
    service.end(signal.SIGINT)
    shown = shell.run("executions", "show", name(1), journal_keys=OTHER_KEY)
    assert "a private reason" in shown.stdout
    assert "is not set" in shell.run("journal", "rekey").stderr
