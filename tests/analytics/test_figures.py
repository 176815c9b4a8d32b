"""Figures that are held against independent ones: quantiles, scores, statuses, periods, changes."""

import statistics
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analytics.dialog_data import dialog, question_data
from vertexkit.analytics import Analysis, Report, analyse
from vertexkit.analytics.durations import DurationCounter
from vertexkit.analytics.localisation import Locale
from vertexkit.analytics.report import Selection
from vertexkit.analytics.scores import ScoreCounter
from vertexkit.analytics.time_series import dialogs_over_time

EN = Locale("en")
NOW = datetime(2023, 6, 1, 12, 0, tzinfo=UTC)


@given(st.lists(st.integers(0, 10_000) | st.floats(0, 1e6), min_size=2, max_size=60))
def test_medians_are_those_of_a_spreadsheet(durations: list[float]) -> None:
    """The median is exact, and the quantile is interpolated as Excel and pandas do."""
    counter = DurationCounter()
    for seconds in durations:
        counter.add(seconds)
    found = counter.statistics()
    assert found.median == pytest.approx(statistics.median(durations))
    ninth = statistics.quantiles(durations, n=10, method="inclusive")[-1]
    assert found.p90 == pytest.approx(ninth)


def test_many_different_durations_need_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit close ones are merged, within a tenth of a percent."""
    monkeypatch.setattr("vertexkit.analytics.durations.MAX_DIFFERENT", 1000)
    counter = DurationCounter()
    for number in range(5000):
        counter.add(1000 + number / 7)
    assert len(counter.counts) <= 1001
    assert counter.statistics().median == pytest.approx(1357, rel=0.01)


def test_dialogs_in_process_have_no_duration_yet() -> None:
    """Their duration runs on, and is in no mean and in no bin."""
    running = [dialog(n, status="В процессе", duration=935_037) for n in range(9)]
    report = analyse([*running, dialog(10, duration=10), dialog(11, duration=20)])
    assert (report.durations.count, report.durations.median) == (2, 15)
    assert report.durations.longest == 20
    assert report.completion.in_process == 9


@pytest.mark.parametrize(
    "status, group",
    [
        ("Оператор", "operator"),
        ("В процессе", "in_process"),
        ("ЗАВЕРШЁН", "completed"),
        ("Завершен", "completed"),
        ("in_process", "in_process"),
        ("Прерван", "interrupted"),
        ("archived", "interrupted"),
        ("something", "other"),
    ],
)
def test_the_words_for_a_status(status: str, group: str) -> None:
    """Both languages of the document are known; further words can be given."""
    report = analyse([dialog(status=status)], status_groups={"Archived": "interrupted"})
    assert getattr(report.completion, group) == 1
    assert [item.name for item in report.unknown_statuses] == (
        ["something"] if group == "other" else []
    )


def test_both_spellings_are_one_status() -> None:
    """The breakdown by status does not split it."""
    report = analyse([dialog(1, status="operator"), dialog(2, status="Оператор")])
    assert [(item.name, item.count) for item in report.statuses.items] == [("operator", 2)]


def test_a_live_dialog_has_not_stopped() -> None:
    """A dialog in process counts as stopped 24 hours after its last message."""
    analysis = Analysis(now=NOW)
    data = question_data(("Name?", "Anna"))
    for number, hours in enumerate((1, 23, 25, 400)):
        updated = (NOW - timedelta(hours=hours)).isoformat()
        analysis.add(dialog(number, status="in-process", updated=updated, data=data))
    assert analysis.report().questions[0].stopped == 2


def test_completion_by_bot_source_and_city() -> None:
    """Each name has the dialogs that were started and those that were completed."""
    analysis = Analysis()
    for number in range(12):
        status = ("completed", "interrupted", "created")[number % 3]
        analysis.add(dialog(number, status=status, source="ab"[number % 2]), number % 4)
    report = analysis.report()
    for breakdown in (report.bots, report.sources, report.cities):
        assert sum(item.completed for item in breakdown.items) == 4
        assert sum(item.started for item in breakdown.items) == 8
    assert {item.rate for item in report.sources.items} == {0.5}


def test_each_bot_has_its_own_questions() -> None:
    """The questions of several bots are not mixed, and are numbered through."""
    analysis = Analysis(now=NOW, keep_ids=True)
    for number in range(6):
        bot = 698 + number % 2
        data = question_data((f"Q of {bot}", "a"), ("Shared?", "b"))
        analysis.add(dialog(number, status="interrupted", data=data[: 1 + number % 3 % 2]), bot)
    report = analysis.report()
    assert [group.bot for group in report.by_bot] == ["698", "699"]
    assert [q.text for q in report.questions] == ["Q of 698", "Shared?", "Q of 699", "Shared?"]
    for number, question in enumerate(report.questions, 1):
        assert len(report.ids[f"stopped:{number}"]) == question.stopped
    assert sorted(report.ids["interrupted"]) == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    "answers, mean, nps",
    [
        (["5", "4", "5", "1", "3"], 3.6, None),
        (["10", "9", "8", "7", "6", "0"], 40 / 6, 0.0),
        (["10"] * 7 + ["9"] * 2 + ["3"], 9.1, 80.0),
        (["5", "4", "hello", "none", "3", "2", "1"], None, None),
        (["5", "5", "5", "5", "5"], None, None),
        (["5", "4"], None, None),
    ],
)
def test_scores(answers: list[str], mean: float | None, nps: float | None) -> None:
    """Answers from 1 to 5 have a mean, those from 0 to 10 a Net Promoter Score too."""
    counter = ScoreCounter()
    for answer in answers:
        counter.add(answer)
    found = counter.statistics()
    if mean is None:
        assert found is None
        return
    assert found is not None
    assert found.mean == pytest.approx(mean)
    assert found.nps == nps
    assert sum(found.counts) == len(answers)


def reported(*days: tuple[str, int], selection: Selection = Selection()) -> Report:  # noqa: B008
    months: dict[str, int] = {}
    for day, count in days:
        months[day[:7]] = months.get(day[:7], 0) + count
    return Report(
        "UTC", days=tuple(days), months=tuple(sorted(months.items())), selection=selection
    )


def daily(first: date, count: int) -> list[tuple[str, int]]:
    return [((first + timedelta(n)).isoformat(), 1 + n % 3) for n in range(count)]


@pytest.mark.parametrize(
    "length, heading, columns",
    [(1, "by_day", 1), (45, "by_day", 45), (46, "by_week", 7), (181, "by_week", 26)],
)
def test_the_granularity_follows_the_period(length: int, heading: str, columns: int) -> None:
    """A quarter is shown by week; all dialogs are in the columns."""
    days = daily(date(2023, 1, 2), length)
    series = dialogs_over_time(reported(*days), EN)
    assert (series.heading, len(series.columns)) == (heading, columns)
    assert sum(column.count for column in series.columns) == sum(count for _, count in days)


def test_longer_periods_have_months_and_years_without_gaps() -> None:
    """Periods without dialogs are there, too."""
    months = dialogs_over_time(reported(("2022-01-05", 1), ("2023-12-05", 2)), EN)
    assert (months.heading, len(months.columns)) == ("by_month", 24)
    years = dialogs_over_time(reported(("2019-01-05", 1), ("2026-12-05", 2)), EN)
    assert years.heading == "by_year"
    assert [column.name for column in years.columns] == [str(year) for year in range(2019, 2027)]


def test_partial_periods_are_marked() -> None:
    """A week or a month that the filter cuts, or that is not over, is partial."""
    selection = Selection(start=date(2023, 1, 11), end=date(2023, 4, 30))
    report = reported(*daily(date(2023, 1, 11), 110), selection=selection)
    marked = [column.is_partial for column in dialogs_over_time(report, EN).columns]
    assert marked == [True, *[False] * (len(marked) - 2), False]
    today = dialogs_over_time(report, EN, date(2023, 4, 26)).columns
    assert [column.is_partial for column in today[-2:]] == [False, True]


def test_a_few_dialogs_of_another_time_do_not_hide_the_others() -> None:
    """They are left out of the chart, and counted."""
    days = [*daily(date(2023, 1, 2), 180), ("2026-11-25", 1)]
    series = dialogs_over_time(reported(*days), EN)
    assert (series.heading, series.outside) == ("by_week", 1)


def test_the_last_hour_of_summer_time_occurs_twice() -> None:
    """First and last are moments: their order does not depend on that of the dialogs."""
    early, late = "2018-02-18T01:30:00+00:00", "2018-02-18T02:30:00+00:00"
    for order in ([early, late], [late, early]):
        report = analyse([dialog(updated=time) for time in order], "America/Sao_Paulo")
        assert report.first is not None
        assert report.last is not None
        assert (report.first.hour, report.last.hour) == (23, 23)
        assert report.first.astimezone(UTC) == datetime.fromisoformat(early)


@pytest.mark.parametrize(
    "low, high, english, russian",
    [
        (0, 10, "< 10 s", "< 10 с"),
        (10, 30, "10–30 s", "10–30 с"),
        (30, 60, "30 s – 1 min", "30 с – 1 мин"),
        (10_800, 86_400, "3 h – 1 d", "3 ч – 1 дн"),
        (86_400, None, "≥ 1 d", "≥ 1 дн"),
    ],
)
def test_bins_do_not_look_cumulative(
    low: float, high: float | None, english: str, russian: str
) -> None:
    """Each interval names both of its ends."""
    for language, expected in (("en", english), ("ru", russian)):
        found = Locale(language).duration_bin(low, high)
        assert found.replace("\u00a0", " ") == expected


@pytest.mark.parametrize(
    "now, before, text",
    [(110, 100, "+10%"), (50, 100, "−50%"), (100, 100, "no change"), (3, 0, "+3")],
)
def test_changes(now: Any, before: Any, text: str) -> None:
    """A change is a percentage, or a difference if there was nothing before."""
    assert EN.change(now, before) == text
