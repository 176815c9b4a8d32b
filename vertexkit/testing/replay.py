"""Runs the current code with a recording and compares the results."""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vertexkit.app import App
from vertexkit.execution import Effect
from vertexkit.recordings import RecordedWait, Recording
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.crashes import CrashPlan
from vertexkit.testing.dialog import FakeDialog
from vertexkit.testing.misspelling import input_names
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.recorded import outcome_and_code
from vertexkit.testing.recorded_effects import RecordedStart, recorded_start
from vertexkit.testing.run import Run

MAX_FURTHER_WAITS = 100
FURTHER_WAIT_SECONDS = 24 * 3600.0
"""Waits that were not recorded end by their time: a day passes, and another one."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A recording and the run of the current code with it."""

    recording: Recording
    run: Run
    taken: tuple[str, ...] = ()
    """The texts of the messages that were taken from the recording and not sent."""

    @property
    def replaced(self) -> int:
        """How many messages of the current code were not sent, because an earlier one was taken.

        They have another text than the recorded message that was taken in their place.
        """
        changed = [event for event in self.run.timeline if event.name == "effect_changed"]
        return len({event.fields["position"] for event in changed}) if self.taken else 0

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
        messages = [*self.taken, *map(str, self.run.messages)]
        return {"messages": messages, "data": self.run.data, "outcome": outcome, "code": code}


class _ContinuedDialog(FakeDialog):
    """A fake dialog whose execution continues what a recorded run has done."""

    earlier: tuple[Effect, ...] = ()

    async def _post_call(
        self, block: str, inputs: dict[str, Any], token: str, plan: CrashPlan
    ) -> tuple[int, dict[str, Any], str | None]:
        self._journal.continue_after(token, self.earlier)
        return await super()._post_call(block, inputs, token, plan)


async def replay(
    app: App, recording: Recording, *, first: int | None = None, **settings: Any
) -> Replay:
    """Run the block with the recorded inputs; the platform responds as recorded.

    The dialog's memory has the values that the recorded run found in it. Back-off, typing and
    durable waits take no time; events come as they were recorded. Steps and requests to other
    services are really executed, and what the handler itself awaits takes real time.

    Args:
        app: the app that has the block.
        recording: the recording.
        first: number of the first message or step that is really sent or called, counted from 1;
            those before it have their recorded outcomes, and the platform has no recorded failures.
            None: all of them.
        **settings: settings of the app.

    Returns:
        The recording and the new run.

    Raises:
        SettingsError: the recording does not have what happened before the first effect.
        TimeoutError: the run did not end; see `FakeDialog`.
    """
    platform = FakePlatform(clock=VirtualClock(), seed=recording.header.seed)
    start = RecordedStart((), (), tuple(recording.waits()))
    if first is not None:
        start = recorded_start(recording, first)
    for fault in recording.faults() if first is None else ():
        platform.fail(**fault)
    dialog = _ContinuedDialog(app, platform, virtual_sleep=False, **settings)
    dialog.earlier = start.effects
    header = recording.header
    token = platform.issue(header.block, header.dialog_id)
    if header.dialog_id is not None:
        dialog = dialog.in_dialog(header.dialog_id)
        dialog.memory.update(recording.memory())
    if start.waits:
        run = await _play_waits(dialog, recording, token, start.waits)
    else:
        run = await dialog.call(header.block, header.inputs, token)
    return Replay(recording, run, start.messages)


async def _play_waits(
    dialog: FakeDialog, recording: Recording, token: str, waits: Sequence[RecordedWait]
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
