"""`vertexkit executions`: what is in the journal, and what an operator may do about it."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from vertexkit.cli.executions.timeline import told
from vertexkit.cli.options import EXIT_FAILED, EXIT_USAGE
from vertexkit.cli.table import Table
from vertexkit.clock import Clock
from vertexkit.errors import OperationNotAllowed, SettingsError
from vertexkit.execution import EffectState, OutcomeStatus, Phase
from vertexkit.journal.admin import open_admin
from vertexkit.journal.protocol import JournalAdmin, Query, Record
from vertexkit.settings import Settings

T = TypeVar("T")
ALL = 1_000_000_000
AGO = re.compile(r"(\d+)([smhd])")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
COLUMNS = ("execution", "accepted", "block", "dialog", "state", "code", "runs")
STYLES = {"completed": "green", "gone": "yellow", "parked": "bold red", "running": "cyan"}


@dataclass(frozen=True, slots=True)
class Wish:
    """Which executions, in the words of the command line."""

    phase: Phase | None = None
    outcome: OutcomeStatus | None = None
    block: str | None = None
    dialog: int | None = None
    code: str | None = None
    since: str | None = None
    limit: int = 50

    def query(self) -> Query:
        """In the words of the journal.

        Raises:
            SettingsError: `since` is no time.
        """
        since = None if self.since is None else moment(self.since)
        return Query(
            self.phase, self.outcome, self.block, self.dialog, self.code, since, self.limit
        )


def moment(text: str) -> float:
    """Unix seconds of `2h` (ago), or of an ISO date or time; local time if it names no zone.

    Raises:
        SettingsError: it is none of these.
    """
    if (ago := AGO.fullmatch(text)) is not None:
        return time.time() - int(ago[1]) * UNITS[ago[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise SettingsError(
            f"--since {text}: give a time ago (30m, 2h, 7d) or an ISO time (2026-11-23T10:00)"
        ) from None


def with_journal(work: Callable[[JournalAdmin], Awaitable[T]]) -> T:
    """Do something with the journal: the running service's, or the file's.

    Args:
        work: what to do.

    Raises:
        JournalUnusable: it cannot be used; names the cause and the mend.
    """
    settings = Settings.load()

    async def run() -> T:
        async with open_admin(settings.journal, Clock()) as journal:
            return await work(journal)

    return asyncio.run(run())


def list_all(wish: Wish, *, as_json: bool) -> None:
    """Print the executions that are asked for, the newest first."""
    query = wish.query()
    records = with_journal(lambda journal: journal.search(query))
    if as_json:
        for record in records:
            print(json.dumps(as_object(record), ensure_ascii=False))
        return
    console = Console(highlight=False, markup=False, emoji=False)
    if not records:
        console.print("  no executions of this kind are in the journal")
        return
    head, lines = Table(COLUMNS, "state", STYLES).lines([_row(record) for record in records])
    console.print(head, soft_wrap=True)
    for record, line in zip(records, lines, strict=True):
        console.print(line, soft_wrap=True)
        if reason := _reason(record):
            console.print(Text(f"  {reason}", "dim"), soft_wrap=True)
    console.print(Text(_summary(records, wish.limit), "dim"))


def _row(record: Record) -> tuple[str, ...]:
    outcome = record.outcome
    return (
        record.execution,
        f"{ago(time.time() - record.accepted_at)} ago",
        record.block,
        "" if record.dialog is None else str(record.dialog),
        record.phase.value if outcome is None else outcome.status.value,
        outcome.code if outcome is not None else "",
        str(record.attempts),
    )


def _reason(record: Record) -> str:
    """Why it stands where it stands, where that is no matter of course."""
    if record.outcome is not None:
        return record.outcome.reason
    if record.due_at is not None:
        return f"runs again in {ago(max(0.0, record.due_at - time.time()))}"
    return "its result is being delivered" if record.result is not None else ""


def _summary(records: Sequence[Record], limit: int) -> str:
    states = [r.phase.value if r.outcome is None else r.outcome.status.value for r in records]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    more = f"; the newest {limit}, --limit shows more" if len(records) == limit else ""
    plural = "" if len(records) == 1 else "s"
    return f"  {len(records)} execution{plural}: {counts}{more}"


def ago(seconds: float) -> str:
    """A time as people say it: `5 s`, `3 min`, `2 h`, `4 d`."""
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


def show(execution: str, *, as_json: bool) -> None:
    """Print all that the journal knows of one execution.

    Raises:
        OperationNotAllowed: there is none, or there are several that begin like this.
    """
    record = with_journal(lambda journal: find(journal, execution))
    if as_json:
        print(json.dumps(as_object(record), ensure_ascii=False))
        return
    console = Console(highlight=False, markup=False, emoji=False)
    for line in told(record, time.time()):
        console.print(line, soft_wrap=True)


async def find(journal: JournalAdmin, execution: str) -> Record:
    """The execution of this id, or of the only one that begins so."""
    record = await journal.find(execution)
    if record is not None:
        return record
    begin = execution.lower()
    found = [r for r in await journal.search(Query(limit=ALL)) if r.execution.startswith(begin)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise OperationNotAllowed(
            f"there is no execution {execution} in the journal. It keeps ended ones for "
            "VERTEXKIT_RETENTION; vertexkit executions list shows what there is"
        )
    names = ", ".join(r.execution for r in found[:3])
    raise OperationNotAllowed(f"{len(found)} executions begin with {execution}: {names}, …")


def retry(executions: Sequence[str], *, fresh: bool, yes: bool) -> int:
    """Take parked executions up again; gives the exit code."""

    async def take_up(journal: JournalAdmin, execution: str) -> str:
        record = await find(journal, execution)
        record = await journal.retry(record.execution, fresh=fresh)
        how = "its result is sent again" if record.result is not None else "its handler runs again"
        return f"{record.execution}: {how}, as soon as the service runs"

    again = " from the beginning: messages may come twice" if fresh else ""
    return _each(executions, take_up, f"run them again{again}", yes=yes)


def drop(executions: Sequence[str], *, yes: bool) -> int:
    """Give executions up for good; gives the exit code."""

    async def give_up(journal: JournalAdmin, execution: str) -> str:
        before = await find(journal, execution)
        after = await journal.drop(before.execution)
        if before.outcome is not None:
            return f"{before.execution}: forgotten"
        if after.outcome is not None:
            return f"{before.execution}: parked as dropped; its result will not be sent"
        return f"{before.execution}: its block is completed as failed (dropped)"

    return _each(executions, give_up, "give them up for good", yes=yes)


def parked(wish: Wish) -> list[str]:
    """Ids of the parked executions that can be run again."""
    query = replace(wish.query(), status=OutcomeStatus.PARKED, phase=None, limit=ALL)
    records = with_journal(lambda journal: journal.search(query))
    return [record.execution for record in records if record.retryable]


def _each(
    executions: Sequence[str],
    work: Callable[[JournalAdmin, str], Awaitable[str]],
    what: str,
    *,
    yes: bool,
) -> int:
    if not executions:
        typer.echo("vertexkit: no execution is named, and none is parked that could be", err=True)
        return EXIT_USAGE
    number = f"{len(executions)} execution{'' if len(executions) == 1 else 's'}"
    if not yes and Console().is_terminal and not typer.confirm(f"{number}: {what}?"):
        return EXIT_FAILED

    async def run(journal: JournalAdmin) -> int:
        code = 0
        for execution in executions:
            try:
                typer.echo(f"  {await work(journal, execution)}")
            except OperationNotAllowed as error:
                typer.echo(f"vertexkit: {error}", err=True)
                code = EXIT_FAILED
        return code

    return with_journal(run)


def as_object(record: Record) -> dict[str, Any]:
    """A record for programs. Times are Unix seconds."""
    outcome = record.outcome
    return {
        "execution": record.execution,
        "block": record.block,
        "dialog": record.dialog,
        "phase": record.phase.value,
        "outcome": None if outcome is None else outcome.status.value,
        "code": outcome.code if outcome is not None else record.result and record.result.code,
        "confirmed_by": outcome.confirmed_by if outcome is not None else "",
        "reason": outcome.reason if outcome is not None else "",
        "attempts": record.attempts,
        "accepted_at": record.accepted_at,
        "claimed_at": record.claimed_at,
        "due_at": record.due_at,
        "result_recorded_at": record.result_recorded_at,
        "completion_tries": record.completion_tries,
        "completion_tried_at": record.completion_tried_at,
        "ended_at": record.ended_at,
        "can_retry": record.outcome is not None and record.retryable,
        "effects": [
            {
                "position": effect.position,
                "kind": effect.kind,
                "state": effect.state.value,
                "began": effect.began,
                "ended": None if effect.state is EffectState.INTENDED else effect.ended,
                "message_id": _message_id(effect.kind, effect.value),
            }
            for effect in record.effects
        ],
        "history": [
            {"at": event.at, "event": event.name, "detail": event.detail}
            for event in record.history
        ],
    }


def _message_id(kind: str, value: bytes) -> int | None:
    if kind != "send" or not value:
        return None
    number = json.loads(value).get("message_id")
    return number if isinstance(number, int) else None
