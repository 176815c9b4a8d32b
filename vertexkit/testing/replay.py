"""Runs the current code with a recording and compares the results."""

import difflib
import json
from dataclasses import dataclass
from typing import Any

from vertexkit.app import App
from vertexkit.recordings import RecordedWait, Recording
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.dialog import FakeDialog
from vertexkit.testing.misspelling import input_names
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.recorded import outcome_and_code
from vertexkit.testing.run import Run

MAX_FURTHER_WAITS = 100
FURTHER_WAIT_SECONDS = 24 * 3600.0
"""Waits that were not recorded end by their time: a day passes, and another one."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A recording and the run of the current code with it."""

    recording: Recording
    run: Run

    @property
    def matches(self) -> bool:
        """Whether messages, result, outcome and code equal the recorded ones."""
        return self._recorded() == self._current()

    def difference(self) -> list[str]:
        """Return the differences as lines of a unified diff; empty if there are none."""
        before, after = (
            json.dumps(content, ensure_ascii=False, indent=2).splitlines()
            for content in (self._recorded(), self._current())
        )
        return list(difflib.unified_diff(before, after, "recorded", "now", lineterm="", n=3))

    def _recorded(self) -> dict[str, Any]:
        return {
            "messages": self.recording.messages,
            "data": self.recording.data,
            "outcome": self.recording.outcome,
            "code": self.recording.code,
        }

    def _current(self) -> dict[str, Any]:
        outcome, code = outcome_and_code(self.run)
        messages = [str(message) for message in self.run.messages]
        return {"messages": messages, "data": self.run.data, "outcome": outcome, "code": code}


async def replay(app: App, recording: Recording, **settings: Any) -> Replay:
    """Run the block with the recorded inputs; the platform responds as recorded.

    The dialog's memory has the values that the recorded run found in it. Back-off, typing and
    durable waits take no time; events come as they were recorded. Steps and requests to other
    services are really executed, and what the handler itself awaits takes real time.

    Args:
        app: the app that has the block.
        recording: the recording.
        **settings: settings of the app.

    Returns:
        The recording and the new run.

    Raises:
        TimeoutError: the run did not end; see `FakeDialog`.
    """
    platform = FakePlatform(clock=VirtualClock(), seed=recording.header.seed)
    for fault in recording.faults():
        platform.fail(**fault)
    dialog = FakeDialog(app, platform, virtual_sleep=False, **settings)
    header = recording.header
    token = platform.issue(header.block, header.dialog_id)
    if header.dialog_id is not None:
        dialog = dialog.in_dialog(header.dialog_id)
        dialog.memory.update(recording.memory())
    if waits := recording.waits():
        run = await _play_waits(dialog, recording, token, waits)
    else:
        run = await dialog.call(header.block, header.inputs, token)
    return Replay(recording, run)


async def _play_waits(
    dialog: FakeDialog, recording: Recording, token: str, waits: list[RecordedWait]
) -> Run:
    """Run a block that waits; send the recorded events, and let the recorded time pass."""
    header = recording.header
    known = input_names(dialog.app.blocks[header.block].signature.model)
    inputs = {n: value for n, value in header.inputs.items() if known is None or n in known}
    async with dialog:
        live = await dialog.start(header.block, token=token, **inputs)
        for wait in waits:
            if live.ended:
                break
            if wait.by_event:  # the current code may reject it, or not wait for it any more
                await dialog.post(live.event_path(wait.event), wait.data)
                await live.rest()
            else:
                await live.skip(seconds=wait.seconds)
        for _ in range(MAX_FURTHER_WAITS):
            if live.ended:
                break
            await live.skip(seconds=FURTHER_WAIT_SECONDS)
        return await live.finish()
