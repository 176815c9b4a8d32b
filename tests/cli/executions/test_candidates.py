"""The values that a shell completes from the journal."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.executions.filled_journal import fill, name
from vertexkit.cli.completion.values import Candidates
from vertexkit.cli.executions import candidates
from vertexkit.execution import Execution, Outcome, OutcomeStatus
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.testing import FakePlatform
from vertexkit.token import Token


def names(found: Candidates) -> list[str]:
    """The values without their descriptions."""
    return [value for value, _ in found]


def test_executions_are_read_from_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`retry` gets parked ones, and each id once; without a journal there is no candidate."""

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VERTEXKIT_JOURNAL", raising=False)

    async def two(journal: SqliteJournal) -> None:
        for number in (1, 2):
            token = Token(FakePlatform(seed=number).issue("hello"))
            await journal.accept(Execution(name(number), "hello", token, {}, b"{}", number), 10)
        [lease] = await journal.claim("first", {"hello": 1}, 1)
        await journal.settle(lease, Outcome(OutcomeStatus.PARKED, "unreachable"))

    assert names(candidates.executions("")) == []
    fill(SimpleNamespace(folder=tmp_path), two)
    assert [*candidates.executions("")] == [(name(2), "hello, waiting"), (name(1), "hello, parked")]
    assert names(candidates.executions("0002")) == [name(2)]
    retry: Any = SimpleNamespace(params={"ids": None}, info_name="retry")
    assert names(candidates.executions_after_others(retry, "")) == [name(1)]
    drop: Any = SimpleNamespace(params={"ids": [name(1)]}, info_name="drop")
    assert names(candidates.executions_after_others(drop, "")) == [name(2)]
