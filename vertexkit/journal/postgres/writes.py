"""Writes that wait for the next group, and the commands of a group."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.pq.abc import PGresult

from vertexkit.errors import Fenced, JournalUnavailable
from vertexkit.journal.postgres.acceptance_statements import (
    ACCEPT,
    ACCEPT_UNIQUE,
    FIND_DUPLICATED,
    FIND_DUPLICATED_UNIQUE,
)
from vertexkit.journal.postgres.arrays import read_bigint, read_boolean
from vertexkit.journal.postgres.dialog_memory import READ_MEMORY, WRITE_MEMORY
from vertexkit.journal.postgres.limits import ADD_LIMITS, CLAIM_LIMITED, LOCK
from vertexkit.journal.postgres.session import Command
from vertexkit.journal.postgres.statements import (
    BEGIN_COMPLETION,
    CLAIM,
    EFFECTS,
    EFFECTS_OF,
    END_TOKENS,
    ERASE_STEP_VALUES,
    EXPIRE_WORKER,
    POLL,
    RECORD_RESULT,
    REFUSE_COMPLETION,
    RELEASE,
    RELEASE_UNKNOWN,
    RENEW,
    SETTLE,
    SUSPEND,
    WITHDRAW_COMPLETION,
    Statement,
)

ORDER = (
    *(POLL, ACCEPT, ACCEPT_UNIQUE, FIND_DUPLICATED, FIND_DUPLICATED_UNIQUE, EXPIRE_WORKER),
    *(RELEASE_UNKNOWN, RENEW, ADD_LIMITS, LOCK, CLAIM, CLAIM_LIMITED, EFFECTS_OF),
    *(EFFECTS, READ_MEMORY, WRITE_MEMORY, RECORD_RESULT),
    *(BEGIN_COMPLETION, WITHDRAW_COMPLETION, REFUSE_COMPLETION, RELEASE, SUSPEND, SETTLE),
    *(ERASE_STEP_VALUES, END_TOKENS),
)
"""Order of the statements in a group. A lease has an effect without a result at most once in it."""
PLACE = {statement.name: place for place, statement in enumerate(ORDER)}
ACCEPTING = frozenset({ACCEPT.name, ACCEPT_UNIQUE.name})
SINGLE = frozenset(
    statement.name
    for statement in (
        *(POLL, FIND_DUPLICATED, FIND_DUPLICATED_UNIQUE, EXPIRE_WORKER, RELEASE_UNKNOWN, RENEW),
        *(CLAIM, EFFECTS_OF, ADD_LIMITS, LOCK, CLAIM_LIMITED, READ_MEMORY, WRITE_MEMORY),
    )
)
"""Statements that are sent for each write, with its values as parameters."""
WITHOUT_LEASE = frozenset({ERASE_STEP_VALUES.name, END_TOKENS.name})
REPORTS = frozenset({EFFECTS.name, WITHDRAW_COMPLETION.name, REFUSE_COMPLETION.name})
"""What they report has happened outside, and cannot be found out again."""
ENDS_LEASE = frozenset({RELEASE.name, SUSPEND.name, SETTLE.name})
"""When they are repeated, the execution is not held any more."""


@dataclass(slots=True, eq=False)
class Write:
    """A change that waits to be committed."""

    statement: Statement
    values: tuple[Any, ...]
    """One row of the statement, with the execution's id first; all its parameters if it is
    single."""
    done: asyncio.Future[Any]
    power: bool
    """It must survive the death of the server, not only that of this process."""
    optional: bool
    """It fails, instead of waiting, while the database does not answer."""
    added_at: float
    """By the loop's clock."""
    repeated: bool = False
    """An earlier try may have been committed."""

    def succeed(self, value: object = None) -> None:
        """Report that the change was committed."""
        if not self.done.done():
            self.done.set_result(value)

    def fail(self, error: Exception) -> None:
        """Report that the change was not made, or that it is unknown."""
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # if no caller waits, asyncio must not log it

    def unavailable(self, reason: str) -> None:
        """Report that the change could not be written."""
        self.fail(JournalUnavailable(f"the journal cannot be written: {reason}"))


