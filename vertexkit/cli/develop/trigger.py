"""`vertexkit trigger`: run a block against a fake platform and show the dialog."""

import math
import sys
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import structlog
from rich.console import Console

from vertexkit.app import App
from vertexkit.cli import output
from vertexkit.cli.check.recorded import input_problems
from vertexkit.cli.develop.call_options import CallOptions
from vertexkit.cli.develop.editing import edit_inputs, prefilled_inputs
from vertexkit.cli.develop.inputs import read_inputs
from vertexkit.cli.develop.transcript import TerminalStream, Transcript, observed_failures
from vertexkit.cli.develop.waits import TerminalWaits, read_events, terminal_reader
from vertexkit.cli.handler_runner import handler_runner
from vertexkit.cli.handler_settings import handler_settings
from vertexkit.cli.options import EXIT_FAILED, EXIT_USAGE
from vertexkit.clock import Clock
from vertexkit.errors import SettingsError
from vertexkit.loading import configured_target, default_target, find_app, find_block
from vertexkit.recordings import Recorder, RecordingsFolder
from vertexkit.settings import Settings
from vertexkit.system.supervision import Supervisor
from vertexkit.telemetry import logs
from vertexkit.telemetry.events import Event
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.contents import content_event
from vertexkit.testing.dialog import FakeDialog
from vertexkit.testing.paced_clock import PacedClock
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.recorded import outcome_and_code, request_fields
from vertexkit.testing.run import Run
from vertexkit.worker.watchdog import Watchdog

TYPING_SECONDS = 0.7
"""Simulated typing before each message: long enough to be visible."""
PATIENCE_SECONDS = 7 * 24 * 3600.0
"""How long a run may take: a handler may wait for what a user types."""


@dataclass(frozen=True, slots=True)
class TriggerOptions:
    """The options of `vertexkit trigger`."""

    target: str | None
    block: str | None
    inputs: list[str]
    """`NAME=VALUE` each."""
    file: Path | None
    """A JSON file of inputs; `-` is standard input."""
    edit: bool = False
    """Let the user edit the inputs."""
    events: tuple[str, ...] = ()
    """`NAME=JSON` each."""
    fast: bool = False
    as_json: bool = False
    debug: bool = False

    @classmethod
    def of(
        cls, options: CallOptions, target: str | None, block: str | None, *, debug: bool
    ) -> Self:
        """Make them from the options of the command line."""
        return cls(
            target,
            block,
            options.inputs or [],
            options.file,
            options.edit,
            tuple(options.events or ()),
            fast=options.fast,
            as_json=options.as_json,
            debug=debug,
        )


def run_block(options: TriggerOptions) -> int:
    """Run a block once and print the dialog.

    Returns:
        The exit code: 0 if the block completed successfully, 1 if it failed or violated the
        platform's rules, 2 if the inputs are invalid.

    Raises:
        SettingsError: The app, the block or the inputs cannot be read.
        DefinitionError: A block of the app is declared incorrectly.
    """
    target, name = split_target(options.target, options.block)
    console = output.console(quiet=options.as_json)
    if not structlog.is_configured():
        _configure_logs(console, options)
    app_name, app = find_app(target)
    block = find_block(app, name)
    schema = block.signature.input_schema()
    inputs = read_inputs(options.inputs, options.file, schema)
    if options.edit:
        inputs = edit_inputs(prefilled_inputs(schema, inputs), partial(input_problems, block))
    events = read_events(options.events)
    transcript = Transcript(console, debug=options.debug)
    for unknown in inputs.keys() - schema.get("properties", {}).keys():
        if not schema.get("additionalProperties"):
            transcript.unknown_input(unknown, schema)
    try:
        with handler_runner() as runner:
            run, violations = runner.run(
                _run(
                    app, (block.name, inputs), events, transcript, replace(options, target=app_name)
                )
            )
    finally:
        transcript.stop_typing()
    if options.as_json:
        output.print_json(_report(block.name, run, violations), indent=2)
    if run.outcome is None:
        transcript.expected_inputs(schema)
        return EXIT_USAGE
    return 0 if run.ok and not violations else EXIT_FAILED


