"""`vertexkit trigger`: run a block here, on a fake platform, and watch the dialog."""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import structlog
from rich.console import Console

from vertexkit.app import App
from vertexkit.cli.develop.inputs import read_inputs
from vertexkit.cli.develop.transcript import Aside, Transcript
from vertexkit.cli.options import EXIT_FAILED, EXIT_USAGE
from vertexkit.clock import Clock
from vertexkit.context.context import Context
from vertexkit.failure import Failure
from vertexkit.loading import find_app, find_block
from vertexkit.recordings import Recorder, Shelf
from vertexkit.settings import Settings
from vertexkit.telemetry import logs
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.dialog import FakeDialog, Run
from vertexkit.testing.facts import ended, facts_of
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.worker.attempt import OnFailure

TYPING = 0.7
"""Seconds that the bot types before a message: long enough to see it."""
OF_THE_HANDLER = ("timeout", "attempts", "cleanup", "result_limit", "send_timeout", "threads")
"""The settings that matter to one run; the rest is about serving."""
LAST_WORDS = 120.0
"""Seconds that a run may take beyond its handler's time, for hooks and the completion."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be run, and how it is to be shown."""

    target: str | None
    block: str | None
    inputs: list[str]
    file: Path | None
    fast: bool = False
    as_json: bool = False
    debug: bool = False


def run_block(wish: Wish) -> int:
    """Run a block once.

    Returns:
        The exit code: 0 if it completed as it should, 1 if it failed or broke a rule of the
        platform, 2 if the inputs do not fit it.

    Raises:
        SettingsError, DefinitionError: it cannot be run like this; says the mend.
    """
    target, name = _told_apart(wish.target, wish.block)
    console = Console(highlight=False, markup=False, emoji=False, quiet=wish.as_json)
    if not structlog.is_configured():
        level, mute = ("debug", ()) if wish.debug else ("info", ("vertexkit",))
        aside = console.is_terminal and not wish.as_json
        stream = cast(BinaryIO, Aside(console)) if aside else sys.stderr.buffer
        logs.configure("console", level, stream, mute)
    found, app = find_app(target)
    block = find_block(app, name)
    schema = block.signature.input_schema()
    inputs = read_inputs(wish.inputs, wish.file, schema)
    transcript = Transcript(console, debug=wish.debug)
    for stranger in inputs.keys() - schema.get("properties", {}).keys():
        if not schema.get("additionalProperties"):
            transcript.stranger(stranger)
    try:
        run, violations = asyncio.run(
            _run(app, block.name, inputs, transcript, replace(wish, target=found))
        )
    finally:
        transcript.hush()
    if wish.as_json:
        print(json.dumps(_report(block.name, run, violations), ensure_ascii=False, indent=2))
    if run.outcome is None:
        transcript.takes(schema)
        return EXIT_USAGE
    return 0 if run.ok and not violations else EXIT_FAILED


def _told_apart(target: str | None, block: str | None) -> tuple[str | None, str | None]:
    """The app and the block: a single name is the block's if the settings name the app."""
    if target is None or block is not None or ":" in target or target.endswith(".py"):
        return target, block
    app = Settings.load().server.app
    return (app, target) if app else (target, None)


async def _run(
    app: App, block: str, inputs: dict[str, Any], transcript: Transcript, wish: Wish
) -> tuple[Run, list[str]]:
    clock = VirtualClock() if wish.fast or wish.as_json else Clock()
    platform = FakePlatform(clock=clock, typing_seconds=TYPING)
    platform.subscribe(transcript.request, arrivals=True)
    settings = Settings.load().flat(*OF_THE_HANDLER)
    timeout = app.blocks[block].timeout or settings["timeout"]
    patience = timeout * settings["attempts"] + LAST_WORDS
    dialog = FakeDialog(app, platform, patience=patience, **settings)
    app.on_failure = _showing(app.on_failure, transcript)
    transcript.call(block, inputs)
    recorder = _recorder(block, inputs, wish.target or "", clock)
    async with dialog:
        dialog.subscribe(transcript.event)
        if recorder is not None:
            dialog.subscribe(recorder.event)
            platform.subscribe(lambda entry: recorder.request(entry.at, **facts_of(entry)))
        began = clock.now()
        run = await dialog.run(block, **inputs)
        transcript.end(run, clock.now() - began)
        if recorder is not None:
            recorder.end(clock.now(), *ended(run))
            transcript.recorded(recorder.head.id)
    for sentence in platform.violations:
        transcript.violation(sentence)
    return run, platform.violations


def _recorder(block: str, inputs: dict[str, Any], target: str, clock: Clock) -> Recorder | None:
    """Writes the run down; None where nothing can be written."""
    try:
        return Shelf().begin(block, clock.now(), target=target, inputs=inputs, by="trigger")
    except OSError:
        return None


def _showing(hook: OnFailure | None, transcript: Transcript) -> OnFailure:
    """The author's hook, after the failure has been shown."""

    async def show(context: Context, failure: Failure) -> Any:
        transcript.failure(failure)
        return None if hook is None else await hook(context, failure)

    return show


def _report(block: str, run: Run, violations: list[str]) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "block": block,
        "ok": run.ok and not violations,
        "status": run.status,
        "answer": run.answer,
        "messages": [
            {
                "text": str(said),
                "typing": said.typing,
                "id": said.message_id,
                "at": round(said.at, 6),
            }
            for said in run.messages
        ],
        "data": run.data,
        "outcome": None if run.outcome is None else asdict(run.outcome),
        "attempts": run.attempts,
        "retries": run.retries,
        "timeline": [
            {"at": round(event.at - run.timeline[0].at, 6), "event": event.name, **event.fields}
            for event in run.timeline
        ],
        "violations": violations,
    }
