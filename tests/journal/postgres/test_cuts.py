"""Connections that are cut between a commit and its answer: the outcome is unknown."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests import loop_time
from tests.journal.driver import JournalDriver
from tests.journal.memory_values import KEY, remember, setting
from tests.journal.postgres.load import accept_again
from tests.journal.postgres.patience import PATIENT_SECONDS, impatient
from tests.journal.postgres.proxy import Proxy
from tests.postgres_server import PORT, PostgresServer
from tests.waiting import until
from vertexkit.errors import Fenced, JournalUnavailable
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal import make_journal
from vertexkit.journal.dialog_memory import DialogMemory
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", "204")


@pytest.fixture
async def proxy(postgres_server: PostgresServer, postgres_url: str) -> AsyncIterator[Proxy]:
    async with Proxy(postgres_server.folder / f".s.PGSQL.{PORT}") as proxy:
        yield proxy


@pytest.fixture
async def driver(proxy: Proxy) -> AsyncIterator[JournalDriver]:
    """A journal behind the proxy."""
    clock = VirtualClock()
    journal = make_journal(JournalSettings(url=proxy.url), clock)
    driver = JournalDriver(journal, clock)
    await journal.open(driver)
    yield driver
    await journal.close()
    assert driver.lost_reasons == []


async def test_a_call_without_an_answer_is_recognised(driver: JournalDriver, proxy: Proxy) -> None:
    """An acceptance whose commit is not answered fails; the repeated call is its duplicate."""
    call = driver.execution("same")
    proxy.cut_after = "vertexkit_accept"
    with pytest.raises(JournalUnavailable, match="connection was lost"):
        await driver.journal.accept(call, 10)
    again = await driver.accept("same")
    assert (again.execution, again.new) == (call.id, False)
    assert [lease.execution.id for lease in await driver.claim()] == [call.id]


async def test_an_intent_is_on_the_disk_before_the_message_is_sent(
    driver: JournalDriver, proxy: Proxy
) -> None:
    """An intent whose commit is not answered is written again, over another connection."""
    lease = await driver.held()
    proxy.cut_after = "vertexkit_effects"
    await driver.journal.record_intent(lease, Effect(0, "send", "abc"))
    assert proxy.cut_after == ""
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    assert record.effects == (Effect(0, "send", "abc", EffectState.INTENDED),)


async def test_every_write_of_a_lease_happens_once(driver: JournalDriver, proxy: Proxy) -> None:
    """Each write whose commit is not answered is repeated, and the repetition changes nothing."""
    lease = await driver.held()
    proxy.cut_after = "vertexkit_effects"
    await driver.journal.record_effect(lease, Effect(0, "step:a", "", EffectState.CONFIRMED, b"1"))
    proxy.cut_after = "vertexkit_release"
    await driver.journal.release(lease, 0)
    lease = await driver.claim_one()
    assert lease.attempt == 2
    assert lease.effects[0].value == b"1"
    proxy.cut_after = "vertexkit_result"
    await driver.journal.record_result(lease, Result(b"7"), completing=True)
    proxy.cut_after = "vertexkit_settle"
    await driver.journal.settle(lease, DONE)
    assert proxy.cut_after == ""
    record = await driver.journal.find(lease.execution.id)
    assert record is not None
    assert (record.phase, record.outcome) == (Phase.SETTLED, DONE)
    assert [event.name for event in record.history] == ["released", "claimed"]


async def test_a_change_of_a_memory_happens_once(driver: JournalDriver, proxy: Proxy) -> None:
    """A change whose commit is not answered is recognised, and the next one continues from it."""
    lease = await driver.held()
    read = await driver.journal.read_memory(KEY)
    changed = read.changed("name", b"1")
    proxy.cut_after = "vertexkit_write_memory"
    version = await driver.journal.write_memory(lease, setting("name"), KEY, changed)
    assert (proxy.cut_after, version) == ("", (await driver.journal.read_memory(KEY)).version)
    await remember(driver, lease, "age", b"2")
    assert (await driver.journal.read_memory(KEY)).values == b'{"name":1,"age":2}'


async def test_a_memory_that_is_changed_while_a_connection_is_cut(
    driver: JournalDriver, proxy: Proxy, postgres_url: str
) -> None:
    """A change that was made is not made again after another one, and does not undo it."""
    lease, other = await driver.held(), await driver.held()
    changed = (await driver.journal.read_memory(KEY)).changed("name", b"1")
    second = JournalDriver(
        make_journal(JournalSettings(url=postgres_url), driver.clock), driver.clock
    )
    await second.journal.open(second)
    proxy.cut_after, proxy.is_down = "vertexkit_write_memory", True
    change = setting("name")
    writing = asyncio.ensure_future(driver.journal.write_memory(lease, change, KEY, changed))
    while (await second.journal.read_memory(KEY)).values != changed.values:
        pass
    await remember(second, other, "name", b"2")
    await second.journal.close()
    proxy.is_down = False
    version = await writing
    assert version is not None
    assert (await driver.journal.read_memory(KEY)).values == b'{"name":2}'
    late = DialogMemory(changed.values, version).changed("age", b"3")
    assert await driver.journal.write_memory(lease, setting("age", 10), KEY, late) is None


async def test_a_lease_that_was_lost_meanwhile_is_noticed(
    driver: JournalDriver, proxy: Proxy
) -> None:
    """A repeated write does not take another worker's end of the execution for its own."""
    old = await driver.held()
    driver.pass_lease()
    new = await driver.claim_one("second")
    await driver.journal.settle(new, DONE)
    proxy.cut_after = "vertexkit_settle"
    with pytest.raises(Fenced):
        await driver.journal.settle(old, DONE)


