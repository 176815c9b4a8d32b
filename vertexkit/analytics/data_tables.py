"""The numbers of a chart as a table that can be copied, and as CSV."""

import csv
from collections.abc import Iterable, Sequence
from html import escape
from io import StringIO
from urllib.parse import quote

from vertexkit.analytics.localisation import Locale
from vertexkit.text import sanitize

MAX_ROWS = 500
"""Rows of a table in the page."""
RISKY_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""Starts of a text that a spreadsheet would calculate."""


def data_table(
    name: str, head: Sequence[str], rows: Iterable[Sequence[object]], locale: Locale
) -> str:
    """Return a closed table with a link to its CSV; it needs no script.

    Args:
        name: the name of the CSV file, without its ending.
        head: the names of the columns.
        rows: the rows; a number is aligned to the right.
        locale: the language.
    """
    shown = list(rows)[:MAX_ROWS]
    if not shown:
        return ""
    body = "".join(
        "<tr>" + "".join(_cell(value, locale) for value in row) + "</tr>" for row in shown
    )
    columns = "".join(f'<th scope="col">{escape(column)}</th>' for column in head)
    content = quote(_csv(head, shown))
    return (
        f'<details class="data"><summary>{locale.text("table")}</summary>'
        f'<table class="rows"><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>'
        f'<a download="{escape(name)}.csv" href="data:text/csv;charset=utf-8,%EF%BB%BF{content}">'
        f"{locale.text('csv')}</a></details>"
    )


def _cell(value: object, locale: Locale) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"<td>{escape(str(value))}</td>"
    return f'<td class="number">{locale.number(value, 0 if isinstance(value, int) else 3)}</td>'


def _csv(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([_guarded(value) for value in row] for row in rows)
    return text.getvalue()


def _guarded(value: object) -> object:
    if not isinstance(value, str):
        return value
    line = sanitize(value, 1000)
    return f"'{line}" if line.startswith(RISKY_STARTS) else line
