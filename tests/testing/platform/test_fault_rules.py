"""Faults of one call: several rules at once."""

from typing import Any

import pytest

from vertexkit.testing import FakeDialog
from vertexkit.testing.platform.fault_rules import FaultPlan, FaultRule
from vertexkit.testing.platform.faults import Fault

from vertexkit import App, Context  # isort: skip

app = App()


@app.block("three")
async def three(ctx: Context) -> None:
    for number in range(3):
        await ctx.send_message(str(number))


def taken(plan: FaultPlan, count: int, method: str = "send_message") -> list[Fault | None]:
    return [plan.take(method) for _ in range(count)]


def test_rules_count_for_themselves() -> None:
    """Each rule has its own first request and number of hits; 0 hits all."""
    plan = FaultPlan([FaultRule("send_message", status=429, after=1, times=2)], 0)
    assert [bool(fault) for fault in taken(plan, 4)] == [False, True, True, False]
    plan = FaultPlan([FaultRule(status=503, times=0)], 0)
    assert all(taken(plan, 5))
    assert plan.take("complete") is not None


def test_a_delay_is_added_to_another_fault() -> None:
    """A request can be slow and rejected at once."""
    slow = FaultRule(kind="slow", seconds=2)
    plan = FaultPlan([slow, slow, FaultRule("send_message", status=500)], 0)
    fault = plan.take("send_message")
    assert fault is not None
    assert (fault.status, fault.seconds, fault.method) == (500, 4.0, "send_message")
    alone = FaultPlan([slow], 0).take("complete")
    assert alone is not None
    assert (alone.kind, alone.seconds) == ("slow", 2.0)


def test_probabilities_follow_from_the_seed() -> None:
    """The same seed hits the same requests, another one others."""
    rules = [FaultRule(status=503, times=0, probability=0.5)]
    hits = [[bool(f) for f in taken(FaultPlan(rules, seed), 40)] for seed in (1, 1, 2)]
    assert hits[0] == hits[1] != hits[2]
    assert 0 < sum(hits[0]) < 40


@pytest.mark.parametrize(
    "values",
    [
        {"method": "read"},
        {"kind": "fire"},
        {"status": 99},
        {"status": 500, "times": -1},
        {"status": 500, "probability": 1.5},
        {},
    ],
)
def test_an_invalid_rule_is_rejected(values: dict[str, Any]) -> None:
    """With a sentence, when it is made."""
    with pytest.raises(ValueError, match=r"must|unknown|needs"):
        FaultRule(**values)


async def test_a_plan_hits_the_requests_of_its_call_only() -> None:
    """Another call at the same time is not hit, and ordered faults do not hit the planned one."""
    dialog = FakeDialog(app)
    planned, other = dialog.platform.issue("three"), dialog.platform.issue("three")
    dialog.platform.plan_faults(planned, [FaultRule("send_message", status=429, times=2)])
    run = await dialog.call("three", {}, planned)
    assert (run.messages, run.retries) == (["0", "1", "2"], 2)
    assert (await dialog.call("three", {}, other)).retries == 0
