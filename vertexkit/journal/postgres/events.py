"""Events from outside, and waits that end without one: each in a transaction.

Every transaction first locks the row of the execution, as the writes of its worker do, so that it
is certain whether an event or the end of its wait came first.
"""

from collections.abc import Mapping

from vertexkit.errors import Fenced
from vertexkit.execution import EVENT, WAIT, Effect, EffectState, Execution
from vertexkit.journal.encryption import Cipher, seal_effect
from vertexkit.journal.events import (
    Delivery,
    EventTarget,
    check_delivery,
    delivered_event,
    new_event_position,
    open_waits,
)
from vertexkit.journal.postgres.durability import durable_transaction
from vertexkit.journal.postgres.monitor import NOTIFY
from vertexkit.journal.postgres.queries import TIME, Reading, read_effects
from vertexkit.journal.protocol import Lease
from vertexkit.token import Token

TARGET = """
SELECT block, token, phase, result IS NOT NULL OR phase = 'settled' AS ended
FROM vertexkit.executions WHERE id = %s
"""
LOCK = f"{TARGET} FOR UPDATE"
LOCK_HELD = """
SELECT FROM vertexkit.executions WHERE id = %s AND epoch = %s AND worker = %s FOR UPDATE
"""
WRITE = f"""
INSERT INTO vertexkit.effects AS earlier
    (execution, position, kind, digest, state, value, began, ended)
VALUES (%(execution)s, %(position)s, %(kind)s, %(digest)s, %(state)s, %(value)s, {TIME}, {TIME})
ON CONFLICT (execution, position) DO UPDATE
SET kind = excluded.kind, digest = excluded.digest, state = excluded.state,
    value = excluded.value, ended = excluded.ended
"""
WAKE = f"""
UPDATE vertexkit.executions
SET woken = true,
    due_at = CASE WHEN phase = 'suspended' AND %(awaited)s THEN {TIME} ELSE due_at END
WHERE id = %(execution)s
"""


async def deliver(
    connection: Reading,
    execution: str,
    name: str,
    data: bytes,
    ahead: float,
    cipher: Cipher,
    *,
    notify: bool,
) -> tuple[Delivery, bool]:
    """Store an event; see `JournalEvents.deliver_event`.

    Args:
        connection: to the database.
        execution: its id.
        name: of the event.
        data: JSON.
        ahead: what the process's clock is ahead of real time.
        cipher: seals the event.
        notify: notify the processes of the service if the execution has become due.

    Returns:
        The reply, and whether the execution has become due.
    """
    async with durable_transaction(connection):
        row = await (await connection.execute(LOCK.encode(), (execution,))).fetchone()
        if row is None:
            return Delivery.UNKNOWN, False
        effects = await _effects(connection, execution, cipher)
        delivery = check_delivery(effects, name, ended=row["ended"])
        if delivery is not Delivery.NEW:
            return delivery, False
        position = new_event_position(execution, effects)
        event = Effect(position, EVENT + name, "", EffectState.CONFIRMED, data)
        await _write(connection, execution, event, ahead, cipher)
        awaited = name in open_waits(effects)
        values = {"execution": execution, "awaited": awaited, "ahead": ahead}
        await connection.execute(WAKE.encode(), values)
        is_due = awaited and row["phase"] == "suspended"
        if is_due and notify:
            await connection.execute(NOTIFY)
    return Delivery.NEW, is_due


async def read_target(connection: Reading, execution: str, cipher: Cipher) -> EventTarget | None:
    """Read what the receiver of an event needs; see `JournalEvents.event_target`."""
    row = await (await connection.execute(TARGET, (execution,))).fetchone()
    if row is None:
        return None
    key = b""
    if row["phase"] != "settled":
        token = Token(cipher.open(f"token {execution}", row["token"]).decode())
        key = Execution(execution, row["block"], token, {}).key
    return EventTarget(
        row["block"], key, row["ended"], await _effects(connection, execution, cipher)
    )


async def end_wait(
    connection: Reading, lease: Lease, effect: Effect, ahead: float, cipher: Cipher
) -> Effect | None:
    """Store that a wait has ended without its event; see `Journal.end_wait`.

    Raises:
        Fenced: the lease is not valid any more.
    """
    execution = lease.execution.id
    async with durable_transaction(connection):
        held = await connection.execute(LOCK_HELD, (execution, lease.epoch, lease.worker))
        if await held.fetchone() is None:
            raise Fenced(f"execution {execution} is no longer held by this worker")
        effects = await _effects(connection, execution, cipher)
        event = delivered_event(effects, effect.kind.removeprefix(WAIT))
        if event is None:
            await _write(connection, execution, effect, ahead, cipher)
    return event


async def _effects(connection: Reading, execution: str, cipher: Cipher) -> Mapping[int, Effect]:
    return (await read_effects(connection, [execution], cipher)).get(execution, {})


async def _write(
    connection: Reading, execution: str, effect: Effect, ahead: float, cipher: Cipher
) -> None:
    digest, value = seal_effect(cipher, execution, effect)
    values = {
        "ahead": ahead,
        "execution": execution,
        "position": effect.position,
        "kind": effect.kind,
        "digest": digest,
        "state": effect.state.value,
        "value": value,
    }
    await connection.execute(WRITE.encode(), values)
