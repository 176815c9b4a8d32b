"""The greeting, as a dialog sees it."""

from example_blocks.greeting import app as app
from vertexkit.testing import FakeDialog


async def test_it_greets_by_name(fake_dialog: FakeDialog) -> None:
    """The message contains the name from the inputs."""
    run = await fake_dialog.run("hello", name="Аня")
    assert run.messages == ["Привет, Аня!"]
    assert run.ok


async def test_the_name_is_optional(fake_dialog: FakeDialog) -> None:
    """Without a name the block sends a general greeting and completes."""
    run = await fake_dialog.run("hello")
    assert run.messages == ["Привет, друг!"]
    assert (run.ok, run.data) == (True, None)