async def test_a_claim_without_an_answer_is_given_back(driver: JournalDriver, proxy: Proxy) -> None:
    """What a lost claim has taken is claimed again at once, as the first run."""
    held = await driver.held()
    accepted = await driver.accept()
    proxy.cut_after = "vertexkit_claim"
    with pytest.raises(JournalUnavailable):
        await driver.claim()
    again = await driver.claim_one()
    assert (again.execution.id, again.attempt, again.crashed) == (accepted.execution, 1, False)
    await driver.journal.settle(held, DONE)


async def test_a_claim_without_an_answer_is_given_back_after_a_forgotten_one(
    driver: JournalDriver, proxy: Proxy, contract_database: Any
) -> None:
    """A handler that still runs under a claim that the server has forgotten does not keep the next one.

    Nor does it extend the lease of the next one.
    """
    forgotten = await driver.held()
    contract_database.execute(
        "UPDATE vertexkit.executions "
        "SET phase = 'waiting', worker = '', epoch = 0, attempts = 0, due_at = 0"
    )
    proxy.cut_after = "vertexkit_claim"
    with pytest.raises(JournalUnavailable):
        await driver.claim()
    execution = forgotten.execution.id
    assert (await driver.journal.renew("first", [execution])).lost == {execution}
    again = await driver.claim_one()
    assert (again.execution.id, again.attempt, again.crashed) == (execution, 1, False)
    assert (await driver.journal.renew("first", [execution])).lost == frozenset()
    await driver.journal.settle(again, DONE)


async def test_a_claim_that_is_cancelled_is_given_back_when_the_service_ends(
    driver: JournalDriver, contract_database: Any
) -> None:
    """A service that stops while it claims leaves nothing that another one has to wait for."""
    await driver.accept()
    for turns in range(6):  # after the last ones the claim is on its way
        claiming = asyncio.ensure_future(driver.claim())
        for _ in range(turns):
            await asyncio.sleep(0)
        assert claiming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await claiming
    await driver.journal.close()
    found = contract_database.execute("SELECT phase, attempts FROM vertexkit.executions").fetchall()
    assert found == [("waiting", 0)]


async def test_a_cut_connection_is_replaced(driver: JournalDriver, proxy: Proxy) -> None:
    """Without a connection calls fail in time, and the reason is known; then they are accepted."""
    proxy.is_down = True
    proxy.cut()
    with impatient(), pytest.raises(JournalUnavailable):
        await driver.accept()
    assert driver.journal.unavailable_reason()
    proxy.is_down = False
    await accept_again(driver)
    lease = await driver.claim_one()
    assert driver.journal.unavailable_reason() == ""
    await driver.journal.settle(lease, DONE)


async def test_the_time_for_which_the_process_was_blocked_does_not_count(
    driver: JournalDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that has come while nothing could read it is read before a call is rejected.

    Otherwise a process that gets too little of the processor would reject what is accepted.
    """
    monkeypatch.setattr("vertexkit.journal.postgres.writer.GROUP_SECONDS", 10 * PATIENT_SECONDS)
    accepting = asyncio.ensure_future(driver.accept())
    await asyncio.sleep(0)
    loop_time.skip(2 * PATIENT_SECONDS)
    assert (await accepting).new
    assert len(await driver.claim()) == 1


async def test_a_closed_journal_opens_no_connection(driver: JournalDriver, proxy: Proxy) -> None:
    """A question that is asked while a service stops fails, instead of leaving a connection open."""
    late = asyncio.ensure_future(driver.journal.find("0" * 22))
    await driver.journal.close()
    for question in (late, driver.journal.event_target("0" * 22)):
        with pytest.raises(JournalUnavailable, match="the journal is closed"):
            await question
    await until(lambda: not proxy.open_connections, "the proxy has no connection")


async def test_a_question_that_waits_for_its_answer_ends_before_its_connection_is_closed(
    proxy: Proxy,
) -> None:
    """psycopg frees a connection when it is closed: a question that used it would end the process."""
    clock = VirtualClock()
    for turns in range(0, 12, 2):  # after the last ones the question is on its way
        journal = make_journal(JournalSettings(url=proxy.url), clock)
        await journal.open(JournalDriver(journal, clock))
        await journal.find("0" * 22)  # connects
        asking = [asyncio.ensure_future(journal.event_target("0" * 22)) for _ in range(2)]
        for _ in range(turns):
            await asyncio.sleep(0)
        await journal.close()
        assert [question.done() for question in asking] == [True, True]
        results = await asyncio.gather(*asking, return_exceptions=True)
        failures = [result for result in results if result is not None]
        assert all(isinstance(failure, JournalUnavailable) for failure in failures), failures
        assert failures
