"""Values that cannot be stored: they fail, or are repaired, in one execution only."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from tests.journal.cases import case
from tests.journal.driver import JournalDriver
from vertexkit.errors import JournalError
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal.protocol import Lease, Query

HALF: str = json.loads('"half an emoji \\ud83d"')
WHOLE = HALF.replace("\ud83d", "\ufffd")
Change: TypeAlias = Callable[[JournalDriver, Lease], Awaitable[object]]


class Unprintable:
    """An author's value that cannot even be converted to a text."""

    def __str__(self) -> str:
        raise RuntimeError("this object has no text")


def outcome(**fields: Any) -> Outcome:
    return replace(Outcome(OutcomeStatus.PARKED, "internal"), **fields)


REPAIRED: dict[str, Change] = {
    "kind of an intent": lambda d, lease: d.journal.record_intent(lease, Effect(0, HALF)),
    "digest of an intent": lambda d, lease: d.journal.record_intent(lease, Effect(0, "a", HALF)),
    "kind of an effect": lambda d, lease: d.journal.record_effect(lease, Effect(0, HALF)),
    "digest of an effect": lambda d, lease: d.journal.record_effect(lease, Effect(0, "a", HALF)),
    "code of a result": lambda d, lease: d.journal.record_result(lease, Result(b"1", HALF)),
    "reason of a release": lambda d, lease: d.journal.release(lease, 0.0, HALF),
    "reason of a retry": lambda d, lease: d.journal.release(lease, 60.0, HALF),
    "code of an outcome": lambda d, lease: d.journal.settle(lease, outcome(code=HALF)),
    "reason of an outcome": lambda d, lease: d.journal.settle(lease, outcome(reason=HALF)),
    "confirmation": lambda d, lease: d.journal.settle(lease, outcome(confirmed_by=HALF)),
}
"""Changes whose text contains half an emoji."""


def release(after: Any, reason: Any = "") -> Change:
    return lambda driver, lease: driver.journal.release(lease, after, reason)


def effect(**fields: Any) -> Change:
    bad = replace(Effect(0, "step:a", "", EffectState.CONFIRMED), **fields)
    return lambda driver, lease: driver.journal.record_effect(lease, bad)


def intent(**fields: Any) -> Change:
    bad = replace(Effect(0, "step:a"), **fields)
    return lambda driver, lease: driver.journal.record_intent(lease, bad)


def result(data: Any, code: Any = "ok") -> Change:
    return lambda driver, lease: driver.journal.record_result(lease, Result(data, code))


def settle(**fields: Any) -> Change:
    return lambda driver, lease: driver.journal.settle(lease, outcome(**fields))


REFUSED: dict[str, Change] = {
    "release: reason is an exception": release(0.0, ValueError("boom")),
    "release: reason is None": release(0.0, None),
    "release: reason is bytes": release(0.0, b"\xff"),
    "release: reason has no text": release(0.0, Unprintable()),
    "release: endless": release(float("inf")),
    "release: no number": release(float("nan")),
    "release: a text": release("1"),
    "effect: value is an object": effect(value=object()),
    "effect: value is a text": effect(value="1"),
    "effect: kind is None": effect(kind=None),
    "effect: digest is an object": effect(digest=object()),
    "intent: kind is bytes": intent(kind=b"\xff"),
    "intent: value has no text": intent(value=Unprintable()),
    "result: an object": result(object()),
    "result: a text": result("1"),
    "result: code is None": result(b"1", None),
    "settle: reason is an exception": settle(reason=ValueError("boom")),
    "settle: code is None": settle(code=None),
    "settle: confirmation is an object": settle(confirmed_by=object()),
}
"""Changes with a value of a wrong type."""


async def others_continue(driver: JournalDriver) -> None:
    """A further execution goes all the way, and operators get their answers."""
    accepted = await driver.accept()
    async with asyncio.timeout(60):
        leases = {lease.execution.id: lease for lease in await driver.claim("second")}
        lease = leases[accepted.execution]
        await driver.journal.record_intent(lease, Effect(0, "send", "abc"))
        await driver.journal.record_result(lease, Result(b"1"), completing=True)
        await driver.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED))
        assert len(await driver.journal.search(Query())) >= 1
    assert driver.lost_reasons == []


async def test_half_an_emoji_is_repaired(driver: JournalDriver) -> None:
    """The text is stored with U+FFFD; the execution and all others continue."""
    for name, change in REPAIRED.items():
        with case(name):
            lease = await driver.newest()
            await change(driver, lease)
            record = await driver.journal.find(lease.execution.id)
            assert record is not None
            assert WHOLE in repr(record)
            await others_continue(driver)


async def test_a_value_that_cannot_be_stored_changes_nothing(driver: JournalDriver) -> None:
    """The change is an error, and the execution is as before: it can still be changed and settled."""
    for name, change in REFUSED.items():
        with case(name):
            lease = await driver.held()
            before = await driver.journal.find(lease.execution.id)
            with pytest.raises(JournalError):
                await change(driver, lease)
            assert await driver.journal.find(lease.execution.id) == before
            await others_continue(driver)
            await driver.journal.record_result(lease, Result(b"1"), completing=True)
            await driver.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED))
            after = await driver.journal.find(lease.execution.id)
            assert after is not None
            assert after.phase is Phase.SETTLED


BROKEN_CALLS: dict[str, dict[str, Any]] = {
    "block": {"block": HALF},
    "id": {"id": HALF},
    "text": {"inputs": {"a": HALF}},
    "object": {"inputs": {"a": Unprintable()}},
}


async def test_a_call_that_cannot_be_stored_leaves_nothing(driver: JournalDriver) -> None:
    """It is an error, the backlog is as before, and the same call can be made again."""
    for name, fields in BROKEN_CALLS.items():
        with case(name):
            call = driver.execution(f"again-{name}")
            broken = replace(call, **fields)
            try:
                await driver.journal.accept(broken, 10)
            except JournalError:
                assert driver.journal.backlog() == 0
                assert (await driver.journal.accept(call, 10)).new
            else:  # a journal in memory stores any inputs
                assert "inputs" in fields
            await others_continue(driver)


async def test_a_poisoned_history_is_claimed_with_the_others(driver: JournalDriver) -> None:
    """Executions that are claimed together are all written, whatever their histories contain."""
    lease = await driver.held()
    await driver.journal.release(lease, 0.0, HALF)
    others = [(await driver.accept()).execution for _ in range(3)]
    claimed = await driver.claim("second")
    assert {one.execution.id for one in claimed} == {lease.execution.id, *others}


async def test_an_odd_question_gets_an_answer(driver: JournalDriver) -> None:
    """A filter that cannot match is answered with nothing, or with an error of the journal."""
    for query in (
        Query(code=HALF),
        Query(block=HALF),
        Query(dialog=10**30),
        Query(since=float("nan")),
    ):
        with case(repr(query)):
            async with asyncio.timeout(60):
                try:
                    found = await driver.journal.search(query)
                except JournalError:
                    found = []
                assert found == []
            with suppress(JournalError):
                assert await driver.journal.find(HALF) is None
            await others_continue(driver)


async def test_a_call_whose_body_is_not_bytes_is_rejected(driver: JournalDriver) -> None:
    """Its error names the body, and nothing is stored."""
    body: Any = "text"
    with pytest.raises(JournalError, match="the body of a call"):
        await driver.journal.accept(replace(driver.execution(), raw=body), 10)
    assert await driver.journal.search(Query()) == []
