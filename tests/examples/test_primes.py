"""The primes, as a dialog and its bot see them."""

import asyncio

import pytest

from example_blocks.primes import app as app
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakeDialog, VirtualClock


@pytest.mark.parametrize(
    "limit, count, largest", [(2, 1, 2), (3, 2, 3), (100, 25, 97), (1_000_000, 78_498, 999_983)]
)
async def test_it_counts_the_primes(
    fake_dialog: FakeDialog, limit: int, count: int, largest: int
) -> None:
    """The count and the largest prime are correct in the message and in the result."""
    run = await fake_dialog.run("primes", limit=limit)
    last = f"Простых чисел до {limit}: {count}. Последнее из них: {largest}."
    assert run.messages == ["Считаю…", last]
    assert run.data == {"count": count, "largest": largest}


async def test_several_dialogs_are_served_at_once(fake_dialog: FakeDialog) -> None:
    """Each dialog gets its own result, even if there are more than may run at a time."""
    async with fake_dialog:
        runs = await asyncio.gather(*(fake_dialog.run("primes", limit=10**n) for n in range(1, 6)))
    assert [run.data["count"] for run in runs] == [4, 25, 168, 1229, 9592]


async def test_it_stops_at_its_deadline(fake_dialog: FakeDialog) -> None:
    """The handler checks its deadline and stops when it has passed."""
    clock = fake_dialog.clock
    assert isinstance(clock, VirtualClock)

    def pass_the_deadline(event: Event) -> None:
        if event.name == "sent":
            clock.skip_to(clock.now() + 61)

    async with fake_dialog:
        fake_dialog.subscribe(pass_the_deadline)
        run = await fake_dialog.run("primes", limit=100)
    assert run.messages == ["Считаю…"]
    assert not run.ok
