"""`vertexkit check --chaos`: what a person in the dialog sees when something fails."""

import sys
from dataclasses import asdict

from rich.text import Text

from vertexkit.app import App
from vertexkit.cli import output
from vertexkit.cli.check.example_inputs import find_inputs
from vertexkit.cli.check.options import CheckOptions
from vertexkit.cli.check.recorded import read_recordings
from vertexkit.cli.handler_runner import handler_runner
from vertexkit.cli.handler_settings import handler_settings
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.cli.table import Table
from vertexkit.cli.translation import translate, translate_count, translate_sentence
from vertexkit.loading import find_app, find_block
from vertexkit.telemetry import logs
from vertexkit.testing.chaos import Chaos, Seen, is_failure

COLUMNS = ("block", "failure", "messages", "end", "promises")


def check_chaos(target: str | None, options: CheckOptions, *, as_json: bool) -> int:
    """Run blocks under simulated failures, and print a row for each run.

    Args:
        target: the app, as `find_app` takes it.
        options: the block, its inputs, the seed.
        as_json: print one JSON object for each run.

    Returns:
        The exit code: 1 if a promise is broken, or a block fails without a fault.

    Raises:
        SettingsError: there is no such app, block or recording, or a block has no inputs.
    """
    _, app = find_app(target)
    inputs = _inputs(app, options)
    logs.configure("console", "critical", sys.stderr.buffer)
    settings = handler_settings()
    chaos = Chaos(app, seed=options.seed, allowed_hosts=options.allow_host or (), **settings)

    async def run() -> list[Seen]:
        return [seen for name, given in inputs.items() for seen in await chaos.check(name, given)]

    with handler_runner() as runner:
        found = runner.run(run())
    if as_json:
        for seen in found:
            output.print_json(asdict(seen))
    else:
        _show(found)
    return EXIT_FAILED if any(map(is_bad, found)) else 0


def is_bad(seen: Seen) -> bool:
    """Whether a run makes the check fail."""
    return bool(seen.broken) or (seen.is_base and is_failure(seen))


def _inputs(app: App, options: CheckOptions) -> dict[str, dict[str, object]]:
    """Return the inputs of each block that is run."""
    if options.block is not None or not app.blocks:
        blocks = [find_block(app, options.block)]
    else:
        blocks = list(app.blocks.values())
    recordings = [] if options.recorded is None else read_recordings(options.recorded)
    return {block.name: find_inputs(block, options.preset, recordings) for block in blocks}


def _show(found: list[Seen]) -> None:
    console, kept = output.console(), translate("kept")
    rows = [
        (
            *(seen.block, translate_sentence(seen.scenario), _messages(seen), seen.end),
            ", ".join(map(translate_sentence, seen.broken)) or kept,
        )
        for seen in found
    ]
    styles = {kept: "green"} | {row[4]: "bold red" for row in rows if row[4] != kept}
    head, lines = Table(COLUMNS, "promises", styles).lines(rows)
    for line in (head, *lines):
        console.print(Text("  ") + line, soft_wrap=True)
    for seen in found:
        if seen.is_base and is_failure(seen):
            console.print(
                Text(
                    f"  {translate('{0} fails without a fault: {1}', seen.block, seen.error or seen.end)}",
                    "bold red",
                ),
                soft_wrap=True,
            )
    broken = sum(bool(seen.broken) for seen in found)
    runs = translate_count(len(found), "{0} run", "{0} runs")
    verdict = (
        translate("{0} broke a promise", broken) if broken else translate("no promise was broken")
    )
    console.print(Text(f"  {runs}: {verdict}", "dim"))


def _messages(seen: Seen) -> str:
    words = [str(len(seen.messages))]
    words += [translate("{0} missing", seen.missing)] if seen.missing else []
    words += [translate("{0} doubled", seen.doubled)] if seen.doubled else []
    return ", ".join(words)
