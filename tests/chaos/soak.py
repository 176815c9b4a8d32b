"""The soak test: a service under load is killed at random, repeatedly, and nothing may be lost.

    python -m tests.chaos.soak --minutes 10 --seed 1
    python -m tests.chaos.soak --minutes 10 --seed 1 --workers 2
    python -m tests.chaos.soak --minutes 10 --seed 1 --workers 3 --journal postgres

It plays the platform, with faults, and its callers; the service is `vertexkit run` with an app of
random programs. Among the attacks are deployments: another version of the app replaces the one that
runs, and the next deployment brings the first one back. It goes by rounds of a minute, each with a journal of its own; at the end of each
everything is let come to its end, and the invariants judge what was seen.

A quarter of the time is for simulations with fresh seeds, see `tests/chaos/simulation`. A
PostgreSQL server is killed, restarted and frozen as well; there are no simulations of it.
"""

import argparse
import asyncio
import json
import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from tests.chaos.invariants import check
from tests.chaos.memories import RememberedNumbers, counted_once, none_lost
from tests.chaos.observed import Call, Observed, Policy
from tests.chaos.senders import Senders
from tests.chaos.service import Service
from tests.chaos.simulation.__main__ import run_seeds
from tests.chaos.soak_blocks import TERMS
from tests.chaos.stores import PostgresStore, SqliteStore, Store
from tests.chaos.waits import reads_in
from tests.http_server import served
from tests.postgres_server import PostgresServer, killable_server
from tests.reserved_port import reserved_port
from vertexkit.execution import Phase
from vertexkit.journal.protocol import Record
from vertexkit.testing import FakePlatform

ROUND = 60.0
"""Seconds of one round's attacks."""
PATIENCE = 150.0
"""Seconds in which everything ends after the last attack: a dialog that is gone
takes a minute of them."""
SERVING = 0.7
"""Fraction of the attacks before which the service has started to serve: on a busy machine it would
hardly execute anything otherwise. The others may happen during its start."""
SIMULATION_SHARE = 0.25
"""Part of the time in which simulations run."""
SHARED_DIALOGS = range(1, 9)
"""Dialogs in which several executions run at once, and share a memory."""
IN_SHARED_DIALOG = 0.3
"""Fraction of the calls that are made from them."""
FAULTS = ("cut", "lost", "half", "garbage", 429, 500, 503)
POLICIES = {
    name: Policy(terms.get("on_unknown", "assume_sent"), terms.get("on_park", "complete"))
    for name, terms in TERMS.items()
}


@dataclass(frozen=True)
class Plan:
    """The parameters of a round."""

    seed: int
    seconds: float = ROUND
    callers: int = 10
    workers: int = 1
    rate: float = 0.06
    """Fraction of requests to the platform that meet a fault."""
    gone: int = 2
    """How many dialogs are deleted."""
    repeated: float = 0.15
    """Fraction of calls that are made again. One that comes after the completion starts an execution
    that the platform rejects, which takes a minute."""
    forked: bool = False
    """Whether the processes are forked from a warm one, so that they start at once."""


@dataclass
class Seen:
    """What a round has observed so far."""

    calls: list[Call] = field(default_factory=list)
    duplicates: int = 0
    loops: int = 0


def lines_of(logs: bytes) -> list[dict[str, Any]]:
    """Return the events in a log."""
    return [json.loads(line) for line in logs.splitlines() if line[:1] == b"{"]


