"""A handler whose execution another worker has taken over."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from vertexkit import App, Context
from vertexkit.clock import Clock
from vertexkit.errors import Fenced, VertexkitError
from vertexkit.execution import Execution
from vertexkit.journal.memory import MemoryJournal
from vertexkit.service import running_service
from vertexkit.settings import JournalSettings, Settings
from vertexkit.testing import FakePlatform, VirtualClock
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.token import Token

LEASE_SECONDS = 3600.0
EFFECTS: dict[str, Callable[[Context], Awaitable[object]]] = {
    "message": lambda ctx: ctx.send_message("late"),
    "step": lambda ctx: ctx.step("late", lambda: 1),
}


class Overtaken:
    """A memory journal, and another worker that takes over its executions.

    The journal has a clock of its own: for the worker that is overtaken, no time passes, so its
    lease looks valid to it.
    """

    def __init__(self) -> None:
        self._clock = VirtualClock()
        self.journal = MemoryJournal(self._clock, JournalSettings(lease=LEASE_SECONDS))

    async def take_over(self) -> None:
        """Let the leases expire, and claim the executions."""
        self._clock.skip_to(self._clock.now() + LEASE_SECONDS + 1)
        assert len(await self.journal.claim("another", {"work": 10}, 10)) == 1


@pytest.mark.parametrize("name", EFFECTS)
async def test_a_handler_that_ignores_the_loss_of_its_lease_is_stopped(name: str) -> None:
    """The first refused write ends the run, whatever the handler does with the error.

    It neither sends anything afterwards nor completes the block.
    """
    overtaken, platform, app = Overtaken(), FakePlatform(), App()
    raised: list[type[BaseException]] = []
    cancelled = asyncio.Event()

    @app.block("work")
    async def work(ctx: Context) -> str:
        await overtaken.take_over()
        for _ in range(2):
            try:
                await EFFECTS[name](ctx)
            except VertexkitError as error:
                raised.append(type(error))
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return "late"

    # No renewal comes in between: only the refused write says that the lease is lost.
    settings = Settings.of(platform_url="http://p/api", lease=LEASE_SECONDS, grace=5)
    wire, journal = AsgiWire(platform), overtaken.journal
    async with running_service(app, settings, clock=Clock(), wire=wire, journal=journal) as service:
        over = asyncio.Event()
        service.events.subscribe(lambda event: over.set() if event.name == "fenced" else None)
        token = Token(platform.issue("work"))
        await journal.accept(Execution("01e", "work", token, {}, b"", 0.0), 10)
        async with asyncio.timeout(60):
            await over.wait()
    assert cancelled.is_set()
    assert raised == [Fenced, Fenced]
    assert platform.ledger == []
    record = await journal.find("01e")
    assert record is not None
    assert (record.phase, record.attempts, record.outcome) == ("running", 2, None)
