"""The statistics of dialogs."""

import sys
import zoneinfo
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analytics.dialog_data import dialog, question_data
from vertexkit import BotOne
from vertexkit.analytics import Analysis, analyse, analyse_async
from vertexkit.analytics.dialog_times import MAX_DAYS
from vertexkit.analytics.time_zones import time_zone
from vertexkit.botone.http_client import asgi_client
from vertexkit.botone.models import Conversation
from vertexkit.testing import FakePlatform


def test_the_statistics_of_the_document_are_reported() -> None:
    """By bot, city and source; by weekday, hour and month; durations; completed dialogs."""
    analysis = Analysis("Europe/Moscow")
    analysis.add(dialog(1), 1446)
    analysis.add(dialog(2, location="Kazan", source="telegram", status="interrupted"), 1446)
    analysis.add(dialog(3, updated="", duration=3600, status="in-process"), 698)
    analysis.add(dialog(4, updated="2023-06-01T00:00:00+03:00", duration=120), 698)
    report = analysis.report()
    assert [(item.name, item.count) for item in report.bots.items] == [("1446", 2), ("698", 2)]
    assert [(item.name, item.share) for item in report.cities.items] == [
        ("Perm", 0.75),
        ("Kazan", 0.25),
    ]
    assert [(item.name, item.count) for item in report.sources.items] == [
        ("web", 3),
        ("telegram", 1),
    ]
    completion = report.completion
    assert (
        completion.started,
        completion.completed,
        completion.interrupted,
        completion.in_process,
    ) == (4, 2, 1, 1)
    assert (completion.rate, completion.per_interrupted) == (0.5, 2.0)
    # 21:30 UTC on Thursday is half past midnight on Friday in Moscow.
    assert report.hours[4][0] == 2
    assert report.hours[3][0] == 1
    assert report.months == (("2023-05", 2), ("2023-06", 1))
    assert report.undated == 1
    times = report.durations
    assert (times.count, times.median, times.longest) == (3, 60, 120)
    assert report.completed_durations.mean == 90


def test_questions_have_answers_and_stopped_dialogs() -> None:
    """Answers are counted without files, deleted files are not answers, stopped dialogs are counted."""
    file = {"question": "File", "type": "File", "answer": "https://x/web/file/7", "variable": "f"}
    dialogs = [
        dialog(1, data=question_data(("How?", "Well"), ("Why?", ["a", "b"]))),
        dialog(2, data=question_data(("How?", "Well")), status="interrupted"),
        dialog(3, data=[*question_data(("How?", "Badly")), file], status="interrupted"),
        dialog(
            4, data=[*question_data(("How?", None)), file | {"deleted": True}], status="operator"
        ),
        dialog(5, data="[]", status="in-process"),
    ]
    report = analyse(dialogs)
    assert report.detailed == 5
    assert report.stopped_before_questions == 1
    how, why, files = (
        next(item for item in report.questions if item.text == text)
        for text in ("How?", "Why?", "File")
    )
    assert (how.reached, how.answered, how.stopped) == (4, 3, 1)
    assert [(item.name, item.count) for item in how.answers.items] == [("Well", 2), ("Badly", 1)]
    assert [item.name for item in why.answers.items] == ["a", "b"]
    assert (files.files, files.reached, files.stopped, files.handed_over) == (1, 2, 1, 1)


def test_reports_of_no_dialog_and_of_one() -> None:
    """Nothing is divided by zero, and unknown numbers are None."""
    nothing = analyse([])
    assert (nothing.dialogs, nothing.completion.rate, nothing.durations.median) == (
        0,
        None,
        None,
    )
    one = analyse([dialog(duration=None, location=None, name=None, source=None, updated=None)])
    assert (one.dialogs, one.cities.total, one.cities.missing, one.undated) == (1, 0, 1, 1)
    assert one.completion.per_interrupted is None


def test_a_rare_answer_is_not_shown() -> None:
    """Among many answers, one that occurred once is only counted in the others."""
    many = [dialog(n, data=question_data(("Name?", "Anna"))) for n in range(20)]
    one = dialog(99, data=question_data(("Name?", "Very Rare Person")))
    report = analyse([*many, one])
    answers = report.questions[0].answers
    assert [item.name for item in answers.items] == ["Anna"]
    assert answers.others == 1
    assert "Rare" not in str(report.to_dict())


