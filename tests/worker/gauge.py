"""Counts how many handlers run at the same time."""

import asyncio
from collections import Counter


class Gauge:
    """Counts how many are inside, and waits until they may leave."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.changed = asyncio.Condition()
        self.open = False

    async def stay(self, name: str) -> None:
        """Stay inside until the gauge is opened."""
        self.now[name] += 1
        self.most[name] = max(self.most[name], self.now[name])
        async with self.changed:
            self.changed.notify_all()
            await self.changed.wait_for(lambda: self.open)
        self.now[name] -= 1

    async def let_go(self, name: str, inside: int) -> None:
        """Wait until this number is inside, then open the gauge."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.now[name] == inside)
            self.open = True
            self.changed.notify_all()
