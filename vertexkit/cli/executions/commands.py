"""The commands of whoever runs a service: `vertexkit executions ...`."""

from enum import StrEnum
from typing import Annotated

import typer

from vertexkit.cli.options import Json

executions = typer.Typer(
    name="executions",
    help="What is in the journal, also while the service runs, and what may be done about it.",
    no_args_is_help=True,
)


class _Phase(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    COMPLETING = "completing"
    SETTLED = "settled"


class _Outcome(StrEnum):
    COMPLETED = "completed"
    GONE = "gone"
    PARKED = "parked"


Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="An id, or its beginning.", show_default=False),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Block = Annotated[str | None, typer.Option(help="Of this block.", show_default=False)]
Dialog = Annotated[int | None, typer.Option(help="Of this dialog.", show_default=False)]
Code = Annotated[str | None, typer.Option(help="With this code.", show_default=False)]
Since = Annotated[
    str | None,
    typer.Option(help="Accepted since: 30m, 2h, 7d ago, or an ISO time.", show_default=False),
]


@executions.command("list")
def list_(
    phase: Annotated[_Phase | None, typer.Option(help="How far it is.", show_default=False)] = None,
    outcome: Annotated[
        _Outcome | None, typer.Option(help="How it ended.", show_default=False)
    ] = None,
    block: Block = None,
    dialog: Dialog = None,
    code: Code = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    *,
    as_json: Json = False,
) -> None:
    """List executions, the newest first."""
    from vertexkit.cli.executions.actions import Wish, list_all
    from vertexkit.execution import OutcomeStatus, Phase

    wish = Wish(
        None if phase is None else Phase(phase.value),
        None if outcome is None else OutcomeStatus(outcome.value),
        block,
        dialog,
        code,
        since,
        limit,
    )
    list_all(wish, as_json=as_json)


@executions.command()
def show(
    execution: Annotated[str, typer.Argument(metavar="ID", help="An id, or its beginning.")],
    as_json: Json = False,
) -> None:
    """Draw what happened to one execution; for a parked one, say what may be done."""
    from vertexkit.cli.executions.actions import show as draw

    draw(execution, as_json=as_json)


@executions.command()
def retry(
    ids: Ids = None,
    all_parked: Annotated[
        bool, typer.Option("--all-parked", help="All that are parked and can be.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="From the beginning: messages may come twice.")
    ] = False,
    block: Block = None,
    code: Code = None,
    since: Since = None,
    *,
    yes: Yes = False,
) -> None:
    """Take parked executions up again."""
    from vertexkit.cli.executions.actions import Wish, parked
    from vertexkit.cli.executions.actions import retry as take_up

    wish = Wish(block=block, code=code, since=since)
    chosen = parked(wish) if all_parked else ids or []
    raise typer.Exit(take_up(chosen, fresh=fresh, yes=yes))


@executions.command()
def drop(ids: Ids = None, yes: Yes = False) -> None:
    """Give executions up for good; the dialog of one that waits for its handler goes on."""
    from vertexkit.cli.executions.actions import drop as give_up

    raise typer.Exit(give_up(ids or [], yes=yes))