def _configure_logs(console: Console, options: TriggerOptions) -> None:
    """Print the author's log lines; those of vertexkit only with --debug."""
    level, muted = ("debug", ()) if options.debug else ("info", ("vertexkit",))
    in_terminal = console.is_terminal and not options.as_json
    stream = cast(BinaryIO, TerminalStream(console)) if in_terminal else sys.stderr.buffer
    logs.configure("console", level, stream, muted, bare=not options.debug)


def split_target(target: str | None, block: str | None) -> tuple[str | None, str | None]:
    """The app and the block: a single name is the block's if the app is known without it."""
    if target is None or block is not None or ":" in target or target.endswith(".py"):
        return target, block
    if not configured_target() and (Path(f"{target}.py").is_file() or "." in target):
        return target, None
    try:
        return default_target(), target
    except SettingsError:
        return target, None


async def _run(
    app: App,
    call: tuple[str, dict[str, Any]],
    events: dict[str, list[Any]],
    transcript: Transcript,
    options: TriggerOptions,
) -> tuple[Run, list[str]]:
    block, inputs = call
    is_virtual = options.fast or options.as_json
    clock = VirtualClock() if is_virtual else PacedClock(max_pause=math.inf)
    platform = FakePlatform(clock=clock, typing_seconds=TYPING_SECONDS)
    platform.subscribe(transcript.request, arrivals=True)
    settings = handler_settings()
    patience = PATIENCE_SECONDS
    dialog = FakeDialog(app, platform, patience=patience, virtual_sleep=False, **settings)
    token = platform.issue(block)
    app.on_failure = observed_failures(app.on_failure, transcript.failure)
    transcript.call(block, inputs)
    recorder = _recorder(block, inputs, options.target or "", clock)
    threshold = Settings.load().handlers.stall
    async with dialog, Watchdog(threshold, transcript, Supervisor(transcript.violation)):
        dialog.subscribe(transcript.event)
        if recorder is not None:
            _record(recorder, dialog, clock)
        reader = None if is_virtual else terminal_reader()
        waits = TerminalWaits(dialog, (block, token), events, transcript, reader)
        started_at = clock.now()
        async with waits:
            run = await dialog.call(block, inputs, token)
        transcript.end(run, clock.now() - started_at)
        if recorder is not None:
            recorder.end(clock.now(), *outcome_and_code(run))
            transcript.recorded(recorder.header.id)
    for sentence in platform.violations:
        transcript.violation(sentence)
    return run, platform.violations


def _recorder(block: str, inputs: dict[str, Any], target: str, clock: Clock) -> Recorder | None:
    """A recorder of the run; None if its file cannot be written."""
    try:
        return RecordingsFolder().start(
            block, clock.now(), target=target, inputs=inputs, by="trigger"
        )
    except OSError:
        return None


def _record(recorder: Recorder, dialog: FakeDialog, clock: Clock) -> None:
    """Record what happens in the dialog."""

    def on_contents(event: Event) -> None:
        recorder.event(content_event(event, event.at, clock.unix()))

    dialog.subscribe(recorder.event)
    dialog.subscribe(on_contents, contents=True)
    dialog.platform.subscribe(lambda entry: recorder.request(entry.at, **request_fields(entry)))


def _report(block: str, run: Run, violations: list[str]) -> dict[str, Any]:
    """The object that `--json` prints."""
    return {
        "block": block,
        "ok": run.ok and not violations,
        "status": run.status,
        "answer": run.answer,
        "messages": [
            {
                "text": str(message),
                "typing": message.typing,
                "id": message.message_id,
                "at": round(message.at, 6),
            }
            for message in run.messages
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
