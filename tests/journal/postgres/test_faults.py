"""A server that is killed, restarted, frozen or full: nothing acknowledged is lost."""

import asyncio
import signal
from collections.abc import Awaitable, Iterator
from typing import TypeVar

import psycopg
import pytest

from tests.journal.driver import JournalDriver
from tests.journal.memory_values import KEY, setting
from tests.journal.postgres.emptied import EMPTY
from tests.journal.postgres.load import ROOM, Load, accept_again
from tests.journal.postgres.opened import SHORT_LEASE_SECONDS, check, opened, until
from tests.journal.postgres.patience import impatient
from tests.postgres_server import PostgresServer, killable_server
from vertexkit.errors import Fenced, JournalUnavailable
from vertexkit.execution import Effect, EffectState, Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal.dialog_memory import DialogMemory
from vertexkit.journal.limits import BlockLimits, FleetLimits, Rate
from vertexkit.journal.postgres.journal import CLOSE_SECONDS
from vertexkit.journal.postgres.writer import ANSWER_SECONDS
from vertexkit.journal.protocol import Lease

pytestmark = pytest.mark.unmeasured

T = TypeVar("T")


@pytest.fixture(scope="module")
def shared_server() -> Iterator[PostgresServer]:
    """A server with fsync; each test leaves it running. If it is killed, it loses every commit that
    did not wait for the disk."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    with killable_server(wal_writer_delay="10s") as server:
        yield server


@pytest.fixture
def server(shared_server: PostgresServer) -> PostgresServer:
    """The server, with an empty journal."""
    shared_server.sql(EMPTY)
    return shared_server


async def test_a_server_that_is_killed_loses_nothing(server: PostgresServer) -> None:
    """SIGKILL under load, twice: calls are rejected until it runs again, and all others end once."""

    async with opened(server, lease=SHORT_LEASE_SECONDS) as driver:
        load = Load(driver)

        async def kill() -> None:
            for _ in range(2):
                await load.settles()
                rejected = load.seen.rejected
                server.stop(signal.SIGKILL)
                await until(lambda: load.seen.rejected > rejected)  # noqa: B023 - awaited here
                await asyncio.to_thread(server.start)

        with impatient():
            await load.run(kill())
        await check(driver, load)
        assert load.seen.rejected


async def forgotten_claim(driver: JournalDriver, server: PostgresServer) -> Lease:
    """A lease that the server has lost, because it was killed before the claim was on the disk.

    The server writes such commits every ten seconds: if that was just then, it is tried again.
    """
    while True:
        lease = await driver.held()
        server.stop(signal.SIGKILL)
        await asyncio.to_thread(server.start)
        await until(lambda: driver.journal.unavailable_reason() == "")
        record = await driver.journal.find(lease.execution.id)
        assert record is not None
        if record.phase is Phase.WAITING:
            return lease
        await driver.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED, "ok", "204"))


async def test_a_handler_whose_claim_is_lost_cannot_write(server: PostgresServer) -> None:
    """The killed server forgets a claim; the next claim, by the same worker, is of another lease."""
    async with opened(server) as driver:
        forgotten = await forgotten_claim(driver, server)
        held = await driver.claim_one()
        assert (held.execution, held.worker) == (forgotten.execution, forgotten.worker)
        with pytest.raises(Fenced):
            await driver.journal.record_intent(forgotten, Effect(0, "send", "abc"))
        await driver.journal.record_intent(held, Effect(0, "send", "abc"))


async def test_what_a_process_has_reported_is_written_again(server: PostgresServer) -> None:
    """The killed server forgets the outcome of a step, which its process has used: it is stored again.

    So no later run repeats the step, or sees another value of the memory than the first one.
    """
    async with opened(server) as driver:
        lease = await driver.held()
        payment = Effect(0, "step:pay", "a", EffectState.CONFIRMED, b'"receipt"')
        seen = Effect(1, "memory.get:visits", "", EffectState.CONFIRMED, b"7")
        await driver.journal.record_intent(lease, Effect(0, "step:pay", "a"))
        await driver.journal.record_effect(lease, payment)
        await driver.journal.record_effect(lease, seen)
        server.stop(signal.SIGKILL)
        await asyncio.to_thread(server.start)
        await until(lambda: driver.journal.unavailable_reason() == "")
        await driver.journal.release(lease, 0.0)
        again = await driver.claim_one()
        assert dict(again.effects) == {0: payment, 1: seen}


async def test_what_others_rely_on_waits_for_the_disk(server: PostgresServer) -> None:
    """Whatever is acknowledged, ends a lease or extends it cannot be forgotten by the server.

    Also if the role has `synchronous_commit` off.
    """
    server.sql("CREATE ROLE hasty LOGIN SUPERUSER", "ALTER ROLE hasty SET synchronous_commit = off")
    connection = await psycopg.AsyncConnection.connect(server.url(), autocommit=True)
    forgettable = list[str]()

    async def position(kind: str) -> str:
        cursor = await connection.execute(f"SELECT pg_current_wal_{kind}_lsn()::text".encode())
        return str((await cursor.fetchone() or ("",))[0])

    async def waited(name: str, writing: Awaitable[T]) -> T:
        before = await position("insert")
        written = await writing
        flushed = await connection.execute(
            "SELECT pg_current_wal_flush_lsn() > %s::pg_lsn", (before,)
        )
        if await flushed.fetchone() != (True,):
            forgettable.append(name)
        return written

    async with connection, opened(server, user="hasty") as driver:
        journal, call = driver.journal, driver.execution("same", key="")
        await waited("accept", journal.accept(call, ROOM))
        await waited("accept a duplicate", driver.accept("same"))
        limits = FleetLimits({"loan": BlockLimits(Rate(9, 60.0))})
        [lease] = await waited(
            "claim with a limit", journal.claim("first", {"loan": 1}, 1, limits=limits)
        )
        execution = call.id
        await waited("intent", journal.record_intent(lease, Effect(0, "send", "abc")))
        memory = DialogMemory().changed("name", b"1")
        await waited("memory", journal.write_memory(lease, setting("name"), KEY, memory))
        await waited("renew", journal.renew("first", [execution]))
        await waited("event", journal.deliver_event(execution, "payment", b"1"))
        await waited("suspend", journal.suspend(lease, 0.0, 0.0))
        [lease] = await journal.claim("first", {"loan": 1}, 1, limits=limits)
        wait = Effect(1, "wait:other", "", EffectState.CONFIRMED)
        await waited("end of a wait", journal.end_wait(lease, wait))
        await waited("release", journal.release(lease, 0.0))
        [lease] = await journal.claim("first", {"loan": 1}, 1, limits=limits)
        await waited("result", journal.record_result(lease, Result(b"1")))
        await waited("completion", journal.begin_completion(lease))
        await waited("outcome", journal.settle(lease, Outcome(OutcomeStatus.PARKED, "unreachable")))
        await waited("retry", journal.retry(execution, fresh=True))
        await waited("drop", journal.drop(execution))
    assert forgettable == []


async def test_an_acceptance_is_not_acknowledged_before_the_standby_has_it(
    server: PostgresServer,
) -> None:
    """Its first commit is cancelled while it waits; the repeated call finds it, and waits as well."""
    async with opened(server) as driver:
        call = driver.execution("same")
        server.sql("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
        server.sql("SELECT pg_reload_conf()")
        await until(lambda: server.sql("SHOW synchronous_standby_names") == "absent")
        try:
            with impatient(), pytest.raises(JournalUnavailable):
                await driver.journal.accept(call, ROOM)
            waits = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            await until(lambda: server.sql(waits) != "")
            server.sql(f"SELECT pg_terminate_backend(pid) FROM ({waits}) AS waiting")
            await until(lambda: server.sql("SELECT count(*) FROM vertexkit.executions") == "1")
            with impatient(), pytest.raises(JournalUnavailable):
                await driver.accept("same")
        finally:
            server.sql("ALTER SYSTEM RESET synchronous_standby_names")
            server.sql("SELECT pg_reload_conf()")
        await until(lambda: driver.journal.unavailable_reason() == "")
        accepted = await accept_again(driver, driver.execution("same"))
        assert (accepted.execution, accepted.new) == (call.id, False)


async def test_a_server_that_is_restarted_loses_nothing(server: PostgresServer) -> None:
    """As an operator restarts it: connections are ended, and the journal continues by itself."""

    async with opened(server, lease=SHORT_LEASE_SECONDS) as driver:
        load = Load(driver)

        async def restart() -> None:
            await load.settles()
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            await load.settles()

        await load.run(restart())
        await check(driver, load)


async def test_a_frozen_server_does_not_delay_the_end(server: PostgresServer) -> None:
    """A process that ends reports it to the database, unless the database does not answer."""
    async with opened(server) as driver:
        server.freeze()
        try:
            with impatient():
                await until(lambda: driver.journal.unavailable_reason() != "")
                async with asyncio.timeout(CLOSE_SECONDS):
                    await driver.journal.close()
        finally:
            server.thaw()


async def test_a_frozen_server_is_not_waited_for(server: PostgresServer) -> None:
    """While the server is stopped (SIGSTOP), a call is rejected in half a second; no call is lost."""
    async with opened(server) as driver:
        call = driver.execution()
        server.freeze()
        try:
            with impatient():
                with pytest.raises(JournalUnavailable, match="does not answer"):
                    await driver.journal.accept(call, 10)
                reason = "the database does not answer"
                await until(lambda: driver.journal.unavailable_reason() == reason)
        finally:
            server.thaw()
        assert ANSWER_SECONDS < 0.5
        accepted = await accept_again(driver, call)
        assert accepted.execution == call.id
        assert driver.journal.unavailable_reason() == ""
        assert [lease.execution.id for lease in await driver.claim()] == [call.id]


async def test_a_stopped_server_is_noticed_without_calls(server: PostgresServer) -> None:
    """A service without calls is not ready while the server is down, and ready again after it."""
    async with opened(server) as driver:
        await asyncio.to_thread(server.stop)
        await until(lambda: driver.journal.unavailable_reason() != "")
        with impatient(), pytest.raises(JournalUnavailable):
            await driver.accept()
        await asyncio.to_thread(server.start)
        await until(lambda: driver.journal.unavailable_reason() == "")
        await driver.accept()


async def test_an_ended_session_is_replaced(server: PostgresServer) -> None:
    """An administrator, or a limit of the server, ends the sessions: the load continues."""

    async with opened(server, lease=SHORT_LEASE_SECONDS) as driver:
        load = Load(driver)

        async def end_sessions() -> None:
            for _ in range(3):
                await load.settles()
                await asyncio.to_thread(
                    server.sql,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'vertexkit'",
                )

        await load.run(end_sessions())
        await check(driver, load)


async def test_too_many_connections_are_waited_for(server: PostgresServer) -> None:
    """While the server takes no more connections, calls are rejected; then they are accepted."""
    server.sql("CREATE ROLE app LOGIN", "CREATE DATABASE small OWNER app")
    async with opened(server, "small", "app") as driver:
        server.sql("ALTER ROLE app CONNECTION LIMIT 0")
        end_sessions = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"
        )
        server.sql(end_sessions)
        await until(lambda: "too many connections" in driver.journal.unavailable_reason())
        with impatient(), pytest.raises(JournalUnavailable, match="too many connections"):
            await driver.accept()
        server.sql("ALTER ROLE app CONNECTION LIMIT -1")
        await accept_again(driver)
        assert len(await driver.claim()) == 1
