"""The report as a page with interactive charts."""

import json
import re
import sys

import pytest

from tests.analytics.report_data import MARKUP, seeded
from vertexkit.analytics.interactive import render_interactive
from vertexkit.errors import SettingsError


def test_the_page_is_complete() -> None:
    """It has its library inside, requests nothing, and has the figures of the report."""
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    report = seeded()
    page = render_interactive(report, "ru", title="Май <2023>")
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page)
    assert "<title>Май &lt;2023&gt;</title>" in page
    specification = re.search(r"const spec = (\{.*\});$", page, re.MULTILINE)
    assert specification is not None
    text = specification[1]
    assert "<" not in text
    assert len(json.loads(text)["vconcat"]) >= 7
    for word in ("Города", "Завершено", "Дни недели и часы", MARKUP):
        assert word in json.dumps(json.loads(text), ensure_ascii=False).replace('\\"', '"')
    assert page.count("</script>") == page.count("<script") == 2
    assert 500_000 < len(page) < 2_000_000


def test_without_its_packages_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error names the extra."""
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(SettingsError, match=r"vertexkit\[interactive\]"):
        render_interactive(seeded())
