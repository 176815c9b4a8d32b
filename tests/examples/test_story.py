"""The story, as a dialog sees it."""

from collections.abc import AsyncIterator

import pytest

from example_blocks import story
from example_blocks.story import app as app
from vertexkit.testing import FakeDialog


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model generates words without pauses."""
    monkeypatch.setattr(story, "PAUSE_SECONDS", 0)


async def test_it_is_sent_by_paragraphs(fake_dialog: FakeDialog) -> None:
    """The words are sent as complete paragraphs; nothing is lost or split."""
    run = await fake_dialog.run("story", hero="кот Мурзик")
    assert run.messages == story.STORY.format(hero="кот Мурзик").split("\n\n")
    assert len(run.messages) == 3
    assert run.data == {"messages": 3}


async def test_paragraphs_are_sent_while_the_model_is_running(
    fake_dialog: FakeDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first paragraph is sent before the model has generated the last word."""
    requests_before_word = []
    words = story.model

    async def watched(hero: str) -> AsyncIterator[str]:
        async for word in words(hero):
            requests_before_word.append(len(fake_dialog.platform.ledger))
            yield word

    monkeypatch.setattr(story, "model", watched)
    await fake_dialog.run("story")
    assert (requests_before_word[0], requests_before_word[-1]) == (0, 2)
