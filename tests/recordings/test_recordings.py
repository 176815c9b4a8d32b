"""Recordings: they are written, read, replayed with the platform's faults, and kept in a folder."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from vertexkit import App, Context, Settings
from vertexkit.errors import SettingsError
from vertexkit.recordings import Recorder, Recording, RecordingHeader, RecordingsFolder
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakeDialog, FakePlatform
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.recorded import outcome_and_code, request_fields
from vertexkit.testing.replay import replay

app = App()


@app.block("talk", timeout=30)
async def talk(ctx: Context, name: str) -> dict[str, str]:
    await ctx.send_message(f"Привет, {name}! 👋")
    await ctx.send_message("Как дела?")
    return {"name": name}


class Answer(BaseModel):
    text: str


@app.block("wait")
async def wait(ctx: Context) -> dict[str, str]:
    answer = await ctx.wait_for("answer", Answer, timeout=3600)
    await ctx.sleep(7200)
    return {"answer": answer.text}


async def record(path: Path, *faults: dict[str, Any]) -> Recording:
    """Record a run with these faults and read the recording."""
    folder = RecordingsFolder(path)
    run_id = folder.new_id("talk")
    platform = FakePlatform(clock=VirtualClock())
    for fault in faults:
        platform.fail(**fault)
    dialog = FakeDialog(app, platform)
    recorder = Recorder(
        folder.file(run_id),
        RecordingHeader(run_id, "talk", "tests.recordings.test_recordings:app", {"name": "Аня"}),
        0.0,
    )
    platform.subscribe(lambda entry: recorder.request(entry.at, **request_fields(entry)))
    async with dialog:
        dialog.subscribe(recorder.event)
        run = await dialog.run("talk", name="Аня")
        recorder.end(1.0, *outcome_and_code(run))
    return folder.find("last")


def only_file(folder: Path) -> Path:
    [file] = folder.glob("*.jsonl")
    return file


FAULTS: list[tuple[dict[str, Any], ...]] = [
    (),
    ({"method": "send_message", "status": 429, "retry_after": 3, "times": 2},),
    ({"method": "send_message", "kind": "lost", "after": 1},),
    ({"method": "complete", "status": 502, "times": 3}, {"method": "send_message", "kind": "cut"}),
    ({"method": "send_message", "kind": "gone", "after": 1},),
    ({"method": "complete", "kind": "lost"},),
    ({"method": "send_message", "kind": "slow", "seconds": 3},),
]


@pytest.mark.unmeasured
@pytest.mark.parametrize("faults", FAULTS, ids=str)
async def test_a_replay_repeats_the_faults(
    faults: tuple[dict[str, Any], ...], tmp_path: Path
) -> None:
    """The recorded faults happen again, and unchanged code has the same result."""
    recorded = await record(tmp_path, *faults)
    again = await replay(app, recorded)
    assert again.difference() == []
    assert again.matches
    assert (
        [line["status"] for line in recorded.lines_of("request")].count(429)
        == again.run.events.count("send_retried")
        if any(fault.get("status") == 429 for fault in faults)
        else True
    )


async def test_what_changed_is_shown_line_by_line(tmp_path: Path) -> None:
    """A changed message is shown with its recorded and its new text."""
    recorded = await record(tmp_path)
    changed = App()

    @changed.block("talk")
    async def other(ctx: Context, name: str) -> dict[str, str]:
        await ctx.send_message(f"Здравствуйте, {name}!")
        return {"name": name}

    again = await replay(changed, recorded)
    assert not again.matches
    assert '-    "Привет, Аня! 👋",' in again.difference()
    assert '+    "Здравствуйте, Аня!"' in again.difference()


async def test_no_token_is_written(tmp_path: Path) -> None:
    """The file contains no token, neither in requests nor elsewhere."""
    await record(tmp_path)
    path = only_file(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "eyJ" not in text
    assert '"token"' not in text


async def test_an_incomplete_recording_is_read(tmp_path: Path) -> None:
    """After a killed process, the lines before the incomplete one are read."""
    await record(tmp_path)
    path = only_file(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    recording = RecordingsFolder(tmp_path).find("last")
    assert recording.messages[:1] == ["Привет, Аня! 👋"]
    assert (recording.end, recording.outcome) == (None, "")


def test_a_file_that_is_not_a_recording_is_an_error(tmp_path: Path) -> None:
    """Other content, another version, an invalid, an unknown and an ambiguous id are errors."""
    folder = RecordingsFolder(tmp_path)
    with pytest.raises(SettingsError, match="no recording in"):
        folder.find("last")
    (tmp_path / "a.jsonl").write_text('{"kind": "event"}\n')
    with pytest.raises(SettingsError, match="not a recording"):
        folder.find("a")
    (tmp_path / "b.jsonl").write_text('{"kind": "run", "version": 2}\n')
    with pytest.raises(SettingsError, match="version 2"):
        folder.find(str(tmp_path / "b.jsonl"))
    for run_id in ("../a", "", ".hidden", "a/b"):
        with pytest.raises(SettingsError):
            folder.file(run_id)
    head = json.dumps({"kind": "run", "version": 1, "id": "c", "block": "x", "new": True})
    for name in ("c1", "c2"):
        (tmp_path / f"{name}.jsonl").write_text(f'{head}\n{{"kind": "news", "at": 0}}\n')
    with pytest.raises(SettingsError, match="2 recordings"):
        folder.find("c")
    assert len(list(folder)) == 2  # other files and versions are skipped


def test_recordings_of_one_millisecond_keep_their_order(tmp_path: Path) -> None:
    """The newest recording is the one that was started last, however fast they follow each other."""
    folder = RecordingsFolder(tmp_path)
    blocks = [f"block-{number % 7}" for number in range(50)]
    for block in blocks:
        folder.start(block, 0.0).end(1.0, "completed", "ok")
    assert [found.header.block for found in folder] == blocks[::-1]


def test_a_line_is_written_at_once(tmp_path: Path) -> None:
    """A reader sees all lines before the recording has ended; nothing follows the end."""
    recorder = Recorder(tmp_path / "deep" / "r.jsonl", RecordingHeader("r", "x"), 10.0)
    recorder.event(Event("claimed", "e", 10.5, {"attempt": 1}))
    recorder.request(11.0, method="complete", request={"token": "secret", "data": None})
    lines = [json.loads(line) for line in (tmp_path / "deep" / "r.jsonl").read_text().splitlines()]
    assert [line.get("at") for line in lines] == [None, 0.5, 1.0]
    assert lines[2]["request"] == {"data": None}
    recorder.end(12.0, "completed", "ok")
    recorder.end(13.0, "parked", "twice")
    assert len((tmp_path / "deep" / "r.jsonl").read_text().splitlines()) == 4


async def test_a_service_records_when_asked(tmp_path: Path) -> None:
    """With VERTEXKIT_RECORD each execution is recorded and can be replayed; by default it is not."""
    platform = FakePlatform()
    platform.fail("send_message", status=429, retry_after=1)
    await FakeDialog(app, platform, record=tmp_path / "runs").run("talk", name="Аня")
    recorded = RecordingsFolder(tmp_path / "runs").find("last")
    assert recorded.header.by == "run"
    assert recorded.header.inputs == {"name": "Аня"}
    assert recorded.messages == ["Привет, Аня! 👋", "Как дела?"]
    assert (recorded.outcome, recorded.code, recorded.data) == ("completed", "ok", {"name": "Аня"})
    assert [line["name"] for line in recorded.lines_of("event")][:2] == ["accepted", "claimed"]
    assert (await replay(app, recorded)).matches
    assert Settings.of().logging.record is None


async def test_a_recording_that_cannot_be_written_does_not_fail_the_block(tmp_path: Path) -> None:
    """If the folder cannot be created, the execution is completed without a recording."""
    (tmp_path / "runs").write_text("")
    run = await FakeDialog(app, record=tmp_path / "runs").run("talk", name="Аня")
    assert run.ok


async def test_a_service_records_events_that_a_handler_waited_for(tmp_path: Path) -> None:
    """A replay sends the recorded event, and skips the recorded time."""
    live = await FakeDialog(app, record=tmp_path / "runs").start("wait")
    await live.send_event("answer", {"text": "да"})
    await live.skip(hours=2)
    assert (await live.finish()).data == {"answer": "да"}
    recorded = RecordingsFolder(tmp_path / "runs").find("last")
    assert [(wait.event, wait.data, wait.by_event) for wait in recorded.waits()] == [
        ("answer", {"text": "да"}, True),
        ("", None, False),
    ]
    assert not [line for line in recorded.lines_of("event") if line["name"] == "step_started"]
    assert (await replay(app, recorded)).matches
