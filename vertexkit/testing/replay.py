"""The current code on what was recorded: does it still say and give the same?"""

import difflib
import json
from dataclasses import dataclass
from typing import Any

from vertexkit.app import App
from vertexkit.recordings import RecordedRun
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.dialog import FakeDialog, Run
from vertexkit.testing.facts import ended
from vertexkit.testing.platform.app import FakePlatform


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded run, and what its inputs come to now."""

    recorded: RecordedRun
    run: Run

    @property
    def same(self) -> bool:
        """Messages, result and outcome are those that were recorded."""
        return _before(self.recorded) == _now(self.run)

    def difference(self) -> list[str]:
        """Line by line what changed, as `diff -u` writes it; empty if nothing did."""
        before, now = (
            json.dumps(each, ensure_ascii=False, indent=2).splitlines()
            for each in (_before(self.recorded), _now(self.run))
        )
        return list(difflib.unified_diff(before, now, "recorded", "now", lineterm="", n=3))


async def replay(app: App, recorded: RecordedRun, **settings: Any) -> Replayed:
    """Run the block on the recorded inputs, with the platform answering as it did then.

    Back-off and typing take no time. What the block asks of others, and its steps, happen anew.

    Args:
        app: that has the block.
        recorded: the run.
        **settings: of the app.
    """
    platform = FakePlatform(clock=VirtualClock(), seed=recorded.head.seed)
    for fault in recorded.faults():
        platform.fail(**fault)
    dialog = FakeDialog(app, platform, **settings)
    head = recorded.head
    token = platform.issue(head.block, head.dialog_id)
    return Replayed(recorded, await dialog.call(head.block, head.inputs, token))


def _before(recorded: RecordedRun) -> dict[str, Any]:
    return {
        "messages": recorded.messages,
        "data": recorded.data,
        "outcome": recorded.outcome,
        "code": recorded.code,
    }


def _now(run: Run) -> dict[str, Any]:
    outcome, code = ended(run)
    messages = [str(said) for said in run.messages]
    return {"messages": messages, "data": run.data, "outcome": outcome, "code": code}
