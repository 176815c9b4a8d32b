"""The values that a shell completes: apps, blocks and recorded runs."""

from pathlib import Path

import pytest

from vertexkit.cli.completion import values
from vertexkit.recordings import RecordingsFolder

APP = """
raise SystemExit("a completion must not run this")
app: App = App(
    settings=None,
)
@app.block("hello")
async def hello(ctx): ...
@app.block(
    name='good-bye',
)
async def good_bye(ctx): ...
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The author's folder, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VERTEXKIT_JOURNAL", raising=False)
    return tmp_path


def names(candidates: values.Candidates) -> list[str]:
    """The values without their descriptions."""
    return [value for value, _ in candidates]


def test_apps_and_blocks_are_read_without_running_their_files(folder: Path) -> None:
    """Files of packages count; those of tests, of environments and of hidden folders do not."""
    (folder / "hello.py").write_text(APP)
    for inner in ("shop", "tests", ".venv", "venv"):
        (folder / inner).mkdir()
        (folder / inner / "bot.py").write_text("second = vertexkit.App()\n")
    (folder / "unreadable.py").mkdir()
    assert names(values.apps("")) == ["hello:app", "shop.bot:second"]
    assert names(values.apps("sh")) == ["shop.bot:second"]
    assert names(values.blocks("")) == ["hello", "good-bye"]
    assert names(values.apps_and_blocks("h")) == ["hello", "hello:app"]


def test_recorded_runs_are_the_newest_first(folder: Path) -> None:
    """`last` is a candidate if there is a run."""
    assert names(values.recorded_runs("")) == []
    runs = RecordingsFolder().path
    runs.mkdir(parents=True)
    for run in ("20260101-hello", "20260102-hello"):
        (runs / f"{run}.jsonl").write_text("")
    assert names(values.recorded_runs("")) == ["last", "20260102-hello", "20260101-hello"]
    assert names(values.recorded_runs("20260101")) == ["20260101-hello"]
