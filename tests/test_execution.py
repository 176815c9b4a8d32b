"""The ids of executions."""

import os
import random
import sys
from pathlib import Path

import pytest

from tests import forked
from vertexkit.execution import new_execution_id

FORK = """
import os
from vertexkit.execution import new_execution_id
new_execution_id()
if os.fork():
    os.wait()
print(new_execution_id()[12:], flush=True)
"""


def test_ids_have_one_form_and_differ() -> None:
    """An id has 22 hex digits, and no two of many are equal, even within a millisecond."""
    ids = [new_execution_id() for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert {len(id_) for id_ in ids} == {22}
    assert all(int(id_, 16) for id_ in ids)


def test_ids_sort_by_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that is made a millisecond later is greater."""
    milliseconds = iter(range(1_700_000_000_000, 1_700_000_000_100))
    monkeypatch.setattr("vertexkit.execution.time.time_ns", lambda: next(milliseconds) * 1_000_000)
    ids = [new_execution_id() for _ in range(100)]
    assert ids == sorted(ids)


def test_ids_differ_whatever_an_author_seeds() -> None:
    """An author's `random.seed()` makes no id repeat."""
    random.seed(1)
    first = new_execution_id()
    random.seed(1)
    assert new_execution_id()[12:] != first[12:]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_ids_of_a_forked_process_differ(tmp_path: Path) -> None:
    """A process and its fork do not draw the same ids."""
    (tmp_path / "fork.py").write_text(FORK, encoding="utf-8")
    done = forked.run("fork", [], folder=tmp_path, environment=os.environ)
    assert done.returncode == 0, done.stderr
    child, parent = done.stdout.split()
    assert child != parent
