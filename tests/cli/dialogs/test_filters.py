"""The filters of `vertexkit dialogs`: days in a time zone, months, and their errors."""

import pytest

from vertexkit import BotOne
from vertexkit.cli.dialogs.filters import DialogFilters, range_bounds
from vertexkit.cli.dialogs.manage import parse_variable
from vertexkit.cli.dialogs.options import FilterOptions
from vertexkit.errors import SettingsError

MOSCOW = "Europe/Moscow"


@pytest.mark.parametrize(
    "text, value",
    [
        ("n=5", ("n", "5")),
        ("n:=5", ("n", 5)),
        ('l:=["a"]', ("l", ["a"])),
        ("a=b:=c", ("a", "b:=c")),
    ],
)
def test_a_variable_is_a_text_or_json(text: str, value: object) -> None:
    """`=` gives the bot a text, `:=` the JSON value."""
    assert parse_variable(text) == value


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2023-05-01", {"from": "2023-05-01", "to": "2023-05-01"}),
        ("2023-05", {"from": "2023-05-01", "to": "2023-05-31"}),
        ("2024-02", {"from": "2024-02-01", "to": "2024-02-29"}),
        ("2023-05..2023-06-10", {"from": "2023-05-01", "to": "2023-06-10"}),
        ("2023-05-01..", {"from": "2023-05-01"}),
        ("..2023-05", {"to": "2023-05-31"}),
    ],
)
def test_days_and_months(text: str, expected: dict[str, str]) -> None:
    """A month is its first and its last day; an open bound is left out."""
    assert range_bounds(text) == expected


def test_days_of_a_zone_start_at_its_midnight() -> None:
    """With a zone, the platform gets the moments at which its days start and end."""
    filters = DialogFilters(updated="2023-05-01..2023-05-31", created="2023-06", zone=MOSCOW)
    ((_, listed),) = filters.lists(BotOne("http://p.test/api", "a", "b"))
    query = listed._query
    assert query["UpdatedFrom"] == "2023-05-01T00:00:00+03:00"
    assert query["UpdatedTo"] == "2023-05-31T23:59:59+03:00"
    assert query["CreatedFrom"] == "2023-06-01T00:00:00+03:00"
    assert query["CreatedTo"] == "2023-06-30T23:59:59+03:00"


def test_a_time_without_an_offset_is_in_the_zone() -> None:
    """The zone completes what was given; a given offset stays."""
    zone = DialogFilters(
        zone="America/New_York", created="2023-03-12T01:00..2023-03-12T07:00+00:00"
    )
    ((_, listed),) = zone.lists(BotOne("http://p.test/api", "a", "b"))
    assert listed._query["CreatedFrom"] == "2023-03-12T01:00:00-05:00"
    assert listed._query["CreatedTo"] == "2023-03-12T07:00:00+00:00"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"created": "2023-05-31..2023-05-01"}, "the period of --created ends before it begins"),
        ({"updated": "May"}, "--updated must be a date"),
        ({"updated": "20230501"}, "--updated must be a date"),
        ({"updated": "2023-W18-1"}, "--updated must be a date"),
        ({"updated": "2023-05-01T10:00:00"}, "--updated must have a time zone"),
        ({"zone": "Mars", "created": "2023-05"}, "--zone: unknown time zone"),
        ({"variable": ["name"]}, "--variable must have the form NAME=VALUE"),
    ],
)
def test_an_invalid_filter_is_an_error(options: dict[str, str], message: str) -> None:
    """The error names the option."""
    with pytest.raises(SettingsError) as caught:
        DialogFilters.from_options(FilterOptions(**options)).lists(  # pyrefly: ignore[bad-argument-type]
            BotOne("http://p.test/api", "a", "b")
        )
    assert message in str(caught.value)
