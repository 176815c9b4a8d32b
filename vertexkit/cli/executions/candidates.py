"""Values that a shell completes from the journal: executions, and events that they wait for."""

from contextlib import suppress

import typer

from vertexkit.cli.completion.values import Candidates

MAX_EXECUTIONS = 50


def executions(incomplete: str) -> Candidates:
    """Complete the id of an execution in the journal, newest first."""
    yield from _executions(incomplete, parked=False)


def executions_after_others(context: typer.Context, incomplete: str) -> Candidates:
    """Complete one of several ids; `executions retry` gets parked ones."""
    others = context.params.get("ids") or ()
    for name, description in _executions(incomplete, parked=context.info_name == "retry"):
        if name not in others:
            yield name, description


def events(context: typer.Context, incomplete: str) -> Candidates:
    """Complete the name of an event for which the given execution waits."""
    with suppress(Exception):
        from vertexkit.cli.executions.actions import with_journal
        from vertexkit.operators.executions import find

        execution = str(context.params.get("execution"))
        record = with_journal(lambda journal: find(journal, execution))
        for name in sorted(record.waits_for()):
            if name.startswith(incomplete):
                yield name, ""


def _executions(incomplete: str, *, parked: bool) -> Candidates:
    with suppress(Exception):  # there is no journal, or it cannot be opened now
        from vertexkit.cli.executions.actions import with_journal
        from vertexkit.execution import OutcomeStatus
        from vertexkit.journal.protocol import Query

        status = OutcomeStatus.PARKED if parked else None
        query = Query(status=status, prefix=incomplete.lower() or None, limit=MAX_EXECUTIONS)
        for record in with_journal(lambda journal: journal.search(query)):
            outcome = record.outcome
            state = record.phase.value if outcome is None else outcome.status.value
            yield record.execution, f"{record.block}, {state}"
