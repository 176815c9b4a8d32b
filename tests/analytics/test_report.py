"""Dialogs, counted."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertexkit import BotOne, ConversationDetails
from vertexkit.analytics import Tally, analyse, analyse_async
from vertexkit.botone.http_client import asgi_client
from vertexkit.botone.models import Conversation
from vertexkit.testing import FakePlatform


def dialog(number: int = 1, **facts: Any) -> Conversation:
    usual = {
        "id": number,
        "name": f"#{number} Perm",
        "status": "completed",
        "location": "Perm",
        "updated": "2023-05-11T21:30:00+00:00",
        "duration": 60,
        "source": "web",
    }
    kind = ConversationDetails if "data" in facts else Conversation
    return kind.model_validate(usual | facts)


def asked(*pairs: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"question": q, "type": "Text", "answer": a, "variable": None} for q, a in pairs]


def test_the_five_questions_of_the_document_are_answered() -> None:
    """Per bot, city, source; by weekday, hour and month; durations; completed to the others."""
    tally = Tally("Europe/Moscow")
    tally.add(dialog(1), 1446)
    tally.add(dialog(2, location="Kazan", source="telegram", status="interrupted"), 1446)
    tally.add(dialog(3, updated="", duration=3600, status="in-process"), 698)
    tally.add(dialog(4, updated="2023-06-01T00:00:00+03:00", duration=120), 698)
    report = tally.report()
    assert [(each.name, each.count) for each in report.bots.items] == [("1446", 2), ("698", 2)]
    assert [(each.name, each.share) for each in report.cities.items] == [
        ("Perm", 0.75),
        ("Kazan", 0.25),
    ]
    assert [(each.name, each.count) for each in report.sources.items] == [
        ("web", 3),
        ("telegram", 1),
    ]
    ends = report.completion
    assert (ends.started, ends.completed, ends.interrupted, ends.in_process) == (4, 2, 1, 1)
    assert (ends.of_started, ends.to_interrupted) == (0.5, 2.0)
    # 21:30 UTC on Thursday is half past midnight on Friday in Moscow.
    assert report.hours[4][0] == 2
    assert report.hours[3][0] == 1
    assert report.months == (("2023-05", 2), ("2023-06", 1))
    assert report.undated == 1
    spans = report.durations
    assert (spans.count, spans.median, spans.longest) == (4, 60, 3600)
    assert report.completed_durations.mean == 90


def test_each_question_tells_its_answers_and_where_dialogs_stop() -> None:
    """Shares of answers, files apart; who stopped at it; what was deleted is no answer."""
    file = {"question": "File", "type": "File", "answer": "https://x/web/file/7", "variable": "f"}
    dialogs = [
        dialog(1, data=asked(("How?", "Well"), ("Why?", ["a", "b"]))),
        dialog(2, data=asked(("How?", "Well")), status="interrupted"),
        dialog(3, data=[*asked(("How?", "Badly")), file], status="interrupted"),
        dialog(4, data=[*asked(("How?", None)), file | {"deleted": True}], status="operator"),
        dialog(5, data="[]", status="in-process"),
    ]
    report = analyse(dialogs)
    assert report.detailed == 5
    assert report.silent == 1
    how, why, files = (
        next(each for each in report.questions if each.text == text)
        for text in ("How?", "Why?", "File")
    )
    assert (how.reached, how.answered, how.stopped) == (4, 3, 1)
    assert [(each.name, each.count) for each in how.answers.items] == [("Well", 2), ("Badly", 1)]
    assert [each.name for each in why.answers.items] == ["a", "b"]
    assert (files.files, files.reached, files.stopped, files.handed) == (1, 2, 1, 1)


def test_none_and_one_make_sensible_reports() -> None:
    """No division by nothing, no made-up figure."""
    nothing = analyse([])
    assert (nothing.dialogs, nothing.completion.of_started, nothing.durations.median) == (
        0,
        None,
        None,
    )
    one = analyse([dialog(duration=None, location=None, name=None, source=None, updated=None)])
    assert (one.dialogs, one.cities.total, one.cities.missing, one.undated) == (1, 0, 1, 1)
    assert one.completion.to_interrupted is None


def test_a_rare_answer_does_not_tell_who_gave_it() -> None:
    """Among many answers, one given once is counted with the others, never shown."""
    many = [dialog(n, data=asked(("Name?", "Anna"))) for n in range(20)]
    one = dialog(99, data=asked(("Name?", "Very Rare Person")))
    report = analyse([*many, one])
    answers = report.questions[0].answers
    assert [each.name for each in answers.items] == ["Anna"]
    assert answers.others == 1
    assert "Rare" not in str(report.to_dict())


def test_memory_is_bounded_by_kinds_and_not_by_dialogs() -> None:
    """Ever new cities and answers end as others, and the total stays exact."""
    tally = Tally()
    for number in range(30_000):
        tally.add(dialog(number, location=f"City {number}"))
    cities = tally.report().cities
    assert cities.total == 30_000
    assert not cities.exact
    assert len(cities.items) <= 4000
    assert sum(each.count for each in cities.items) + cities.others == 30_000


@pytest.mark.parametrize("zone", ["Mars/Olympus", "UTC+99", ""])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    """With how one is written."""
    with pytest.raises(ValueError, match="Europe/Moscow or UTC"):
        Tally(zone)


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
def test_any_dialogs_add_up(dialogs: list[Conversation]) -> None:
    """Whatever the platform says of them, each breakdown counts every dialog once."""
    report = analyse(dialogs, "UTC+5:30")
    for each in (report.cities, report.sources, report.statuses):
        assert each.total + each.missing == len(dialogs)
        assert sum(item.count for item in each.items) + each.others == each.total
    assert sum(report.weekdays) + report.undated == len(dialogs)
    assert report.durations.count + report.durations.missing == len(dialogs)
    assert sum(each.count for each in report.durations.bins) == report.durations.count


async def test_it_reads_straight_from_the_client() -> None:
    """An async walk through the platform's dialogs is as good as a list."""
    platform = FakePlatform(seed=3)
    async with asgi_client(platform) as client:
        bot = BotOne("http://p.test/api", "demo", "demo", client=client)
        report = await analyse_async(bot.v2.conversations())
        listed = analyse([each async for each in bot.v2.conversations()])
    assert report == listed
    assert report.dialogs == 200


async def test_the_last_of_all_years_is_no_crash() -> None:
    """A date at the end of time has no place in another zone: it counts as undated."""

    async def edge() -> AsyncIterator[Conversation]:
        yield dialog(updated=datetime.max.replace(tzinfo=UTC) - timedelta(hours=1))

    assert (await analyse_async(edge(), "UTC+5")).undated == 1
