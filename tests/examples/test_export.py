"""The long job, through deployments."""

from collections.abc import AsyncIterator

import pytest

from example_blocks.export import app as app
from tests.examples.web_service import WebService
from vertexkit.testing import FakeDialog

PROGRESS = [f"Готово {month} месяцев из 12…" for month in (3, 6, 9)]
RESULT = "За 2026 год: заказов 24, сумма 1200 ₽."


@pytest.fixture
async def sales(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebService]:
    service = WebService({"orders": 2, "total": 100})
    async with service.serving() as url:
        monkeypatch.setenv("SALES_URL", url)
        yield service


async def test_it_reports_its_progress(fake_dialog: FakeDialog, sales: WebService) -> None:
    """There is a message each quarter, and the sum at the end."""
    sales.answers[:0] = [500]
    run = await fake_dialog.run("export", year=2026)
    assert run.messages == [*PROGRESS, RESULT]
    assert run.data == {"orders": 24, "total": 1200}


@pytest.mark.unmeasured
async def test_it_outlives_a_deployment(fake_dialog: FakeDialog, sales: WebService) -> None:
    """The process ends after every effect: no month is read twice, no message is sent twice."""
    run = await fake_dialog.run("export", crash_everywhere=True, year=2026)
    assert run.messages == [*PROGRESS, RESULT]
    months = [f"/sales/2026/{month}" for month in range(1, 13)]
    assert [path for path, _ in sales.requests] == months
