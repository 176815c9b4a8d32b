"""Recordings keep what the memory of the dialog held, so that a replay reads the same."""

import json
from pathlib import Path

from vertexkit import App, Context
from vertexkit.recordings import Recording, RecordingsFolder
from vertexkit.recordings.generated_test import generate_test
from vertexkit.testing import FakeDialog
from vertexkit.testing.replay import replay

app = App()


@app.block("greet")
async def greet(ctx: Context) -> dict[str, int]:
    await ctx.memory.update("visits", lambda visits: visits + 1, int, 0)
    await ctx.memory.update("new", lambda number: number + 1, int, 0)
    await ctx.memory.delete("old")
    await ctx.memory.get("old")
    return {"visits": await ctx.memory.get("visits", int, 0)}


async def recorded(folder: Path) -> Recording:
    """A run of a service in a dialog whose memory holds something."""
    dialog = FakeDialog(app, record=folder).in_dialog(7)
    dialog.memory.update({"visits": 41, "unused": True})
    await dialog.run("greet")
    return RecordingsFolder(folder).find("last")


async def test_a_replay_reads_what_the_memory_held(tmp_path: Path) -> None:
    """The replay starts with the values that the recorded run has read before it changed them."""
    recording = await recorded(tmp_path)
    assert recording.memory() == {"visits": 41}
    assert recording.data == {"visits": 42}
    repeated = await replay(app, recording)
    assert repeated.matches, repeated.difference()
    assert repeated.run.data == {"visits": 42}


async def test_a_saved_test_seeds_the_memory(tmp_path: Path) -> None:
    """The generated test calls the block from one dialog, whose memory holds the same."""
    recording = await recorded(tmp_path)
    test = generate_test(recording, tmp_path / "test_saved.py", {"properties": {}})
    assert "fake_dialog = fake_dialog.in_dialog(1)" in test
    assert 'fake_dialog.memory.update({"visits": 41})' in test
    assert 'assert run.data == {"visits": 42}' in test


def test_a_crash_is_after_a_message_or_step() -> None:
    """Reads and changes of the memory are not counted, as `crash_after` does not count them."""
    claimed = {"kind": "event", "name": "claimed", "fields": {}}
    read = {"kind": "event", "name": "memory_read", "fields": {"name": "a", "value": 1}}
    step = {"kind": "event", "name": "step_completed", "fields": {}}
    changed = {"kind": "event", "name": "memory_changed", "fields": {"name": "a", "value": 2}}
    header = {"kind": "run", "version": 1, "id": "20260102-030405-abc", "block": "greet"}
    lines = [header | {"fault": "crash"}, claimed, read, step, changed, claimed]
    recording = Recording.parse([json.dumps(line) for line in lines])
    assert "crash_after=1" in generate_test(recording, Path("test_saved.py"), {"properties": {}})
    assert recording.memory() == {"a": 1}
