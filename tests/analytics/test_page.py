"""The report as a page and in a terminal."""

import io
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from rich.console import Console

from tests.analytics.dialog_data import dialog
from tests.analytics.report_data import MARKUP, seeded
from vertexkit.analytics import Report, analyse, render_html
from vertexkit.analytics.localisation import Language
from vertexkit.analytics.terminal import print_report

VOID = {"meta", "br", "link", "img", "input"}


class Reader(HTMLParser):
    """A strict reader: each element is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


REPORTS = [
    seeded(),
    analyse([]),
    analyse([dialog()]),
    analyse([dialog(updated=None, duration=None)]),
]


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("report", REPORTS, ids=["many", "none", "one", "bare"])
def test_the_page_is_complete(report: Report, language: Language) -> None:
    """The page is well-formed and loads nothing, for none, one and many dialogs."""
    page = render_html(report, language)
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    tags = {tag for tag, _ in reader.seen}
    assert not tags & {"script", "link", "img", "iframe", "object", "form"}
    assert not re.search(r"https?://|url\(|@import", page)
    assert "default-src 'none'" in page
    assert {"html": True, "main": True}.keys() <= tags


def test_texts_are_escaped() -> None:
    """Cities, questions and answers never become markup."""
    page = render_html(seeded())
    assert MARKUP not in page
    assert "&lt;script&gt;" in page


def test_the_page_shows_the_report() -> None:
    """The page is in the requested language and has all sections."""
    page = render_html(seeded(), "ru", title="Отчёт за май")
    assert "<h1>Отчёт за май</h1>" in page
    assert "часовой пояс Europe/Moscow" in page
    for word in ("завершены", "прерваны", "Города", "Источники", "Пн", "Где останавливаются"):
        assert word in page


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("report", REPORTS, ids=["many", "none", "one", "bare"])
def test_the_terminal_report_fits_the_width(report: Report, width: int) -> None:
    """No line is longer than the terminal is wide, and the heat map is complete."""
    out = io.StringIO()
    print_report(report, Console(file=out, width=width, color_system=None), "ru")
    lines = out.getvalue().splitlines()
    assert lines
    assert all(len(line.rstrip()) <= width for line in lines)
    if report.first is not None and width >= 80:
        rows = [
            line for line in lines if line.strip()[:2] in {"Пн", "Вт", "Ср", "Чт", "Пт", "Сб", "Вс"}
        ]
        assert len(rows) == 7
        assert sum(int(row.split()[-1]) for row in rows) == sum(report.weekdays)
