"""The greeting, as a dialog sees it."""

from typing import TYPE_CHECKING

from example_blocks.greeting import app as app

if TYPE_CHECKING:
    from vertexkit.testing import FakeDialog


async def test_it_greets_by_name(fake_dialog: "FakeDialog") -> None:
    """The dialog reads its own name."""
    run = await fake_dialog.run("hello", name="Аня")
    assert run.messages == ["Привет, Аня!"]
    assert run.ok


async def test_it_greets_whoever_gave_no_name(fake_dialog: "FakeDialog") -> None:
    """A bot that knows no name still gets a greeting, and its dialog goes on."""
    run = await fake_dialog.run("hello")
    assert run.messages == ["Привет, друг!"]
    assert (run.ok, run.data) == (True, None)
