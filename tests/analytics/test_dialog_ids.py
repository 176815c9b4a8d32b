"""The ids of the dialogs behind the figures of a report."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.analytics.dialog_data import dialog, question_data
from vertexkit.analytics import Analysis, Report, dialog_ids
from vertexkit.analytics.dialog_ids import DURATIONS, MAX_IDS, WEEKDAYS, figure_name
from vertexkit.analytics.durations import BIN_BOUNDS_SECONDS

NOW = datetime(2023, 6, 1, 12, 0, tzinfo=UTC)
CITIES = ("Perm", "perm", "Kazan", None)
STATUSES = ("completed", "interrupted", "in-process", "operator", "created", "lost")
DATA = (
    "[]",
    question_data(("How?", "Well")),
    question_data(("How?", None), ("Why?", "Because")),
)
TIMES = ("2023-05-08T00:30:00+03:00", "2023-05-11T23:30:00+00:00", "2022-12-31T20:00:00+00:00", "")


def many(keep_ids: bool | str) -> Report:
    """A report on 240 dialogs of two bots."""
    analysis = Analysis("Europe/Moscow", now=NOW, keep_ids=keep_ids)
    for number in range(240):
        fields: dict[str, Any] = {
            "name": None,
            "location": CITIES[number % 4],
            "status": STATUSES[number // 4 % 6],
            "source": "web" if number % 3 else "telegram",
            "updated": TIMES[number // 3 % 4],
            "duration": number * number,
            "data": DATA[number // 5 % 3],
        }
        analysis.add(dialog(number, **fields), (698, 1446)[number % 2])
    return analysis.report()


def counts_of(report: Report) -> dict[str, int]:
    """Every figure of a report, by its name."""
    completion = report.completion
    found = {
        name: getattr(completion, name)
        for name in ("completed", "interrupted", "in_process", "operator", "other", "not_started")
    }
    found["undated"] = report.undated
    for kind, breakdown in (
        ("bot", report.bots),
        ("city", report.cities),
        ("source", report.sources),
        ("status", report.statuses),
    ):
        found |= {f"{kind}:{item.name}": item.count for item in breakdown.items}
        found[f"{kind}:"] = breakdown.missing
    for day, hours in enumerate(report.hours):
        found[f"weekday:{WEEKDAYS[day]}"] = sum(hours)
        found |= {f"hour:{WEEKDAYS[day]}-{hour:02}": count for hour, count in enumerate(hours)}
    for hour in range(24):
        found[f"hour:{hour:02}"] = sum(hours[hour] for hours in report.hours)
    found |= {f"month_day:{day}": count for day, count in enumerate(report.month_days, 1)}
    found |= {f"day:{day}": count for day, count in report.days or ()}
    found |= {f"month:{month}": count for month, count in report.months}
    found |= {f"duration:{DURATIONS[n]}": b.count for n, b in enumerate(report.durations.bins)}
    for number, question in enumerate(report.questions, 1):
        for kind in ("reached", "answered", "stopped", "handed_over"):
            found[f"{kind}:{number}"] = getattr(question, kind)
    found["stopped:0"] = report.stopped_before_questions
    return found


def test_every_figure_has_as_many_ids_as_it_counts() -> None:
    """Cities, sources, bots, statuses, outcomes, hours, days, durations and questions."""
    report = many(keep_ids=True)
    counts = counts_of(report)
    assert len([name for name, count in counts.items() if count]) > 60
    for name, count in counts.items():
        assert len(report.ids.get(name, ())) == count, name
    assert set(report.ids) - set(counts) == {
        *("year:2022", "year:2023"),
        *("week:2022-12-26", "week:2023-05-08"),
    }
    assert report.ids["week:2023-05-08"] == report.ids["year:2023"]


def test_one_figure_has_all_its_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """If one figure is asked for, all its ids are kept, and no others; else some of each figure."""
    monkeypatch.setattr(dialog_ids, "MAX_IDS", 3)
    everything = many(keep_ids=True)
    assert max(map(len, everything.ids.values())) == 3
    for figure in ("source:web", "hour:mon-00", "stopped:1", "duration:600-1800"):
        report = many(keep_ids=figure)
        assert len(report.ids[figure]) == counts_of(report)[figure] > 3
        assert {name.partition(":")[0] for name in report.ids} == {figure.partition(":")[0]}
    assert MAX_IDS == 500


def test_the_case_of_a_name_does_not_matter() -> None:
    """`city:PERM` is Perm and perm: filters compare names so, too."""
    report = many(keep_ids="City:PERM")
    assert len(report.ids["city:perm"]) == 120
    assert len(many(keep_ids="city:").ids["city:"]) == 60


@pytest.mark.parametrize(
    "text, name",
    [
        ("Completed", "completed"),
        ("in-process", "in_process"),
        (" hour:9 ", "hour:09"),
        ("hour:Mon-9", "hour:mon-09"),
        ("weekday:SUN", "weekday:sun"),
        ("city:Санкт-Петербург", "city:санкт-петербург"),
        ("city:", "city:"),
        ("handed-over:12", "handed_over:12"),
        ("duration:86400-", "duration:86400-"),
        ("stopped:0", "stopped:0"),
        ("week:2023-05-08", "week:2023-05-08"),
    ],
)
def test_names_are_read_leniently(text: str, name: str) -> None:
    """The case, hyphens and a missing zero do not matter."""
    assert figure_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        *("", "weather", "city", "completed:1", "hour:24", "weekday:noon", "duration:1-2"),
        *("stopped:x", "stopped:03", "stopped:", "reached:0", "answered:0", "handed_over:00"),
        *("day:2023-02-30", "week:2023-05-09", "month:2023-13"),
    ],
)
def test_an_unknown_figure_is_an_error(text: str) -> None:
    """The error lists the figures."""
    with pytest.raises(ValueError, match=r"reports have no figure .*city:Perm.*hour:mon-14"):
        figure_name(text)


def test_the_names_of_durations_are_the_bounds_of_the_report() -> None:
    """An interval that is added has a name."""
    assert [int(name.partition("-")[0]) for name in DURATIONS] == list(BIN_BOUNDS_SECONDS)