@pytest.mark.unmeasured
def test_memory_is_bounded() -> None:
    """Of many different cities the rare ones are merged into the others; the total is exact."""
    analysis = Analysis()
    for number in range(30_000):
        analysis.add(dialog(number, location=f"City {number}"))
    cities = analysis.report().cities
    assert cities.total == 30_000
    assert not cities.exact
    assert len(cities.items) <= 4000
    assert sum(item.count for item in cities.items) + cities.others == 30_000


def test_days_are_counted_up_to_a_limit() -> None:
    """The report has each day of a long time; above the limit it has months only."""
    analysis, first = Analysis(), datetime(2010, 1, 1, 12, tzinfo=UTC)
    for number in range(MAX_DAYS):
        analysis.add(dialog(number, updated=(first + timedelta(number)).isoformat()))
    days = analysis.report().days
    assert days is not None
    assert len(days) == MAX_DAYS
    analysis.add(dialog(MAX_DAYS, updated=(first + timedelta(MAX_DAYS)).isoformat()))
    report = analysis.report()
    assert report.days is None
    assert sum(count for _, count in report.months) == MAX_DAYS + 1


@pytest.fixture
def no_zones(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without a time zone database, as Windows and small images are."""
    imported = [name for name in sys.modules if name.startswith("tzdata.")]
    for name in ["tzdata", *imported]:
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath(())
    yield
    zoneinfo.reset_tzpath()


def test_without_a_time_zone_database_offsets_work(no_zones: None) -> None:
    """UTC and offsets need no database; for a name the error says what to install."""
    for zone in ("UTC", "utc", "Z", "GMT", "UTC+3", "+05:30"):
        assert time_zone(zone).utcoffset(None) is not None
    with pytest.raises(ValueError, match=r"no time zone database.*pip install tzdata"):
        time_zone("Europe/Moscow")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "UTC+99", ""])
def test_an_unknown_time_zone_is_an_error(zone: str) -> None:
    """The error shows valid time zones."""
    with pytest.raises(ValueError, match="Europe/Moscow or an offset such as UTC"):
        Analysis(zone)


@pytest.mark.unmeasured
@given(
    st.lists(
        st.builds(
            dialog,
            st.integers(0, 10**12),
            status=st.text(max_size=9),
            duration=st.none() | st.floats(allow_nan=True),
            updated=st.none() | st.datetimes(timezones=st.just(UTC)),
            location=st.none() | st.text(max_size=5),
            data=st.lists(
                st.fixed_dictionaries(
                    {
                        "question": st.none() | st.text(max_size=4),
                        "answer": st.none() | st.text(max_size=4) | st.lists(st.integers()),
                    }
                ),
                max_size=4,
            ),
        ),
        max_size=8,
    )
)
def test_all_dialogs_are_counted(dialogs: list[Conversation]) -> None:
    """Each breakdown counts every dialog once, whatever its fields are."""
    report = analyse(dialogs, "UTC+5:30")
    for breakdown in (report.cities, report.sources, report.statuses):
        assert breakdown.total + breakdown.missing == len(dialogs)
        assert sum(item.count for item in breakdown.items) + breakdown.others == breakdown.total
    assert sum(report.weekdays) + report.undated == len(dialogs)
    assert report.durations.count + report.durations.missing == len(dialogs)
    assert sum(item.count for item in report.durations.bins) == report.durations.count


async def test_the_client_s_list_is_analysed() -> None:
    """The report of an asynchronous list equals that of a list."""
    platform = FakePlatform(seed=3)
    async with asgi_client(platform) as client:
        bot = BotOne("http://p.test/api", "demo", "demo", client=client)
        report = await analyse_async(bot.v2.conversations())
        listed = analyse([item async for item in bot.v2.conversations()])
    assert report == listed
    assert report.dialogs == 200


async def test_a_date_at_the_end_of_year_9999() -> None:
    """A date that does not exist in the report's time zone counts as undated."""

    async def edge() -> AsyncIterator[Conversation]:
        yield dialog(updated=datetime.max.replace(tzinfo=UTC) - timedelta(hours=1))

    assert (await analyse_async(edge(), "UTC+5")).undated == 1
