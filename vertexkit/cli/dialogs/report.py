"""`vertexkit dialogs report`: statistics of dialogs, in the terminal or as an HTML page."""

from dataclasses import replace
from typing import get_args

from vertexkit.analytics import Analysis, Report, StatusGroup, render_html
from vertexkit.analytics.dialog_ids import figure_name, is_of_question
from vertexkit.analytics.terminal import print_report
from vertexkit.botone.client import BotOne
from vertexkit.cli import output
from vertexkit.cli.dialogs.filters import DialogFilters, zone_of
from vertexkit.cli.dialogs.login import run_with_bot
from vertexkit.cli.dialogs.options import ReportOptions
from vertexkit.cli.dialogs.progress import dialog_progress
from vertexkit.cli.dialogs.source import DialogSource, report_problems
from vertexkit.cli.translation import terminal_language, translate
from vertexkit.errors import SettingsError
from vertexkit.settings import Settings

KINDS: tuple[StatusGroup, ...] = get_args(StatusGroup)
WARN_SHARE = 0.01
"""If more than this part of the dialogs has an unknown status, a warning is printed."""


def report_dialogs(filters: DialogFilters, options: ReportOptions) -> int:
    """Count the dialogs and print the report or write it to a file.

    Returns:
        The exit code: 1 if dialogs are missing, else 0.

    Raises:
        SettingsError: An option is invalid, or the page's folder does not exist.
    """
    # Without a zone the days of the filters and of the report are those of UTC.
    zone = filters.zone or "UTC"
    zone_of(zone)
    filters = replace(filters, zone=zone)
    if options.interactive and options.output is None:
        raise SettingsError("--interactive needs a page. Name its file: --output FILE")
    if options.output is not None and not options.output.absolute().parent.is_dir():
        raise SettingsError(f"--output: there is no folder {options.output.absolute().parent}")
    figure = _figure(options.show)
    groups = _status_groups([*Settings.load().platform.endings, *(options.ending or ())])
    selection = filters.selection(dict(map(_bot_name, options.bot_name or ())))
    earlier = filters.before() if options.compare else None
    answers = options.answers or (figure is not None and is_of_question(figure))
    report = _report(
        filters,
        Analysis(zone, status_groups=groups, keep_ids=figure or False),
        answers,
        quiet=options.as_json,
    )
    report = replace(report, selection=selection)
    if figure is not None:
        _print_ids(report, figure)
        return report_problems(list(report.problems))
    if earlier is not None:
        analysis = Analysis(zone, status_groups=groups)
        previous = _report(earlier, analysis, answers, quiet=options.as_json)
        previous = replace(previous, selection=earlier.selection({}))
        report = replace(report, previous=previous)
    _warn_of_unknown_statuses(report)
    _show(report, options)
    return report_problems(list(report.problems))


def _report(filters: DialogFilters, analysis: Analysis, answers: bool, *, quiet: bool) -> Report:
    source = DialogSource(filters, with_answers=answers)
    report = run_with_bot(lambda bot: _count(bot, filters, source, analysis, quiet))
    return replace(report, problems=tuple(source.problems))


async def _count(
    bot: BotOne, filters: DialogFilters, source: DialogSource, analysis: Analysis, quiet: bool
) -> Report:
    lists = filters.lists(bot)
    with dialog_progress(0, source.find_total(lists), quiet=quiet) as advance:
        async for batch, bot_id in source.batches(bot, None, lists):
            for dialog in batch:
                analysis.add(dialog, bot_id)
            advance(len(batch))
    return analysis.report()


def _show(report: Report, options: ReportOptions) -> None:
    language = options.lang.language if options.lang is not None else terminal_language()
    if options.output is not None:
        render = render_html
        if options.interactive:
            from vertexkit.analytics.interactive import render_interactive as render
        options.output.write_text(render(report, language, title=options.title), encoding="utf-8")
        count = f"{report.dialogs:,}"
        output.echo(
            translate("Wrote a report about {0} dialogs to {1}.", count, options.output),
            err=options.as_json,
        )
    elif options.as_json:
        output.print_json(report.to_dict())
    else:
        print_report(report, output.console(), language, title=options.title)


def _figure(text: str | None) -> str | None:
    try:
        return None if text is None else figure_name(text)
    except ValueError as error:
        raise SettingsError(f"--show: {error}") from None


def _print_ids(report: Report, figure: str) -> None:
    """Print the IDs behind a figure, one a line, for other commands.

    Raises:
        SettingsError: The report has no question of this number.
    """
    number = figure.partition(":")[2]
    if is_of_question(figure) and int(number) > len(report.questions):
        raise SettingsError(
            f"--show: {figure} names question {number}, and the last question of the report is "
            f"number {len(report.questions)}"
        )
    for dialog_id in report.ids.get(figure, ()):
        output.echo(dialog_id)


def _warn_of_unknown_statuses(report: Report) -> None:
    if report.completion.other <= WARN_SHARE * report.dialogs:
        return
    names = ", ".join(f"{item.name!r} ({item.count:,})" for item in report.unknown_statuses[:5])
    output.echo(
        translate(
            "vertexkit: warning: {0} dialogs have a status that is counted as other: {1}. To count it otherwise, pass --ending STATUS=KIND or set VERTEXKIT_ENDINGS",
            f"{report.completion.other:,}",
            names,
        ),
        err=True,
    )


def _status_groups(texts: list[str]) -> dict[str, StatusGroup]:
    found: dict[str, StatusGroup] = {}
    for text in texts:
        status, _, kind = text.rpartition("=")
        match = next((known for known in KINDS if known == kind.strip().replace("-", "_")), None)
        if not status.strip() or match is None:
            raise SettingsError(
                f"--ending must have the form STATUS=KIND, where KIND is one of {', '.join(KINDS)}, "
                f"got {text!r}"
            )
        found[status] = match
    return found


def _bot_name(text: str) -> tuple[str, str]:
    bot_id, _, name = text.partition("=")
    if not bot_id.strip().isdecimal() or not name.strip():
        raise SettingsError(f"--bot-name must have the form ID=NAME, got {text!r}")
    return bot_id.strip(), name.strip()
