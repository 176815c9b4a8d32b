"""`vertexkit dialogs report`: periods in a zone, comparison, statuses, names, ids, pages."""

import json
from collections.abc import Callable, Iterator
from subprocess import CompletedProcess

import pytest

from tests.botone.quirky_server import QuirkyServer, raw_answer, raw_dialog
from tests.cli.shell import Shell
from tests.testing.platform_server import served_in_thread
from vertexkit.cli.dialogs.filters import DialogFilters
from vertexkit.errors import SettingsError

Vertexkit = Callable[..., CompletedProcess[str]]


@pytest.fixture
def server() -> QuirkyServer:
    """Twenty dialogs: statuses in Russian, and an unknown one."""
    words = ["Завершен", "Оператор", "В процессе", "completed", "lost"]
    made = QuirkyServer([raw_dialog(n, status=words[n % 5]) for n in range(20, 0, -1)])
    for dialog in made.dialogs:
        made.data[dialog["id"]] = [raw_answer("Оценка?", str(1 + len(dialog["name"]) % 5))]
    return made


@pytest.fixture
def report(shell: Shell, server: QuirkyServer) -> Iterator[Vertexkit]:
    with served_in_thread(server) as base:

        def run(*arguments: str, **settings: str) -> CompletedProcess[str]:
            known = {"platform_url": f"{base}/api", "login": "demo", "password": "demo"}
            return shell.run("dialogs", "report", *arguments, **(known | settings))

        yield run


def test_the_days_of_the_filter_are_those_of_the_zone(
    report: Vertexkit, server: QuirkyServer
) -> None:
    """The platform gets that zone's midnights, so that a report about May has no hours of June."""
    assert report("--updated", "2023-05", "--zone", "Europe/Moscow", "--json").returncode == 0
    query = server.queries[0]
    assert query["UpdatedFrom"] == "2023-05-01T00:00:00+03:00"
    assert query["UpdatedTo"] == "2023-05-31T23:59:59+03:00"


def test_unknown_statuses_are_said_and_can_be_mapped(report: Vertexkit) -> None:
    """A warning names them; an option and a setting count them."""
    first = report("--json")
    assert "4 dialogs have a status that is counted as other: 'lost' (4)" in first.stderr
    figures = json.loads(first.stdout)["completion"]
    assert (figures["completed"], figures["operator"], figures["in_process"]) == (8, 4, 4)
    for done in (
        report("--json", "--ending", "Lost=interrupted"),
        report("--json", endings="lost=interrupted"),
    ):
        assert done.stderr == ""
        assert json.loads(done.stdout)["completion"]["interrupted"] == 4
    wrong = report("--ending", "lost=dead")
    assert wrong.returncode == 2
    assert "--ending must have the form STATUS=KIND" in wrong.stderr


def test_ids_behind_a_figure(report: Vertexkit, server: QuirkyServer) -> None:
    """They are printed one a line, so that other commands can read them."""
    done = report("--show", "operator")
    expected = [dialog["id"] for dialog in server.dialogs if dialog["status"] == "Оператор"]
    assert done.stdout.split() == expected
    stopped = report("--show", "stopped:1")
    assert len(stopped.stdout.split()) == 4
    assert report("--show", "weekday:mon").stdout.split() == [
        dialog["id"] for dialog in server.dialogs if dialog["updated"][8:10] in ("01", "08", "15")
    ]
    assert len(report("--show", "City:perm").stdout.split()) == 20
    assert report("--show", "source:telegram").stdout == ""


@pytest.mark.parametrize(
    "figure, problem",
    [
        (
            "stopped:9",
            "stopped:9 names question 9, and the last question of the report is number 1",
        ),
        ("reached:0", "reports have no figure 'reached:0'. The figures are: completed,"),
        ("hours", "reports have no figure 'hours'. The figures are: completed,"),
    ],
)
def test_an_unknown_figure(report: Vertexkit, figure: str, problem: str) -> None:
    """The error says which figures there are."""
    wrong = report("--show", figure)
    assert wrong.returncode == 2
    assert f"--show: {problem}" in wrong.stderr


def test_a_page_for_a_customer(report: Vertexkit, shell: Shell) -> None:
    """Title, names of bots, filters, the period, what it is compared with, tables and scores."""
    arguments = ["--bot", "698", "--bot-name", "698=Опрос", "--updated", "2023-05", "--compare"]
    page = ["--title", "Отчёт за май", "--answers", "-o", "r.html", "--lang", "ru"]
    done = report(*arguments, *page, "--status", "completed")
    assert done.returncode == 0, done.stderr
    text = (shell.folder / "r.html").read_text(encoding="utf-8")
    for words in (
        "<title>Отчёт за май</title>",
        "1 мая 2023 — 31 мая 2023",
        "бот: Опрос",
        "статус: completed",
        "в сравнении с периодом 1 апр 2023 — 30 апр 2023",
        "Где останавливаются диалоги: Опрос",
        "средняя оценка",
        "data:text/csv",
        "без изменений",
    ):
        assert words in text
    assert "<script" not in text


def test_missing_dialogs_are_on_the_page(
    report: Vertexkit, server: QuirkyServer, shell: Shell
) -> None:
    """A report of an incomplete list says so, and exits with 1."""
    server.wrong["total"] = 25
    done = report("-o", "r.html", "--lang", "en")
    assert done.returncode == 1
    text = (shell.folder / "r.html").read_text(encoding="utf-8")
    assert "The report is incomplete: the platform reports 25 dialogs, and 20 could be read" in text


@pytest.mark.parametrize(
    "period, before",
    [
        ("2023-05", "2023-04-01..2023-04-30"),
        ("2023-03-01..2023-05-31", "2022-12-01..2023-02-28"),
        ("2023-05-08..2023-05-14", "2023-05-01..2023-05-07"),
        ("2023-01-10", "2023-01-09..2023-01-09"),
    ],
)
def test_the_period_before(period: str, before: str) -> None:
    """Whole months are compared with months, other periods with as many days."""
    assert DialogFilters(created=period).before().created == before
    assert DialogFilters(updated=period).before().updated == before


@pytest.mark.parametrize("period", [None, "2023-05-01..", "..2023-05-01"])
def test_an_open_period_cannot_be_compared(period: str | None) -> None:
    """The error shows one that can."""
    with pytest.raises(SettingsError, match="--compare needs a period with a start and an end"):
        DialogFilters(updated=period).before()
