"""A loop that stands still is noticed, and who holds it up is named."""

import asyncio
import threading
from typing import Any

import pytest
import structlog

from vertexkit import App, Context
from vertexkit.testing import FakeDialog
from vertexkit.worker.watchdog import Watchdog

PATIENCE = 20.0
"""Seconds after which what does not come counts as never coming."""


class Heard:
    """What a watchdog told, and from which moment on."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.held_up: list[bool] = []
        self.watchdog: Watchdog | None = None
        self.beat = asyncio.Event()
        self.blocks: list[str] = []
        self.named = threading.Event()

    def came_late(self, seconds: float) -> None:
        self.late.append(seconds)
        self.held_up.append(self.watchdog is not None and self.watchdog.held_up)
        self.beat.set()

    def was_blocked(self, block: str) -> None:
        self.blocks.append(block)
        self.named.set()

    async def next_beat(self) -> None:
        self.beat.clear()
        async with asyncio.timeout(PATIENCE):
            await self.beat.wait()


def wait_without_await(heard: Heard) -> None:
    assert heard.named.wait(PATIENCE)


async def test_the_handler_that_holds_the_loop_up_is_named() -> None:
    """While a handler blocks, a warning has its block, its execution and its line; then it ends."""
    app, heard = App(), Heard()

    @app.block("slow")
    async def slow(ctx: Context) -> bool:
        wait_without_await(heard)
        return True

    with structlog.testing.capture_logs() as lines:
        watchdog = heard.watchdog = Watchdog(0.2, heard.came_late, heard.was_blocked)
        async with FakeDialog(app) as dialog, watchdog:
            run = await dialog.run("slow")
            await heard.next_beat()
            while heard.held_up[-1]:
                await heard.next_beat()
    assert run.ok
    assert True in heard.held_up
    assert heard.blocks[0] == "slow"
    assert max(heard.late) > 0.1
    blocked = next(line for line in lines if line["event"] == "loop_blocked")
    assert blocked["log_level"] == "warning"
    assert (blocked["block"], blocked["execution"]) == ("slow", run.execution)
    assert blocked["seconds"] >= 0.2
    assert __file__ in blocked["at"]
    assert blocked["at"].endswith("in wait_without_await")
    assert "threading.py" in blocked["stack"][0]
    assert any(place.endswith("in slow") for place in blocked["stack"])
    assert "loop_unblocked" in [line["event"] for line in lines]


async def test_who_is_no_handler_is_shown_by_its_line() -> None:
    """A task of nobody's has no block, but the line where it stands."""
    heard = Heard()
    with structlog.testing.capture_logs() as lines:
        async with Watchdog(0.2, heard.came_late, heard.was_blocked):
            wait_without_await(heard)
            await heard.next_beat()
    assert heard.blocks[0] == ""
    blocked = next(line for line in lines if line["event"] == "loop_blocked")
    assert blocked["at"].endswith("in wait_without_await")


async def test_a_loop_that_moves_is_only_measured() -> None:
    """Each beat tells how late it was; nobody is named, and no thread is left."""
    heard = Heard()
    with structlog.testing.capture_logs() as lines:
        async with Watchdog(PATIENCE, heard.came_late, heard.was_blocked) as watchdog:
            await heard.next_beat()
            await heard.next_beat()
            assert not watchdog.held_up
    assert len(heard.late) == 2
    assert not heard.blocks
    assert not lines
    assert not [each for each in threading.enumerate() if each.name == "vertexkit-watchdog"]


@pytest.mark.parametrize("patience", [0.0, 0.3])
async def test_nobody_watches_where_nobody_wants_it(patience: float) -> None:
    """With a patience of 0 there is no thread; otherwise there is one."""
    heard: Any = Heard()
    async with Watchdog(patience, heard.came_late, heard.was_blocked):
        names = [each.name for each in threading.enumerate()]
    assert ("vertexkit-watchdog" in names) == (patience > 0)
