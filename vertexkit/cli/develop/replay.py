"""`vertexkit replay`: the current code on a recorded run."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import structlog
import typer
from rich.console import Console
from rich.text import Text

from vertexkit.cli.options import EXIT_FAILED
from vertexkit.errors import SettingsError
from vertexkit.loading import find_app
from vertexkit.recordings import RecordedRun, Shelf
from vertexkit.settings import Settings
from vertexkit.telemetry import logs
from vertexkit.testing.recorded import as_test, name_of
from vertexkit.testing.replay import Replayed, replay

OF_THE_HANDLER = ("timeout", "attempts", "cleanup", "result_limit", "send_timeout", "threads")
COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@dataclass(frozen=True, slots=True)
class Wish:
    """Which run, on which code, and what is made of it."""

    run: str
    target: str | None = None
    must_be_same: bool = False
    save_test: Path | None = None
    as_json: bool = False


def again(wish: Wish) -> int:
    """Run it again; gives the exit code.

    Raises:
        SettingsError: there is no such run, app or block.
    """
    recorded = Shelf().find(wish.run)
    target, app = find_app(wish.target or recorded.head.target or None)
    if recorded.head.block not in app.blocks:
        raise SettingsError(
            f"{target} has no block {recorded.head.block!r}, which this run is of. "
            f"The app has: {', '.join(app.blocks)}"
        )
    if wish.save_test is not None:
        return _save(recorded, wish.save_test)
    if not structlog.is_configured():
        logs.configure("console", "warning")
    settings = Settings.load().flat(*OF_THE_HANDLER)
    found = asyncio.run(replay(app, recorded, **settings))
    if wish.as_json:
        print(json.dumps(_report(found), ensure_ascii=False))
    else:
        _show(found)
    return EXIT_FAILED if wish.must_be_same and not found.same else 0


def _save(recorded: RecordedRun, path: Path) -> int:
    if recorded.end is None:
        raise SettingsError("this run has not ended: nobody can tell what a test should expect")
    if path.suffix != ".py":
        path /= f"test_{name_of(recorded)}.py"
    if path.exists():
        raise SettingsError(f"{path} is there already: give another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_test(recorded), encoding="utf-8")
    typer.echo(f"{path}: run it with pytest")
    return 0


def _show(found: Replayed) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    head = found.recorded.head
    given = " ".join(
        f"{name}={json.dumps(v, ensure_ascii=False)}" for name, v in head.inputs.items()
    )
    console.print(Text(f"{head.id}  {head.block} {given}".rstrip(), "dim"), soft_wrap=True)
    for said in found.run.messages:
        console.print(Text.assemble(("  bot   ", "green"), str(said)), soft_wrap=True)
    data = json.dumps(found.run.data, ensure_ascii=False)
    console.print(Text.assemble(("  done  ", "bold"), data), soft_wrap=True)
    if found.same:
        console.print(Text("the same as recorded", "green"))
        return
    console.print(Text("not the same as recorded:", "red"))
    for line in found.difference()[2:]:
        console.print(Text(f"  {line}", COLOURS.get(line[:1], "default")), soft_wrap=True)


def _report(found: Replayed) -> dict[str, object]:
    return {
        "run": found.recorded.head.id,
        "same": found.same,
        "messages": [str(said) for said in found.run.messages],
        "data": found.run.data,
        "difference": found.difference(),
    }
