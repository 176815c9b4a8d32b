"""The report as a page with interactive charts."""

import json
import re
import sys

import pytest

from tests.analytics.report_data import MARKUP, seeded
from vertexkit.analytics import analyse
from vertexkit.analytics.interactive import render_interactive
from vertexkit.errors import SettingsError


def test_the_page_is_complete() -> None:
    """It has its library inside, requests nothing, and has the figures of the report."""
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    report = seeded()
    page = render_interactive(report, "ru", title="Май <2023>")
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page)
    assert "default-src 'none'" in page
    assert "<title>Май &lt;2023&gt;</title>" in page
    specification = re.search(r"^const charts = (\[.*\]);$", page, re.MULTILINE)
    assert specification is not None
    text = specification[1]
    assert "<" not in text
    charts = json.loads(text)
    assert len(charts) >= 7
    assert MARKUP in json.dumps(charts, ensure_ascii=False).replace('\\"', '"')
    for number in range(len(charts)):
        assert f'<div id="chart-{number}"></div>' in page
    for words in (
        "<h2>Города</h2>",
        "<h2>Дни недели и часы</h2>",
        "Сохранить как PNG",
        "Медиана длительности",
    ):
        assert words in page
    assert page.count("</script>") == page.count("<script") == 2
    assert 500_000 < len(page) < 2_000_000


def test_a_report_without_dialogs_has_no_charts() -> None:
    """The page is made all the same."""
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    assert "const charts = [];" in render_interactive(analyse([]), "en")


@pytest.mark.parametrize("package", ["altair", "vl_convert"])
def test_without_its_packages_the_error_says_what_to_install(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the extra."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SettingsError, match=r"vertexkit\[interactive\]"):
        render_interactive(seeded())
