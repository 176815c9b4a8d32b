"""`vertexkit replay`: run the current code with a recorded run."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from rich.text import Text

from vertexkit.cli import output
from vertexkit.cli.develop.transcript import Transcript, observed_failures
from vertexkit.cli.handler_settings import handler_settings
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.cli.translation import translate
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


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """The options of `vertexkit replay`."""

    run: str
    """A run's ID or its first characters, a file, or `last`."""
    target: str | None = None
    """The app; None means the recorded one."""
    must_match: bool = False
    save_test: Path | None = None
    as_json: bool = False


def replay_run(options: ReplayOptions) -> int:
    """Run the block of a recorded run again, or write a test from the recording.

    Returns:
        The exit code: 1 if the run must match the recording and does not, else 0.

    Raises:
        SettingsError: There is no such run, app or block, or the test cannot be written.
    """
    recording = RecordingsFolder(cipher=recordings_cipher(Settings.load().journal)).find(
        options.run
    )
    target, app = find_app(options.target or recording.header.target or None)
    if recording.header.block not in app.blocks:
        raise SettingsError(
            f"{target} has no block {recording.header.block!r}, which this run recorded."
            f"{suggestion(recording.header.block, app.blocks)} The app has: {', '.join(app.blocks)}"
        )
    if options.save_test is not None:
        schema = app.blocks[recording.header.block].signature.input_schema()
        return _save_test(recording, options.save_test, schema)
    if not structlog.is_configured():
        logs.configure("console", "warning", mute=("vertexkit",), bare=True)
    failures: list[Failure] = []
    app.on_failure = observed_failures(app.on_failure, failures.append)
    replayed = asyncio.run(replay(app, recording, **handler_settings()))
    if options.as_json:
        output.print_json(_report(replayed))
    else:
        _show(replayed, failures)
    return EXIT_FAILED if options.must_match and not replayed.matches else 0


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
    for message in replayed.run.messages:
        transcript.message(str(message))
    for failure in failures:
        transcript.failure(failure)
    transcript.end(replayed.run)
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
        "messages": [str(message) for message in replayed.run.messages],
        "data": replayed.run.data,
        "difference": replayed.difference(),
    }
