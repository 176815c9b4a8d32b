"""Outcomes on their way to the file: until they are there, their executions are read in memory."""

from collections.abc import Callable

from vertexkit.execution import SEND, Outcome
from vertexkit.journal.protocol import Query, Record
from vertexkit.journal.sqlite import schema
from vertexkit.journal.sqlite.age import JournalAge
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.journal.state.operations import matches
from vertexkit.journal.state.row import ExecutionRow, keeps_secrets


class Endings:
    """Writes outcomes, and has the executions whose outcome is being written.

    They have left the state, and the file does not have their outcome yet: a read of the file comes
    before the writes that wait.

    Args:
        writer: of the file.
        age: of the journal.
        unique: the calls of ended executions are remembered.
        count_ended: called after each outcome that erases an execution's secrets.
    """

    def __init__(
        self, writer: Writer, age: JournalAge, *, unique: bool, count_ended: Callable[[], None]
    ) -> None:
        self._writer = writer
        self._age = age
        self._unique = unique
        self._count_ended = count_ended
        self._ending: dict[str, tuple[ExecutionRow, Outcome]] = {}

    async def end(self, row: ExecutionRow, outcome: Outcome) -> None:
        """Write the outcome of an execution that has left the state."""
        values = schema.settle_values(row, outcome, self._age.now(), self._writer.cipher)
        if self._unique:
            remembered = (row.key, row.execution.id, self._age.now())
            self._writer.write(schema.REMEMBER_CALL, remembered)
        parked = keeps_secrets(outcome)
        if not parked and any(effect.kind != SEND for effect in row.effects.values()):
            self._writer.write(schema.ERASE_STEP_VALUES, (row.number, SEND))
        self._ending[row.execution.id] = row, outcome

        def finish(_: bool) -> None:
            del self._ending[row.execution.id]

        await self._writer.write(schema.PARK if parked else schema.SETTLE, values, after=finish)
        if not parked:
            self._count_ended()

    def find(self, execution: str) -> Record | None:
        """Return an execution whose outcome is being written."""
        ending = self._ending.get(execution)
        return None if ending is None else ending[0].settled_record(ending[1])

    def search(self, query: Query) -> list[Record]:
        """Return the executions that match and whose outcome is being written."""
        records = (row.settled_record(outcome) for row, outcome in self._ending.values())
        return [record for record in records if matches(query, record)]
