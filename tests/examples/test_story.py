"""The story, as a dialog sees it."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from example_blocks import story
from example_blocks.story import app as app

if TYPE_CHECKING:
    from vertexkit.testing import FakeDialog


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model does not pause to think."""
    monkeypatch.setattr(story, "PAUSE", 0)


async def test_it_is_told_by_paragraphs(fake_dialog: "FakeDialog") -> None:
    """What comes word by word is said in whole paragraphs, nothing lost and nothing split."""
    run = await fake_dialog.run("story", hero="кот Мурзик")
    assert run.messages == story.STORY.format(hero="кот Мурзик").split("\n\n")
    assert len(run.messages) == 3
    assert run.data == {"messages": 3}


async def test_it_is_told_while_it_grows(
    fake_dialog: "FakeDialog", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dialog reads the first paragraph before the model has come up with the last word."""
    said = []
    words = story.model

    async def watched(hero: str) -> AsyncIterator[str]:
        async for word in words(hero):
            said.append(len(fake_dialog.platform.ledger))
            yield word

    monkeypatch.setattr(story, "model", watched)
    await fake_dialog.run("story")
    assert (said[0], said[-1]) == (0, 2)
