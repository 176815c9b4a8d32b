"""`vertexkit replay`: run the current code with a recorded run."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import structlog
import typer
from rich.console import Console
from rich.text import Text

from vertexkit.cli.develop.trigger import handler_settings
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.errors import SettingsError
from vertexkit.loading import find_app
from vertexkit.recordings import RecordedRun, Shelf
from vertexkit.telemetry import logs
from vertexkit.testing.recorded import as_test, name_of
from vertexkit.testing.replay import Replayed, replay

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
    recorded = Shelf().find(options.run)
    target, app = find_app(options.target or recorded.head.target or None)
    if recorded.head.block not in app.blocks:
        raise SettingsError(
            f"{target} has no block {recorded.head.block!r}, which this run recorded. "
            f"The app has: {', '.join(app.blocks)}"
        )
    if options.save_test is not None:
        return _save_test(recorded, options.save_test)
    if not structlog.is_configured():
        logs.configure("console", "warning")
    replayed = asyncio.run(replay(app, recorded, **handler_settings()))
    if options.as_json:
        print(json.dumps(_report(replayed), ensure_ascii=False))
    else:
        _show(replayed)
    return EXIT_FAILED if options.must_match and not replayed.same else 0


def _save_test(recorded: RecordedRun, path: Path) -> int:
    if recorded.end is None:
        raise SettingsError("this recording has no end, so a test cannot be written from it")
    if path.suffix != ".py":
        path /= f"test_{name_of(recorded)}.py"
    if path.exists():
        raise SettingsError(f"{path} already exists. Choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_test(recorded), encoding="utf-8")
    typer.echo(f"Saved {path}. Run it with pytest.")
    return 0


def _show(replayed: Replayed) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    head = replayed.recorded.head
    inputs = " ".join(
        f"{name}={json.dumps(v, ensure_ascii=False)}" for name, v in head.inputs.items()
    )
    console.print(Text(f"{head.id}  {head.block} {inputs}".rstrip(), "dim"), soft_wrap=True)
    for message in replayed.run.messages:
        console.print(Text.assemble(("  bot   ", "green"), str(message)), soft_wrap=True)
    data = json.dumps(replayed.run.data, ensure_ascii=False)
    console.print(Text.assemble(("  done  ", "bold"), data), soft_wrap=True)
    if replayed.same:
        console.print(Text("Matches the recording.", "green"))
        return
    console.print(Text("Differs from the recording:", "red"))
    for line in replayed.difference()[2:]:
        console.print(Text(f"  {line}", DIFF_STYLES.get(line[:1], "default")), soft_wrap=True)


def _report(replayed: Replayed) -> dict[str, object]:
    """The object that `--json` prints."""
    return {
        "run": replayed.recorded.head.id,
        "same": replayed.same,
        "messages": [str(message) for message in replayed.run.messages],
        "data": replayed.run.data,
        "difference": replayed.difference(),
    }
