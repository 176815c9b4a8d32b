"""Events on their way to the file: no handler sees an event that may not be stored."""

from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Effect
from vertexkit.journal.events import Delivery
from vertexkit.journal.protocol import Lease
from vertexkit.journal.sqlite import schema
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.journal.state.events import is_arriving, remove_event
from vertexkit.journal.state.row import ExecutionRow
from vertexkit.journal.state.state import JournalState


async def store_event(
    writer: Writer, state: JournalState, row: ExecutionRow, name: str, delivery: Delivery
) -> Delivery:
    """Store an event that was added to an execution, or wait for the first one of its name.

    Args:
        writer: of the file.
        state: has the execution.
        row: the execution.
        name: of the event.
        delivery: what `JournalState.add_event` has returned.

    Raises:
        JournalUnavailable: it could not be stored.
    """
    event = (row.arriving or {}).get(name)
    if event is None or delivery is Delivery.ENDED:
        return delivery
    if delivery is Delivery.REPEATED:  # the first one is still on its way to the disk
        await writer.write(schema.NO_CHANGE, (), power=True, optional=True)
        if row.effects.get(event.position) is None:
            raise JournalUnavailable("the same event could not be stored a moment ago")
        return delivery

    def finish(written: bool) -> None:
        if written:
            state.confirm_event(row, name)
        else:
            remove_event(row, name)

    values = schema.effect_values(row, event, writer.cipher)
    await writer.write(schema.RECORD_EFFECT, values, power=True, optional=True, after=finish)
    return delivery


async def end_wait(
    writer: Writer, state: JournalState, lease: Lease, wait: Effect
) -> Effect | None:
    """Record that a wait has ended, unless its event is stored; see `Journal.end_wait`."""
    while is_arriving(state.leased(lease), wait):  # it is not certain yet which came first
        await writer.write(schema.NO_CHANGE, ())
    row, wait, event = state.end_wait(lease, wait)
    if event is None:
        await writer.write(schema.RECORD_EFFECT, schema.effect_values(row, wait, writer.cipher))
    return event
