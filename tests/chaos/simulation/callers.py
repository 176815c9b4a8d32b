"""The bots of a simulation: they call blocks, repeat calls and come back to a block."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from pydantic_core import from_json, to_json

from tests.chaos.observed import COMPLETE, Call
from tests.chaos.simulation.processes import ServiceProcess, http_post
from tests.chaos.simulation.programs import BLOCKS
from tests.chaos.simulation.scheduler import Scheduler
from tests.chaos.simulation.senders import Senders
from vertexkit.testing import FakePlatform
from vertexkit.testing.platform.ledger import Entry

RESPONSE_LIMIT = 10.0
"""Seconds after which a bot gives up a call."""
CALLS_LIMIT = 400
"""Calls after which a bot gives up: the service does not come back."""
WAITING_SHARE = 0.4
"""Part of the worlds in which programs wait, and events are sent to them."""
RETURN_LIMIT = 40.0
"""Seconds for which a bot waits until it can come back to its block."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that was answered 2xx."""

    execution: str
    activation: int
    at: float
    """When, by the simulation's clock."""


class Callers:
    """The callers of a service.

    Args:
        scheduler: of the simulation.
        random: of the seed.
        platform: issues tokens.
        serving: returns the processes that accept connections.
        note: adds a line to the trace.
        unique: a dialog does not come back to a block with the same token.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        random: Random,
        platform: FakePlatform,
        serving: Callable[[], Sequence[ServiceProcess]],
        note: Callable[[str], None],
        *,
        unique: bool,
    ) -> None:
        self.calls: list[Call] = []
        self.answered: dict[str, list[Answered]] = {}
        self._scheduler = scheduler
        self._random = random
        self._platform = platform
        self._serving = serving
        self._note = note
        self._unique = unique
        self._completed: dict[str, asyncio.Future[None]] = {}
        self._blocks = random.sample(list(BLOCKS), random.randint(1, 4))
        self._waits = random.random() < WAITING_SHARE
        self.senders = Senders(scheduler, random, serving, note)

    async def run(self, dialogs: int, seconds: float) -> None:
        """Play a number of dialogs, which begin within some seconds, some of them at once."""
        random = self._random
        moments = [random.random() * seconds for _ in range(random.randint(1, dialogs))]
        await asyncio.gather(*(self._dialog(random.choice(moments)) for _ in range(dialogs)))
        await self.senders.finish()

    async def _dialog(self, begins: float) -> None:
        random = self._random
        await asyncio.sleep(begins + random.choice((0.0, 0.0, 0.002, 0.1)) * random.random())
        block = random.choice(self._blocks)
        token = self._platform.issue(block)
        body = self._body(token)
        again = random.random()
        if again < 0.15:  # at the same time, perhaps at two processes
            await asyncio.gather(self._call(block, token, body), self._call(block, token, body))
        else:
            await self._call(block, token, body)
        if again > 0.8:
            await asyncio.sleep(random.random() * 3)
            await self._call(block, token, body)
        for _ in range(0 if self._unique else random.choice((0, 0, 1, 2))):
            await self._come_back(block, token)

    def _body(self, token: str) -> bytes:
        seed = self._random.randrange(1 << 30)
        return to_json({"token": token, "seed": seed, "waits": self._waits})

    async def _come_back(self, block: str, token: str) -> None:
        """Reach the same block again, with the same token, once it is completed."""
        completed = self._completed[token] = asyncio.get_running_loop().create_future()
        if self._platform.activation(token).state == "completed":
            completed.set_result(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(RETURN_LIMIT):
                await completed
                await asyncio.sleep(self._scheduler.latency() * self._random.choice((1, 1, 10)))
                if self._platform.activation(token).state == "completed":
                    self._platform.reactivate(token)
                    await self._call(block, token, self._body(token))

    def request_ended(self, entry: Entry) -> None:
        """Let the dialog continue whose block the platform has completed."""
        if entry.method == COMPLETE and entry.processed:
            completed = self._completed.pop(entry.token or "", None)
            if completed is not None and not completed.done():
                completed.set_result(None)

    async def _call(self, block: str, token: str, body: bytes) -> None:
        """Call until the response is 200."""
        for _ in range(CALLS_LIMIT):
            if await self._call_once(block, token, body):
                return
            if self._platform.activation(token).state == "gone":
                return  # deleted before its call was accepted
            await asyncio.sleep(0.05 + self._random.random() * 0.5)
        raise AssertionError(f"the service has not accepted a call in {CALLS_LIMIT} tries")

    async def _call_once(self, block: str, token: str, body: bytes) -> bool:
        place = len(self.calls)
        self.calls.append(Call(token, block, None))
        activation = self._platform.activation(token).number
        serving = self._serving()
        if not serving:
            return False
        process = self._random.choice(serving)
        await asyncio.sleep(self._scheduler.latency())
        http = process.http
        asked = process.ask(lambda: http_post(http, f"/blocks/{block}", body))
        try:
            async with asyncio.timeout(RESPONSE_LIMIT):
                status, content, again = await asyncio.shield(asked)
        except (TimeoutError, asyncio.CancelledError):
            self._note(f"bot: no response from {process.name}")
            return False
        await asyncio.sleep(self._scheduler.latency())
        if not process.alive and self._random.random() < 0.5:
            return False  # the response was not sent any more
        execution = from_json(content).get("execution", "") if status == 200 else ""
        self.calls[place] = Call(token, block, status, execution, again)
        self._note(f"bot: {block} was answered {status} {execution} by {process.name}")
        if status == 200:
            answered = Answered(execution, activation, self._scheduler.now)
            self.answered.setdefault(token, []).append(answered)
            if self._waits:
                self.senders.start(self.calls[place])
        return status == 200
