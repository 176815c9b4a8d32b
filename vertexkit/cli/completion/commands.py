"""The command `vertexkit completion`."""

from typing import Annotated

import typer

from vertexkit.cli.completion.scripts import SCRIPTS, Shell

completion: typer.Typer = typer.Typer()


@completion.command("completion")
def completion_(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print the script with which a shell completes this command.

    It completes commands, options, apps, blocks, recorded runs and executions.
    """
    typer.echo(SCRIPTS[shell], nl=False)
