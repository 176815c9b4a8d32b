"""The lead, with a CRM behind a real HTTP server."""

from collections.abc import AsyncIterator

import pytest

from example_blocks.lead import app as app
from tests.examples.web_service import WebService
from vertexkit.testing import FakeDialog

PHONE = "+7 900 1234567"


@pytest.fixture
async def crm(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebService]:
    service = WebService({"id": 42})
    async with service.serving() as url:
        monkeypatch.setenv("CRM_URL", url)
        yield service


async def test_a_lead_is_created_once(fake_dialog: FakeDialog, crm: WebService) -> None:
    """The process dies after every effect: the CRM gets one request, the user one number."""
    run = await fake_dialog.run("lead", crash_everywhere=True, name="Аня", phone=PHONE)
    assert run.messages == [f"Заявка № 42 принята. Мы позвоним вам на {PHONE}."]
    assert run.data == {"lead_id": 42}
    assert crm.requests == [("/leads", {"name": "Аня", "phone": PHONE, "interest": ""})]


async def test_a_crm_that_is_down_for_a_while(fake_dialog: FakeDialog, crm: WebService) -> None:
    """The handler runs again a minute later; all requests have the same key."""
    crm.answers = [503, 503, {"id": 43}]
    run = await fake_dialog.run("lead", name="Аня", phone=PHONE)
    assert (run.data, run.attempts) == ({"lead_id": 43}, 3)
    assert len(set(crm.keys)) == 1


async def test_a_lead_that_the_crm_rejects(fake_dialog: FakeDialog, crm: WebService) -> None:
    """A final answer is not repeated, and the bot gets a code."""
    crm.answers = [422]
    run = await fake_dialog.run("lead", name="Аня", phone=PHONE)
    assert run.data["error"]["code"] == "lead_rejected"
    assert len(crm.requests) == 1


async def test_a_wrong_phone_is_rejected(fake_dialog: FakeDialog, crm: WebService) -> None:
    """The CRM gets no request for a phone number that is not one."""
    run = await fake_dialog.run("lead", name="Аня", phone="завтра")
    assert (run.status, crm.requests) == (422, [])
