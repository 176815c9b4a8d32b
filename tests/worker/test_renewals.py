"""How often a worker renews its leases."""

import asyncio
from typing import Any

import pytest

from tests.worker.running import WatchedJournal, serving
from vertexkit import App, Context
from vertexkit.testing import FakePlatform


@pytest.mark.parametrize("lease, most", [(3600, 1200.0), (30, 10.0), (100_000, 3600.0)])
async def test_two_renewals_may_fail_before_a_lease_expires(
    monkeypatch: pytest.MonkeyPatch, lease: float, most: float
) -> None:
    """The pause between two renewals is a third of a lease, and at most an hour."""
    app, pauses, sleep = App(), list[float](), asyncio.sleep

    @app.block("work")
    async def work(ctx: Context) -> None: ...

    async def recorded(seconds: float, *result: Any) -> Any:
        if seconds > 0:
            pauses.append(seconds)
        return await sleep(seconds, *result)

    monkeypatch.setattr(asyncio, "sleep", recorded)
    async with serving(app, WatchedJournal(), FakePlatform(), lease=lease, grace=0):
        for _ in range(10):
            await asyncio.sleep(0)
    assert pauses
    assert max(pauses) == pytest.approx(most)
