"""`vertexkit replay`: run the current code with a recorded run."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from rich.text import Text

from vertexkit.cli import output
from vertexkit.cli.check.recorded import input_problems
from vertexkit.cli.develop.editing import edit_inputs
from vertexkit.cli.develop.remote import Call, RemoteOptions, send_call
from vertexkit.cli.develop.replay_options import ReplayOptions
from vertexkit.cli.develop.transcript import Transcript, observed_failures
from vertexkit.cli.handler_runner import handler_runner
from vertexkit.cli.handler_settings import handler_settings
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.cli.translation import translate, translate_count
from vertexkit.errors import SettingsError
from vertexkit.failure import Failure
from vertexkit.journal.encryption import recordings_cipher
from vertexkit.loading import find_app, suggestion
from vertexkit.recordings import Recording, RecordingsFolder
from vertexkit.recordings.generated_test import generate_test, generated_test_name
from vertexkit.settings import Settings
from vertexkit.telemetry import logs
from vertexkit.testing.replay import Replay, replay

DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def replay_run(run: str, target: str | None, options: ReplayOptions) -> int:
    """Run the block of a recorded run again, or write a test from the recording.

    Args:
        run: A run's ID or its first characters, a file, or `last`.
        target: The app; None means the recorded one.
        options: What is done with the recording.

    Returns:
        The exit code: 1 if the run must match the recording and does not, else 0. With a URL: that
        of `vertexkit trigger`.

    Raises:
        SettingsError: There is no such run, app, block or service, or the test cannot be written.
    """
    options.check(target)
    cipher = recordings_cipher(Settings.load().journal)
    recording = RecordingsFolder(cipher=cipher).find(run)
    if options.url is not None:
        return _send(recording, options.url, options)
    target, app = find_app(target or recording.header.target or None)
    block = app.blocks.get(recording.header.block)
    if block is None:
        raise SettingsError(
            f"{target} has no block {recording.header.block!r}, which this run recorded."
            f"{suggestion(recording.header.block, app.blocks)} The app has: {', '.join(app.blocks)}"
        )
    if options.save_test:
        return _save_test(recording, options.output, block.signature.input_schema())
    if options.edit:
        inputs = edit_inputs(recording.header.inputs, partial(input_problems, block))
        recording = replace(recording, header=replace(recording.header, inputs=inputs))
    if not structlog.is_configured():
        logs.configure("console", "warning", mute=("vertexkit",), bare=True)
    failures: list[Failure] = []
    app.on_failure = observed_failures(app.on_failure, failures.append)
    with handler_runner() as runner:
        replayed = runner.run(replay(app, recording, first=options.first, **handler_settings()))
    if options.as_json:
        output.print_json(_report(replayed))
    else:
        _show(replayed, failures)
    return EXIT_FAILED if options.must_match and not replayed.matches else 0


def _send(recording: Recording, url: str, options: ReplayOptions) -> int:
    """Send the recorded call and its events to a running service."""
    header = recording.header
    events: dict[str, list[Any]] = {}
    for wait in recording.waits():
        if wait.by_event:
            events.setdefault(wait.event, []).append(wait.data)
    call = Call(header.block, lambda _: header.inputs, events, header.dialog_id)
    remote = RemoteOptions(
        url, options.platform_host, options.edit, fast=True, as_json=options.as_json
    )
    return send_call(call, remote)


def _save_test(recording: Recording, path: Path, schema: dict[str, Any]) -> int:
    if recording.end is None:
        raise SettingsError("this recording has no end, so a test cannot be written from it")
    if path.suffix != ".py":
        path /= f"test_{generated_test_name(recording)}.py"
    if path.exists():
        raise SettingsError(f"{path} already exists. Choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(generate_test(recording, path, schema), encoding="utf-8")
    output.echo(translate("Saved {0}. Run it with pytest.", path))
    return 0


def _show(replayed: Replay, failures: list[Failure]) -> None:
    console = output.console()
    header = replayed.recording.header
    inputs = " ".join(
        f"{name}={json.dumps(v, ensure_ascii=False)}" for name, v in header.inputs.items()
    )
    console.print(Text(f"{header.id}  {header.block} {inputs}".rstrip(), "dim"), soft_wrap=True)
    transcript = Transcript(console)
    for message in replayed.taken:
        transcript.message(message, recorded=True)
    for message in replayed.run.messages:
        transcript.message(str(message))
    for failure in failures:
        transcript.failure(failure)
    transcript.end(replayed.run)
    if replayed.replaced:
        console.print(
            Text(
                translate(
                    "Not sent, because the recorded text was taken instead: {0}.",
                    translate_count(replayed.replaced, "{0} message", "{0} messages"),
                ),
                "yellow",
            ),
            soft_wrap=True,
        )
    if replayed.matches:
        console.print(Text(translate("Matches the recording."), "green"))
        return
    console.print(Text(translate("Differs from the recording:"), "red"))
    for line in replayed.difference()[2:]:
        console.print(Text(f"  {line}", DIFF_STYLES.get(line[:1], "default")), soft_wrap=True)


def _report(replayed: Replay) -> dict[str, object]:
    """The object that `--json` prints."""
    return {
        "run": replayed.recording.header.id,
        "same": replayed.matches,
        "recorded_messages": list(replayed.taken),
        "messages": [str(message) for message in replayed.run.messages],
        "data": replayed.run.data,
        "difference": replayed.difference(),
    }
