"""`vertexkit check --against`: which changes of the blocks break published bots."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from vertexkit.cli import output
from vertexkit.cli.check.changes import INPUT, RESULT, Change, compare
from vertexkit.cli.check.documents import current_contracts, read_contracts
from vertexkit.cli.check.inclusion import Verdict
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.cli.translation import fill, translate, translate_count, translate_sentence
from vertexkit.loading import find_app

STYLES = {
    Verdict.COMPATIBLE: "green",
    Verdict.UNDECIDED: "yellow",
    Verdict.BREAKS: "bold red",
}
ORDER = (Verdict.BREAKS, Verdict.UNDECIDED, Verdict.COMPATIBLE)


def check_against(target: str | None, path: Path, *, as_json: bool) -> int:
    """Compare the blocks of an app with those of a deployed version, and print each change.

    Args:
        target: the app, as `find_app` takes it.
        path: the catalogue or the OpenAPI document of the deployed version.
        as_json: print one JSON object for each change.

    Returns:
        The exit code: 0 if every change is compatible.

    Raises:
        SettingsError: there is no such app, or the file cannot be read.
    """
    old = read_contracts(path)
    _, app = find_app(target)
    found = compare(old, current_contracts(app.blocks), fill if as_json else translate)
    changes = sorted(found, key=lambda change: ORDER.index(change.verdict))
    if as_json:
        for change in changes:
            output.print_json(asdict(change))
    else:
        _show(changes, path)
    compatible = all(change.verdict is Verdict.COMPATIBLE for change in changes)
    return 0 if compatible else EXIT_FAILED


def _show(changes: list[Change], path: Path) -> None:
    console = output.console()
    sides = {INPUT: translate("input"), RESULT: translate("result")}
    width = max((len(change.verdict) for change in changes), default=0)
    for change in changes:
        line = Text(f"  {change.verdict:<{width}}", STYLES[change.verdict])
        place = " ".join(filter(None, (change.block, sides.get(change.side), change.member)))
        line.append(
            f"  {place}: {change.old} → {change.new}. ",
            "default",
        )
        reason = translate_sentence(change.reason)
        line.append(f"{reason[:1].upper()}{reason[1:]}.", "dim")
        console.print(line, soft_wrap=True)
    numbers = Counter(change.verdict for change in changes)
    counts = ", ".join(f"{numbers[verdict]} {verdict}" for verdict in ORDER if numbers[verdict])
    summary = (
        translate_count(len(changes), "{0} change: {1}", "{0} changes: {1}", counts)
        if changes
        else translate("no changes")
    )
    text = translate("{0}, compared with {1}", summary, path)
    console.print(Text(f"  {text}", "dim"), soft_wrap=True)