class Round:
    """A round of the soak test.

    Args:
        plan: what it does.
        folder: of its logs.
        store: its journal; by default a file in the folder.
    """

    def __init__(self, plan: Plan, folder: Path, store: Store | None = None) -> None:
        self._plan = plan
        self._random = Random(plan.seed)
        self._seen = Seen()
        self._folder = folder
        self._store = store or SqliteStore(folder)
        self._over = asyncio.Event()
        self.platform = FakePlatform(seed=plan.seed)
        self.records: tuple[Record, ...] = ()
        self.service: Service
        self._senders: Senders

    async def run(self) -> list[str]:
        """Attack, wait until everything has ended, and return the violations."""
        with reserved_port() as port:
            async with served(self.platform) as platform_port:
                self.service = Service(
                    self._folder,
                    port,
                    platform_port,
                    workers=self._plan.workers,
                    journal=self._store.url,
                    forked=self._plan.forked,
                )
                wrongs = await self._play()
        self.records = await self._store.records()
        memories = self._store.memories()
        kept = RememberedNumbers.logged(lines_of(self.service.logs))
        wrongs += none_lost(kept, memories, frozenset())
        wrongs += counted_once(self.records, memories)
        return wrongs + self.service.wrongs + check(self._observed())

    async def _play(self) -> list[str]:
        self.service.start()
        try:
            await self._attack()
            wrongs = await self._settle()
            code = await self.service.stop()
        finally:
            self.service.kill()
        return [*wrongs, f"the last process ended with {code}"] if code != 0 else wrongs

    async def _attack(self) -> None:
        plan = self._plan
        self.platform.chaos(plan.rate, FAULTS)
        for _ in range(plan.gone):
            self.platform.fail("send_message", kind="gone", after=self._random.randrange(200))
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as client:
            self._senders = Senders(client, lambda: self.service.url.removesuffix("/blocks"))
            callers = [
                asyncio.create_task(self._call_on(client, Random(f"{plan.seed} {number}")))
                for number in range(plan.callers)
            ]
            end = time.monotonic() + plan.seconds
            while time.monotonic() < end:
                await asyncio.sleep(self._random.uniform(0.3, 1.6))
                if self._random.random() < SERVING:
                    await self.service.serves(end)
                await self.service.attack(self._random)
                await self._store.attack(self._random)
            await self.service.run_again(end + PATIENCE)
            self._over.set()
            async with asyncio.timeout(PATIENCE):  # they wait for a service that may have ended
                await asyncio.gather(*callers)
                await self._senders.finish()
        self.platform.chaos(0.0)

    async def _call_on(self, client: aiohttp.ClientSession, random: Random) -> None:
        """Activate blocks in dialogs, one after the other."""
        while not self._over.is_set():
            block = random.choice(list(TERMS))
            token = self._activate(block, random)
            body = {"token": token, "seed": random.randrange(1 << 30)}
            await self._call(client, block, token, body)
            if random.random() < self._plan.repeated:
                self._seen.duplicates += 1
                await self._call(client, block, token, body)
            if random.random() < 0.15:
                await self._loop(client, block, token, random)
            await asyncio.sleep(random.random() * 0.05)

    def _activate(self, block: str, random: Random) -> str:
        """Activate a block in a new dialog, or in one of those that others use at the same time."""
        if random.random() < IN_SHARED_DIALOG:
            try:
                return self.platform.issue(block, random.choice(SHARED_DIALOGS))
            except ValueError:  # it was deleted
                pass
        return self.platform.issue(block)

    async def _loop(
        self, client: aiohttp.ClientSession, block: str, token: str, random: Random
    ) -> None:
        """Call the same block again, as a looping bot, if the first call ends soon."""
        for _ in range(40):
            if self.platform.activation(token).state == "completed":
                self.platform.issue(reuse=token)
                self._seen.loops += 1
                body = {"token": token, "seed": random.randrange(1 << 30)}
                await self._call(client, block, token, body)
                return
            await asyncio.sleep(0.05)

    async def _call(
        self, client: aiohttp.ClientSession, block: str, token: str, body: Mapping[str, object]
    ) -> None:
        """Call until the response is 200."""
        while True:
            try:
                async with client.post(f"{self.service.url}/{block}", json=body) as answer:
                    reply = await answer.json(content_type=None)
                    again = answer.headers.get("Retry-After", "")
                    execution = reply.get("execution", "") if answer.status == 200 else ""
                    self._seen.calls.append(Call(token, block, answer.status, execution, again))
                    if answer.status == 200:
                        self._senders.start(self._seen.calls[-1], self._random)
                        return
            except (aiohttp.ClientError, TimeoutError, ValueError):
                self._seen.calls.append(Call(token, block, None))
            await asyncio.sleep(0.1)

    async def _settle(self) -> list[str]:
        """Wait until every execution has its outcome."""
        deadline = time.monotonic() + PATIENCE
        while unfinished := [
            r for r in await self._store.records() if r.phase is not Phase.SETTLED
        ]:
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.5)
        return [f"{r.execution} came to no end in {PATIENCE:.0f} s: {r}" for r in unfinished[:5]]

    def _observed(self) -> Observed:
        lines = lines_of(self.service.logs)
        return Observed(
            tuple(self._seen.calls),
            tuple(self.platform.ledger),
            self.records,
            self.service.logs,
            POLICIES,
            settled=tuple(line["execution"] for line in lines if line["event"] == "settled"),
            events=tuple(self._senders.sent),
            reads=reads_in(lines),
        )

    def report(self) -> Counter[str]:
        """Return counts of what happened."""
        found: Counter[str] = Counter()
        found["executions"] = len(self.records)
        found["calls answered 200"] = sum(call.status == 200 for call in self._seen.calls)
        found["calls not answered 200"] = sum(call.status != 200 for call in self._seen.calls)
        found["calls repeated"] = self._seen.duplicates
        found["tokens used again"] = self._seen.loops
        found["requests to the platform"] = len(self.platform.ledger)
        for event in self._senders.sent:
            found[f"events answered {event.status}"] += 1
        for kind, number in (self.service.kills + self._store.attacks).items():
            found[f"attacks: {kind}"] = number
        for entry in self.platform.ledger:
            if entry.fault is not None:
                found[f"faults: {entry.fault}"] += 1
        for record in self.records:
            if record.outcome is not None:
                found[f"outcomes: {record.outcome.status.value}"] += 1
                by = record.outcome.confirmed_by
                if by:
                    found[f"confirmed by {by}"] += 1
            found["uses of a memory"] += sum(e.kind.startswith("memory") for e in record.effects)
            found["effects that another version does not continue"] += (
                record.outcome is not None and record.outcome.code == "nondeterministic"
            )
            found["messages"] += sum(e.kind == "send" for e in record.effects)
            found["messages of unknown fate"] += sum(e.state == "unknown" for e in record.effects)
            found["second and further runs"] += max(0, record.attempts - 1)
        return found


