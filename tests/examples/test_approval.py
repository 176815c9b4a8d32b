"""The approval, with the colleague's system behind a real HTTP server."""

from collections.abc import AsyncIterator

import pytest

from example_blocks.approval import app as app
from tests.examples.web_service import WebService
from vertexkit.testing import FakeDialog


@pytest.fixture
async def approvals(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebService]:
    service = WebService({})
    async with service.serving() as url:
        monkeypatch.setenv("APPROVALS_URL", url)
        yield service


@pytest.mark.parametrize(
    "approved, message", [(True, "Скидка одобрена!"), (False, "Скидку не одобрили.")]
)
async def test_a_colleague_decides(
    approved: bool, message: str, fake_dialog: FakeDialog, approvals: WebService
) -> None:
    """The colleague gets the question and the URL; the dialog gets the decision."""
    async with fake_dialog:
        run = await fake_dialog.start("approval", discount=15)
        [(_, request)] = approvals.requests
        assert request["text"] == "Клиент просит скидку 15 %. Срок ответа: 4 ч."
        assert run.event_path("decision") in request["decision_url"]
        await run.skip(hours=3)
        await run.send_event("decision", {"approved": approved, "comment": "Клиент старый."})
        done = await run.finish()
    assert done.messages[-1] == message
    assert done.data == {"approved": approved, "decided": True, "comment": "Клиент старый."}


async def test_the_dialog_continues_at_the_deadline(
    fake_dialog: FakeDialog, approvals: WebService
) -> None:
    """Without a decision in time the answer is no, and a late decision is rejected."""
    async with fake_dialog:
        run = await fake_dialog.start("approval", discount=15, hours=2)
        await run.skip(hours=2)
        done = await run.finish()
        await run.send_event("decision", {"approved": True}, expect=410)
    assert done.messages[-1] == "Руководитель пока не ответил. Продолжим без скидки."
    assert done.data["decided"] is False