class Group:
    """Writes that are committed in one transaction.

    Args:
        writes: in the order in which they were made.
        ahead: what the service's clock is ahead of real time.
        check_room: the exact backlog decides whether calls are accepted.
    """

    def __init__(self, writes: Sequence[Write], ahead: float, *, check_room: bool) -> None:
        self.writes = writes
        self._ahead = ahead
        self._check_room = check_room
        self._parts: list[tuple[Statement, list[Write]]] = []
        by_name: dict[str, list[Write]] = {}
        for write in sorted(writes, key=lambda write: PLACE[write.statement.name]):
            name = write.statement.name
            if name in SINGLE or name not in by_name:
                by_name[name] = []
                self._parts.append((write.statement, by_name[name]))
            by_name[name].append(write)

    @property
    def is_durable(self) -> bool:
        """One of the writes must survive the death of the server."""
        return any(write.power for write in self.writes)

    def commands(self) -> list[Command]:
        """Return the statements of the transaction."""
        return [
            Command(statement, statement.encode(self._values(statement, part)))
            for statement, part in self._parts
        ]

    def _values(self, statement: Statement, part: Sequence[Write]) -> tuple[Any, ...]:
        if statement.name in SINGLE:
            return (self._ahead, *part[0].values)
        rows: Iterable[tuple[Any, ...]] = (write.values for write in part)
        if statement is EFFECTS:  # the last outcome of each effect
            rows = {(row[0], row[3]): row for row in rows}.values()
        columns = zip(*rows, strict=True)
        if statement.name in ACCEPTING:
            return (self._ahead, self._check_room, *columns)
        return (self._ahead, *columns)

    def finish(self, results: Sequence[PGresult]) -> list[Write]:
        """Report the results of the committed statements.

        Returns:
            Writes that were repeated and found nothing to change: they may have been made before.
        """
        unclear: list[Write] = []
        for (statement, part), result in zip(self._parts, results, strict=True):
            if statement.name in SINGLE:
                part[0].succeed(result)
            elif statement.name in ACCEPTING:
                _finish_calls(part, result)
            elif statement.name in WITHOUT_LEASE:
                for write in part:
                    write.succeed()
            else:
                unclear += _finish_leases(statement, part, result)
        return unclear


def _finish_calls(part: Sequence[Write], result: PGresult) -> None:
    """Give each accepted call what it follows, or an empty text; None: it was not accepted."""
    added: dict[str, str] = {}
    for row in range(result.ntuples):
        follows = result.get_value(row, 1)
        added[_text(result, row)] = follows.decode() if follows is not None else ""
    for write in part:
        write.succeed(added.get(write.values[0]))


def _finish_leases(statement: Statement, part: Sequence[Write], result: PGresult) -> list[Write]:
    """Give each write the statement's flag, or Fenced if its lease is not valid any more."""
    if statement is EFFECTS:
        rows = {(write.values[0], write.values[3]): None for write in part}
        if result.ntuples == len(rows):
            for write in part:
                write.succeed()
            return []
        held = {read_bigint(result.get_value(row, 0) or b"") for row in range(result.ntuples)}
        found = {key: number in held for number, key in enumerate(rows, 1)}
        flags = [False if found[w.values[0], w.values[3]] else None for w in part]
    else:
        has_flag = result.nfields > 1
        changed = {
            read_bigint(result.get_value(row, 0) or b""): has_flag
            and read_boolean(result.get_value(row, 1))
            for row in range(result.ntuples)
        }
        flags = [changed.get(number) for number in range(1, len(part) + 1)]
    unclear: list[Write] = []
    for write, flag in zip(part, flags, strict=True):
        if flag is not None:
            write.succeed(flag)
        elif write.repeated and write.statement.name in ENDS_LEASE:
            unclear.append(write)
        else:
            write.fail(fenced(write))
    return unclear


def fenced(write: Write) -> Fenced:
    """Return the error of a write whose lease is not valid any more."""
    return Fenced(f"execution {write.values[0]} is no longer held by this worker")


def _text(result: PGresult, row: int) -> str:
    return (result.get_value(row, 0) or b"").decode()