def main() -> int:
    """Run the soak test for a number of minutes, and print a report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--journal", choices=("sqlite", "postgres"), default="sqlite")
    asked = parser.parse_args()
    if asked.journal == "postgres":
        with killable_server() as server:
            return soak_for(asked, server)
    return soak_for(asked, None)


def soak_for(asked: argparse.Namespace, server: PostgresServer | None) -> int:
    """Run rounds for a number of minutes; return the exit code."""
    end = time.monotonic() + asked.minutes * 60
    total: Counter[str] = Counter()
    seed = asked.seed
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it logs the platform's faults
    if server is None and run_seeds(
        seed * 1_000_000, seconds=asked.minutes * 60 * SIMULATION_SHARE
    ):
        return 1
    print(f"soaking for {asked.minutes:g} minutes with {asked.workers} workers, seed {seed}")
    while time.monotonic() < end:
        folder = Path(tempfile.mkdtemp(prefix="soak-"))
        store = SqliteStore(folder) if server is None else PostgresStore(server, f"soak_{seed}")
        plan = Plan(seed, min(ROUND, asked.minutes * 60), workers=asked.workers)
        soak = Round(plan, folder, store)
        wrongs = asyncio.run(soak.run())
        total += soak.report()
        total["rounds"] += 1
        if wrongs:
            print(f"seed {seed}: {len(wrongs)} violations; journal and logs are in {folder}")
            print("\n".join(wrongs[:40]))
            return 1
        print(f"seed {seed}: {len(soak.records)} executions, nothing lost", flush=True)
        shutil.rmtree(folder)
        seed += 1
    for name, number in sorted(total.items()):
        print(f"  {name:<48}{number:>9}")
    print(f"seeds {asked.seed} to {seed - 1}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
