"""`vertexkit dialogs report`: statistics of dialogs, in the terminal or as an HTML page."""

from dataclasses import dataclass
from pathlib import Path

from vertexkit.analytics import Analysis, Report, render_html
from vertexkit.analytics.terminal import print_report
from vertexkit.botone.client import BotOne
from vertexkit.cli import output
from vertexkit.cli.dialogs.filters import DialogFilters
from vertexkit.cli.dialogs.login import run_with_bot
from vertexkit.cli.dialogs.progress import dialog_counter
from vertexkit.cli.options import Language, terminal_language
from vertexkit.errors import SettingsError


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The options of `vertexkit dialogs report`."""

    filters: DialogFilters
    zone: str
    """Time zone for weekdays and hours."""
    answers: bool
    html: Path | None
    language: Language | None
    """None means the terminal's language."""
    as_json: bool


def report_dialogs(options: ReportOptions) -> None:
    """Count the dialogs and print the report or write it to a file.

    Raises:
        SettingsError: The time zone is unknown, or the page's folder does not exist.
    """
    try:
        analysis = Analysis(options.zone)
    except ValueError as error:
        raise SettingsError(f"--zone: {error}") from None
    if options.html is not None and not options.html.absolute().parent.is_dir():
        raise SettingsError(f"--html: there is no folder {options.html.absolute().parent}")
    report = run_with_bot(lambda bot: _count(bot, options, analysis))
    language = options.language or terminal_language()
    if options.html is not None:
        options.html.write_text(render_html(report, language), encoding="utf-8")
        output.echo(f"Wrote a report about {report.dialogs:,} dialogs to {options.html}.")
    elif options.as_json:
        output.print_json(report.to_dict())
    else:
        print_report(report, output.console(), language)


async def _count(bot: BotOne, options: ReportOptions, analysis: Analysis) -> Report:
    with dialog_counter() as advance:
        for bot_id, conversations in options.filters.lists(bot):
            if options.answers:
                async for details in conversations.detailed():
                    analysis.add(details, bot_id)
                    advance(1)
            else:
                async for dialog in conversations:
                    analysis.add(dialog, bot_id)
                    advance(1)
    return analysis.report()
