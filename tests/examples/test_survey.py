"""The results of a survey, read from a platform behind a real HTTP server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from example_blocks.survey import app as app
from tests.http_server import served
from vertexkit.testing import FakeDialog, FakePlatform
from vertexkit.testing.platform.conversation import FakeAnswer

BOT = 9000
QUESTION = "Оцените нас от 0 до 10"


@pytest.fixture
async def dialogs(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakePlatform]:
    """A platform with ten finished dialogs of a survey."""
    platform = FakePlatform()
    for score in (10, 10, 9, 9, 9, 8, 8, 7, 5, 10):
        platform.conversations.add(
            BOT, status="completed", answers=[FakeAnswer(QUESTION, answer=str(score))]
        )
    month_ago = datetime.now(UTC) - timedelta(days=30)
    platform.conversations.add(BOT, created=int(month_ago.timestamp()))
    async with served(platform) as port:
        monkeypatch.setenv("VERTEXKIT_PLATFORM_URL", f"http://127.0.0.1:{port}/api")
        monkeypatch.setenv("VERTEXKIT_LOGIN", "demo")
        monkeypatch.setenv("VERTEXKIT_PASSWORD", "demo")
        yield platform


async def test_scores_are_summed_up(fake_dialog: FakeDialog, dialogs: FakePlatform) -> None:
    """The message has the number of recent dialogs and the mean; the bot also gets the NPS."""
    run = await fake_dialog.run("survey", bot_id=BOT)
    assert run.messages[-1] == (
        f"Диалогов за 7 дн.: 10. Завершено: 100%. «{QUESTION}»: в среднем 8.5."
    )
    assert run.data["nps"] == 50
    assert run.data["question"] == QUESTION


async def test_an_empty_survey(fake_dialog: FakeDialog, dialogs: FakePlatform) -> None:
    """Without dialogs there is no score, and the block completes."""
    run = await fake_dialog.run("survey", bot_id=BOT + 1)
    assert run.messages[-1] == "Диалогов за 7 дн.: 0."
    assert run.data["mean"] is None
