"""`vertexkit dialogs report`: statistics of dialogs, in the terminal or as an HTML page."""

from dataclasses import dataclass, replace
from pathlib import Path

from vertexkit.analytics import Analysis, Report, render_html
from vertexkit.analytics.terminal import print_report
from vertexkit.botone.client import BotOne
from vertexkit.cli import output
from vertexkit.cli.dialogs.filters import DialogFilters, zone_of
from vertexkit.cli.dialogs.login import run_with_bot
from vertexkit.cli.dialogs.progress import dialog_counter
from vertexkit.cli.dialogs.source import DialogSource, report_problems
from vertexkit.cli.options import Language, terminal_language
from vertexkit.errors import SettingsError


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The options of `vertexkit dialogs report`."""

    filters: DialogFilters
    answers: bool
    html: Path | None
    language: Language | None
    """None means the terminal's language."""
    as_json: bool


def report_dialogs(options: ReportOptions) -> int:
    """Count the dialogs and print the report or write it to a file.

    Returns:
        The exit code: 1 if dialogs are missing, else 0.

    Raises:
        SettingsError: The time zone is unknown, or the page's folder does not exist.
    """
    # Without a zone the days of the filters and of the report are those of UTC.
    filters = replace(options.filters, zone=options.filters.zone or "UTC")
    zone_of(filters.zone or "")
    analysis = Analysis(filters.zone or "UTC")
    source = DialogSource(filters, with_answers=options.answers)
    if options.html is not None and not options.html.absolute().parent.is_dir():
        raise SettingsError(f"--html: there is no folder {options.html.absolute().parent}")
    report = run_with_bot(lambda bot: _count(bot, source, analysis))
    language = options.language or terminal_language()
    if options.html is not None:
        options.html.write_text(render_html(report, language), encoding="utf-8")
        output.echo(f"Wrote a report about {report.dialogs:,} dialogs to {options.html}.")
    elif options.as_json:
        output.print_json(report.to_dict())
    else:
        print_report(report, output.console(), language)
    return report_problems(source.problems)


async def _count(bot: BotOne, source: DialogSource, analysis: Analysis) -> Report:
    with dialog_counter() as advance:
        async for dialog, bot_id in source.dialogs(bot):
            analysis.add(dialog, bot_id)
            advance(1)
    return analysis.report()
