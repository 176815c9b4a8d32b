"""The reminder, a day later."""

from example_blocks.reminder import app as app
from vertexkit.testing import FakeDialog


async def test_it_comes_a_day_later(fake_dialog: FakeDialog) -> None:
    """Nothing is sent before the time; then the reminder, once."""
    async with fake_dialog:
        run = await fake_dialog.start("reminder", text="оплатить счёт")
        await run.skip(hours=23)
        assert run.messages == ["Напомню через 24 ч."]
        await run.skip(hours=1)
        assert (await run.finish()).messages[1:] == ["Напоминаю: оплатить счёт"]


async def test_crashes_repeat_nothing(fake_dialog: FakeDialog) -> None:
    """The process dies after each message and after the wait: each message is sent once."""
    run = await fake_dialog.run("reminder", crash_everywhere=True, text="позвонить", hours=1)
    assert run.messages == ["Напомню через 1 ч.", "Напоминаю: позвонить"]
