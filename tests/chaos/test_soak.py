"""A short soak test with a fixed seed; `make soak` runs a long one."""

from pathlib import Path

import pytest

from tests.chaos.soak import PATIENCE, Plan, Round

pytestmark = pytest.mark.unmeasured

ATTACKS_SECONDS = 3.0


@pytest.mark.timeout(
    ATTACKS_SECONDS + PATIENCE + 120
)  # the report of what has not ended comes first
@pytest.mark.parametrize("workers", [1, 2])
async def test_a_service_that_is_killed_loses_nothing(tmp_path: Path, workers: int) -> None:
    """A service that is killed, stopped and frozen at random under load keeps all invariants."""
    plan = Plan(7, ATTACKS_SECONDS, callers=3, workers=workers, gone=0, repeated=0.0, forked=True)
    soak = Round(plan, tmp_path)
    assert await soak.run() == []
    report = soak.report()
    assert report["executions"] > 0
    assert sum(number for name, number in report.items() if name.startswith("attacks")) > 0
