"""Recorded runs: read back whole or in part, replayed with the platform's faults, kept on a shelf."""

import json
from pathlib import Path
from typing import Any

import pytest

from vertexkit import App, Context, Settings
from vertexkit.errors import SettingsError
from vertexkit.recordings import Head, RecordedRun, Recorder, Shelf
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakeDialog, FakePlatform
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.facts import ended, facts_of
from vertexkit.testing.replay import replay

app = App()


@app.block("talk", timeout=30)
async def talk(ctx: Context, name: str) -> dict[str, str]:
    await ctx.send_message(f"Привет, {name}! 👋")
    await ctx.send_message("Как дела?")
    return {"name": name}


async def record(folder: Path, *faults: dict[str, Any]) -> RecordedRun:
    """A run with these faults, written down and read back."""
    shelf = Shelf(folder)
    run = shelf.new("talk")
    platform = FakePlatform(clock=VirtualClock())
    for fault in faults:
        platform.fail(**fault)
    dialog = FakeDialog(app, platform)
    recorder = Recorder(
        shelf.path(run),
        Head(run, "talk", "tests.recordings.test_recorded:app", {"name": "Аня"}),
        0.0,
    )
    platform.subscribe(lambda entry: recorder.request(entry.at, **facts_of(entry)))
    async with dialog:
        dialog.subscribe(recorder.event)
        found = await dialog.run("talk", name="Аня")
        recorder.end(1.0, *ended(found))
    return shelf.find("last")


def written(folder: Path) -> Path:
    [path] = folder.glob("*.jsonl")
    return path


FAULTS: list[tuple[dict[str, Any], ...]] = [
    (),
    ({"method": "send_message", "status": 429, "retry_after": 3, "times": 2},),
    ({"method": "send_message", "kind": "lost", "after": 1},),
    ({"method": "complete", "status": 502, "times": 3}, {"method": "send_message", "kind": "cut"}),
    ({"method": "send_message", "kind": "gone", "after": 1},),
    ({"method": "complete", "kind": "lost"},),
    ({"method": "send_message", "kind": "slow", "seconds": 3},),
]


@pytest.mark.parametrize("faults", FAULTS, ids=str)
async def test_a_replay_meets_the_same_platform(
    faults: tuple[dict[str, Any], ...], tmp_path: Path
) -> None:
    """Whatever went wrong goes wrong again, and unchanged code comes to the same."""
    recorded = await record(tmp_path, *faults)
    again = await replay(app, recorded)
    assert again.difference() == []
    assert again.same
    assert (
        [line["status"] for line in recorded.of("request")].count(429)
        == again.run.events.count("send_retried")
        if any(fault.get("status") == 429 for fault in faults)
        else True
    )


async def test_what_changed_is_shown_line_by_line(tmp_path: Path) -> None:
    """Another message is a difference that names both."""
    recorded = await record(tmp_path)
    changed = App()

    @changed.block("talk")
    async def other(ctx: Context, name: str) -> dict[str, str]:
        await ctx.send_message(f"Здравствуйте, {name}!")
        return {"name": name}

    again = await replay(changed, recorded)
    assert not again.same
    assert '-    "Привет, Аня! 👋",' in again.difference()
    assert '+    "Здравствуйте, Аня!"' in again.difference()


async def test_no_token_is_written(tmp_path: Path) -> None:
    """Neither in requests nor anywhere else."""
    await record(tmp_path)
    path = written(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "eyJ" not in text
    assert '"token"' not in text


async def test_a_run_that_was_cut_off_still_reads(tmp_path: Path) -> None:
    """A killed process leaves half a line: what is whole before it counts."""
    await record(tmp_path)
    path = written(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    found = Shelf(tmp_path).find("last")
    assert found.messages[:1] == ["Привет, Аня! 👋"]
    assert (found.end, found.outcome) == (None, "")


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    """Another file, another version, an id that is nobody's or several's."""
    shelf = Shelf(tmp_path)
    with pytest.raises(SettingsError, match="no runs"):
        shelf.find("last")
    (tmp_path / "a.jsonl").write_text('{"kind": "event"}\n')
    with pytest.raises(SettingsError, match="no recorded run"):
        shelf.find("a")
    (tmp_path / "b.jsonl").write_text('{"kind": "run", "version": 2}\n')
    with pytest.raises(SettingsError, match="version 2"):
        shelf.find(str(tmp_path / "b.jsonl"))
    for run in ("../a", "", ".hidden", "a/b"):
        with pytest.raises(SettingsError):
            shelf.path(run)
    head = json.dumps({"kind": "run", "version": 1, "id": "c", "block": "x", "new": True})
    for name in ("c1", "c2"):
        (tmp_path / f"{name}.jsonl").write_text(f'{head}\n{{"kind": "news", "at": 0}}\n')
    with pytest.raises(SettingsError, match="2 runs"):
        shelf.find("c")
    assert len(list(shelf)) == 2  # what is no run, or of another version, is passed over


def test_a_line_is_in_the_file_as_soon_as_it_happened(tmp_path: Path) -> None:
    """Nothing waits for the end: whoever reads meanwhile sees all that was."""
    recorder = Recorder(tmp_path / "deep" / "r.jsonl", Head("r", "x"), 10.0)
    recorder.event(Event("claimed", "e", 10.5, {"attempt": 1}))
    recorder.request(11.0, method="complete", request={"token": "secret", "data": None})
    lines = [json.loads(line) for line in (tmp_path / "deep" / "r.jsonl").read_text().splitlines()]
    assert [line.get("at") for line in lines] == [None, 0.5, 1.0]
    assert lines[2]["request"] == {"data": None}
    recorder.end(12.0, "completed", "ok")
    recorder.end(13.0, "parked", "twice")
    assert len((tmp_path / "deep" / "r.jsonl").read_text().splitlines()) == 4


async def test_a_service_records_when_asked(tmp_path: Path) -> None:
    """With VERTEXKIT_RECORD each execution leaves a run that can be replayed, and none without."""
    platform = FakePlatform()
    platform.fail("send_message", status=429, retry_after=1)
    await FakeDialog(app, platform, record=tmp_path / "runs").run("talk", name="Аня")
    recorded = Shelf(tmp_path / "runs").find("last")
    assert recorded.head.by == "run"
    assert recorded.head.inputs == {"name": "Аня"}
    assert recorded.messages == ["Привет, Аня! 👋", "Как дела?"]
    assert (recorded.outcome, recorded.code, recorded.data) == ("completed", "ok", {"name": "Аня"})
    assert [line["name"] for line in recorded.of("event")][:2] == ["accepted", "claimed"]
    assert (await replay(app, recorded)).same
    assert Settings.of().logging.record is None


async def test_where_nothing_can_be_written_the_dialog_goes_on(tmp_path: Path) -> None:
    """A file in the way of the folder costs the recording, not the answer."""
    (tmp_path / "runs").write_text("")
    run = await FakeDialog(app, record=tmp_path / "runs").run("talk", name="Аня")
    assert run.ok
