"""The commands `vertexkit executions ...`, for operators of a service."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vertexkit.cli.completion import values
from vertexkit.cli.executions import candidates
from vertexkit.cli.options import APP, DEFAULT_APP, Json

executions: typer.Typer = typer.Typer(
    name="executions",
    help="Inspect and manage executions in the journal, also while the service runs.",
    no_args_is_help=True,
)


class _Phase(StrEnum):
    WAITING = "waiting"
    SUSPENDED = "suspended"
    RUNNING = "running"
    COMPLETING = "completing"
    SETTLED = "settled"


class _Outcome(StrEnum):
    COMPLETED = "completed"
    GONE = "gone"
    PARKED = "parked"


Ids = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ID",
        autocompletion=candidates.executions_after_others,
        help="Execution ID or its first characters.",
        show_default=False,
    ),
]
Id = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        autocompletion=candidates.executions,
        help="Execution ID or its first characters.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Block = Annotated[
    str | None,
    typer.Option(autocompletion=values.blocks, help="Filter by block.", show_default=False),
]
Dialog = Annotated[int | None, typer.Option(help="Filter by dialog ID.", show_default=False)]
Code = Annotated[
    str | None,
    typer.Option(help="Filter by the code of the outcome, such as timeout.", show_default=False),
]
Since = Annotated[
    str | None,
    typer.Option(
        help="Accepted since a time: 30m, 2h, 7d (ago), or an ISO time.", show_default=False
    ),
]


@executions.command("list")
def list_(
    phase: Annotated[
        _Phase | None, typer.Option(help="Filter by phase.", show_default=False)
    ] = None,
    outcome: Annotated[
        _Outcome | None, typer.Option(help="Filter by outcome.", show_default=False)
    ] = None,
    block: Block = None,
    dialog: Dialog = None,
    code: Code = None,
    since: Since = None,
    waiting_for: Annotated[
        str | None,
        typer.Option(
            help="Filter by the event that the handler waits for, or by the limit that the "
            "execution waits for: limit (any), rate or fleet_concurrency.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number to list, newest first.")] = 50,
    *,
    as_json: Json = False,
) -> None:
    """List executions, newest first."""
    from vertexkit.cli.executions.actions import list_executions
    from vertexkit.cli.executions.filters import ExecutionFilters
    from vertexkit.execution import OutcomeStatus, Phase

    filters = ExecutionFilters(
        None if phase is None else Phase(phase.value),
        None if outcome is None else OutcomeStatus(outcome.value),
        block,
        dialog,
        code,
        since,
        limit,
        waiting_for,
    )
    list_executions(filters, as_json=as_json)


@executions.command()
def show(
    execution: Id,
    as_json: Json = False,
) -> None:
    """Show the history of an execution and, if it is parked, what can be done about it."""
    from vertexkit.cli.executions import actions

    actions.show(execution, as_json=as_json)


@executions.command()
def workers(as_json: Json = False) -> None:
    """List the workers: which run, and how many executions each holds."""
    from vertexkit.cli.executions.workers import list_workers

    list_workers(as_json=as_json)


@executions.command()
def retry(
    ids: Ids = None,
    all_parked: Annotated[
        bool,
        typer.Option("--all-parked", help="Retry all parked executions that match the filters."),
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh", help="Start from the beginning; messages may be sent a second time."
        ),
    ] = False,
    block: Block = None,
    code: Code = None,
    since: Since = None,
    *,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Retry parked executions: send the result again, or run the handler again."""
    from vertexkit.cli.executions import actions
    from vertexkit.cli.executions.filters import ExecutionFilters

    filters = ExecutionFilters(block=block, code=code, since=since)
    chosen = actions.retryable_executions(filters) if all_parked else ids or []
    raise typer.Exit(actions.retry(chosen, fresh=fresh, yes=yes, as_json=as_json))


@executions.command()
def drop(ids: Ids = None, yes: Yes = False, as_json: Json = False) -> None:
    """Give up executions permanently.

    The block of an execution that waits for its handler is completed as failed.
    """
    from vertexkit.cli.executions import actions

    raise typer.Exit(actions.drop(ids or [], yes=yes, as_json=as_json))


@executions.command("send-event")
def send_event(
    execution: Id,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", autocompletion=candidates.events, help="Name of the event."),
    ],
    data: Annotated[
        str, typer.Option(metavar="JSON", help="Data of the event; - reads it from stdin.")
    ] = "{}",
    as_json: Json = False,
) -> None:
    """Send an event to an execution whose handler waits for it.

    The first event of a name counts. The data is checked when the handler reads it.
    """
    from vertexkit.cli.executions import actions

    raise typer.Exit(actions.send_event(execution, name, data, as_json=as_json))


@executions.command("save-test")
def save_test(
    execution: Id,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FOLDER", help="Folder for the test and the recording."
        ),
    ] = Path("tests"),
    app: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:APP",
            autocompletion=values.apps,
            help=f"{APP} {DEFAULT_APP}",
            show_default=False,
        ),
    ] = None,
    keep_texts: Annotated[
        bool, typer.Option("--keep-texts", help="Do not mask the texts that users wrote.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a recording of an execution and a pytest that repeats it.

    The inputs must still be stored: those of an execution that has not ended, of a parked one that
    can be retried, or any in the folder that VERTEXKIT_RECORD names.
    """
    from vertexkit.cli.executions.saved_test import save

    save(execution, app, output, keep_texts=keep_texts, as_json=as_json)
