"""Operators' requests: which executions match a query, and why one cannot be retried or dropped."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice

from vertexkit.errors import OperationNotAllowed
from vertexkit.execution import Outcome, OutcomeStatus, Phase
from vertexkit.journal.limits import is_name_of
from vertexkit.journal.protocol import Query, Record, WorkerRecord
from vertexkit.journal.state.row import ExecutionRow

ALL = 1 << 30
"""More executions than are held at once."""
DROPPED = Outcome(OutcomeStatus.PARKED, "dropped", reason="dropped by an operator")


def matches(query: Query, record: Record) -> bool:
    """Return whether an execution passes all filters of a query."""
    status = record.outcome and record.outcome.status
    code = record.outcome.code if record.outcome else record.result and record.result.code
    return (
        query.phase in (None, record.phase)
        and query.status in (None, status)
        and query.block in (None, record.block)
        and query.dialog in (None, record.dialog)
        and query.code in (None, code)
        and (query.since is None or record.accepted_at >= query.since)
        and (query.prefix is None or record.execution.startswith(query.prefix))
        and (query.waiting_for is None or record.is_waiting_for(query.waiting_for))
    )


async def find_workers(
    search: Callable[[Query], Awaitable[Sequence[Record]]],
) -> list[WorkerRecord]:
    """Return the workers that hold executions.

    Args:
        search: of the journal.
    """
    held: Counter[str] = Counter()
    for phase in (Phase.RUNNING, Phase.COMPLETING):
        held.update(record.worker for record in await search(Query(phase=phase, limit=ALL)))
    return [WorkerRecord(worker, number) for worker, number in sorted(held.items()) if worker]


def may_be_unfinished(query: Query) -> bool:
    """Return whether an execution that has not ended can match a query."""
    return query.status is None and query.phase is not Phase.SETTLED


def may_be_settled(query: Query) -> bool:
    """Return whether an execution that has ended can match a query."""
    return query.phase in (None, Phase.SETTLED) and query.waiting_for is None


def matches_row(query: Query, row: ExecutionRow, limit_of: Callable[[ExecutionRow], str]) -> bool:
    """Return whether an execution that has not ended passes all filters of a query.

    Args:
        query: with the filters.
        row: the execution.
        limit_of: returns the limit that an execution waits for.
    """
    return (
        query.phase in (None, row.phase)
        and query.block in (None, row.execution.block)
        and query.dialog in (None, row.dialog)
        and query.code in (None, row.result and row.result.code)
        and (query.since is None or row.execution.accepted_at >= query.since)
        and (query.prefix is None or row.execution.id.startswith(query.prefix))
        and (
            query.waiting_for is None
            or is_name_of(query.waiting_for, limit_of(row))
            or query.waiting_for in row.waits_for()
        )
    )


def matching_rows(
    query: Query, rows: Iterable[ExecutionRow], limit_of: Callable[[ExecutionRow], str]
) -> list[ExecutionRow]:
    """Return the first executions that have not ended and pass all filters of a query.

    Args:
        query: with the maximum number.
        rows: in the order in which they are wanted; no more of them are looked at than needed.
        limit_of: returns the limit that an execution waits for.
    """
    if not may_be_unfinished(query):
        return []
    matching = (row for row in rows if matches_row(query, row, limit_of) and not row.pending)
    return list(islice(matching, query.limit))


def why_not_retried(execution: str, record: Record | None) -> str:
    """Return why an execution cannot be retried."""
    if record is None:
        return f"there is no execution {execution} in the journal"
    if record.outcome is None:
        return (
            f"{execution} is {record.phase.value}: it has not ended, and continues without an "
            "operator"
        )
    if record.outcome.status is OutcomeStatus.PARKED:
        return (
            f"{execution} was parked, but its block was completed as failed "
            f"({record.outcome.code}): its dialog has continued, and its token is erased"
        )
    return f"{execution} is {record.outcome.status.value}: only a parked execution can be retried"


def refuse_to_forget(dialog: int, executions: Sequence[str]) -> None:
    """Refuse to erase a dialog that has executions which have not ended.

    Args:
        dialog: its number.
        executions: ids of those that have not ended.

    Raises:
        OperationNotAllowed: there are some.
    """
    if executions:
        names, more = " ".join(executions[:5]), " …" if len(executions) > 5 else ""
        raise OperationNotAllowed(
            f"nothing was erased: dialog {dialog} has executions that have not ended "
            f"({len(executions)}), and without them it would hang. Wait until they have ended, or "
            f"give up those that wait (vertexkit executions drop {names}{more}), then repeat the "
            "command"
        )


def why_not_dropped(execution: str, record: Record | None) -> str:
    """Return why an execution cannot be dropped."""
    if record is None:
        return f"there is no execution {execution} in the journal"
    return f"{execution} has ended; it is deleted after VERTEXKIT_RETENTION"
