"""What `vertexkit executions` does: list, show, retry and drop."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import typer
from pydantic_core import from_json, to_json
from rich.console import Console
from rich.text import Text

from vertexkit.cli import output
from vertexkit.cli.executions.filters import ExecutionFilters
from vertexkit.cli.executions.timeline import describe_waits, timeline_lines
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.cli.table import Table
from vertexkit.cli.translation import translate, translate_count, translate_sentence
from vertexkit.clock import Clock
from vertexkit.context.event_names import check_event_name
from vertexkit.errors import OperationNotAllowed, SettingsError
from vertexkit.execution import OutcomeStatus, Phase
from vertexkit.journal.admin import open_admin
from vertexkit.journal.events import Delivery
from vertexkit.journal.protocol import JournalAdmin, Record
from vertexkit.operators.executions import as_object, find
from vertexkit.operators.executions import send_event as deliver
from vertexkit.settings import Settings

T = TypeVar("T")
NO_LIMIT = 1_000_000_000
"""More executions than a journal stores."""
COLUMNS = ("execution", "accepted", "block", "dialog", "state", "code", "attempts")
STYLES = {"completed": "green", "gone": "yellow", "parked": "bold red", "running": "cyan"}


@dataclass(frozen=True, slots=True)
class Action:
    """What was done with an execution."""

    execution: str
    text: str

    def print(self, *, as_json: bool) -> None:
        """Print it."""
        if as_json:
            output.print_json({"execution": self.execution, "action": self.text})
        else:
            output.echo(f"  {self.execution}: {translate_sentence(self.text)}")


@dataclass(frozen=True, slots=True)
class Plan:
    """How executions are acted on."""

    question: str
    """What is asked in a terminal."""
    if_none: str
    """The error if there is no execution."""
    yes: bool
    """Do not ask."""
    as_json: bool


def with_journal(action: Callable[[JournalAdmin], Awaitable[T]]) -> T:
    """Open the journal of the settings, run an action with it, and close it.

    Args:
        action: gets the journal.

    Returns:
        What the action returned.

    Raises:
        JournalUnusable: the journal cannot be opened; the message names the cause and the fix.
    """
    settings = Settings.load()

    async def run() -> T:
        async with open_admin(settings.journal, Clock()) as journal:
            return await action(journal)

    return asyncio.run(run())


def list_executions(filters: ExecutionFilters, *, as_json: bool) -> None:
    """Print the executions that match, newest first."""
    query = filters.query()
    records = with_journal(lambda journal: journal.search(query))
    if as_json:
        for record in records:
            output.print_json(as_object(record))
        return
    console = output.console()
    if not records:
        console.print(f"  {translate('no executions match')}")
        return
    head, lines = Table(COLUMNS, "state", STYLES).lines([_row(record) for record in records])
    console.print(head, soft_wrap=True)
    for record, line in zip(records, lines, strict=True):
        console.print(line, soft_wrap=True)
        if note := _note(record):
            console.print(Text(f"  {note}", "dim"), soft_wrap=True)
    console.print(Text(_summary(records, filters.limit), "dim"))


def _row(record: Record) -> tuple[str, ...]:
    outcome = record.outcome
    return (
        record.execution,
        translate("{0} ago", format_duration(time.time() - record.accepted_at)),
        record.block,
        "" if record.dialog is None else str(record.dialog),
        record.phase.value if outcome is None else outcome.status.value,
        outcome.code if outcome is not None else "",
        str(record.attempts),
    )


def _note(record: Record) -> str:
    """Return why the execution ended, or what it waits for, where the columns do not show it."""
    if record.outcome is not None:
        return translate_sentence(record.outcome.reason)
    if record.limited_by:
        return translate("waits for the {0} of its block", record.limited_by)
    if record.phase is Phase.SUSPENDED:
        return translate("waits for {0}", describe_waits(record, time.time()))
    if record.due_at is not None:
        return translate(
            "runs again in {0}", format_duration(max(0.0, record.due_at - time.time()))
        )
    return translate("its result is being sent") if record.result is not None else ""


def _summary(records: Sequence[Record], limit: int) -> str:
    states = [r.phase.value if r.outcome is None else r.outcome.status.value for r in records]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    more = (
        translate("; limited to the newest {0}, see --limit", limit)
        if len(records) == limit
        else ""
    )
    number = translate_count(len(records), "{0} execution", "{0} executions")
    return f"  {number}: {counts}{more}"


def format_duration(seconds: float) -> str:
    """Format a duration in its largest unit: `5 s`, `3 min`, `2 h`, `4 d`."""
    for size, text in ((86_400, "{0} d"), (3600, "{0} h"), (60, "{0} min")):
        if seconds >= size:
            return translate(text, f"{seconds / size:.0f}")
    return translate("{0} s", f"{seconds:.0f}")


def show(execution: str, *, as_json: bool) -> None:
    """Print the history of an execution.

    Args:
        execution: its id, or the start of it.
        as_json: print a JSON object.

    Raises:
        OperationNotAllowed: no execution has this id, or several ids start like this.
    """
    record = with_journal(lambda journal: find(journal, execution))
    if as_json:
        output.print_json(as_object(record))
        return
    console = output.console()
    for line in timeline_lines(record, time.time()):
        console.print(line, soft_wrap=True)


def retry(executions: Sequence[str], *, fresh: bool, yes: bool, as_json: bool = False) -> int:
    """Retry parked executions.

    Args:
        executions: their ids, or the starts of them.
        fresh: run the handlers from the beginning.
        yes: do not ask for confirmation.
        as_json: print a JSON object for each.

    Returns:
        The exit code.
    """

    async def retry_one(journal: JournalAdmin, execution: str) -> Action:
        record = await find(journal, execution)
        record = await journal.retry(record.execution, fresh=fresh)
        if record.result is not None:
            return Action(record.execution, "the service will send its result again")
        return Action(record.execution, "the service will run its handler again")

    question = (
        "Retry from the beginning, which may send messages a second time" if fresh else "Retry"
    )
    if_none = "Name an execution, or use --all-parked. No parked execution can be retried."
    plan = Plan(question, if_none, yes=yes, as_json=as_json)
    return _for_each(executions, retry_one, plan)


def drop(executions: Sequence[str], *, yes: bool, as_json: bool = False) -> int:
    """Give up executions.

    Args:
        executions: their ids, or the starts of them.
        yes: do not ask for confirmation.
        as_json: print a JSON object for each.

    Returns:
        The exit code.
    """

    async def drop_one(journal: JournalAdmin, execution: str) -> Action:
        before = await find(journal, execution)
        after = await journal.drop(before.execution)
        if before.outcome is not None:
            return Action(before.execution, "deleted")
        if after.outcome is not None:
            return Action(before.execution, "parked as dropped; its result will not be sent")
        return Action(before.execution, "its block will be completed as failed (dropped)")

    if_none = "Name at least one execution."
    plan = Plan("Permanently give up", if_none, yes=yes, as_json=as_json)
    return _for_each(executions, drop_one, plan)


def send_event(execution: str, name: str, data: str, *, as_json: bool = False) -> int:
    """Send an event to an execution.

    Args:
        execution: its id, or the start of it.
        name: of the event.
        data: JSON; `-`: stdin.
        as_json: print a JSON object.

    Returns:
        The exit code.

    Raises:
        OperationNotAllowed: no execution has this id, or it does not wait for the event any more.
    """
    text = sys.stdin.read() if data == "-" else data
    try:
        check_event_name(name)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    try:
        encoded = to_json(from_json(text, allow_inf_nan=False))
    except ValueError as error:
        raise SettingsError(f"--data must be JSON, got {text[:80]!r}: {error}") from error

    async def send(journal: JournalAdmin) -> Action:
        record = await find(journal, execution)
        delivery = await deliver(journal, record.execution, name, encoded)
        if delivery is Delivery.REPEATED:
            text = f"it already has an event {name!r}; this one has no effect"
            return Action(record.execution, text)
        return Action(record.execution, f"its handler receives the event {name!r}")

    with_journal(send).print(as_json=as_json)
    return 0


def retryable_executions(filters: ExecutionFilters) -> list[str]:
    """Return the ids of the parked executions that match and can be retried."""
    query = replace(filters.query(), status=OutcomeStatus.PARKED, phase=None, limit=NO_LIMIT)
    records = with_journal(lambda journal: journal.search(query))
    return [record.execution for record in records if record.retryable]


def _for_each(
    executions: Sequence[str],
    action: Callable[[JournalAdmin, str], Awaitable[Action]],
    plan: Plan,
) -> int:
    if not executions:
        raise SettingsError(plan.if_none)
    number = translate_count(len(executions), "{0} execution", "{0} executions")
    question = f"{translate(plan.question)}: {number}?"
    if not plan.yes and Console().is_terminal and not typer.confirm(question):
        return EXIT_FAILED

    async def run(journal: JournalAdmin) -> int:
        code = 0
        for execution in executions:
            try:
                (await action(journal, execution)).print(as_json=plan.as_json)
            except OperationNotAllowed as error:
                if plan.as_json:
                    line = {"execution": execution, "error": str(error)}
                    output.print_json(line | {"reference": error.reference})
                else:
                    output.echo(
                        f"vertexkit: {translate_sentence(str(error))} [{error.reference}]", err=True
                    )
                code = EXIT_FAILED
        return code

    return with_journal(run)
