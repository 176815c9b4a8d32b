"""The command `vertexkit`: its commands, their options, and how errors are printed."""

import os
import sys
from collections.abc import Callable
from typing import Annotated, NoReturn, cast

import typer

from vertexkit.cli.command import RootGroup, narrowed, use_command_class
from vertexkit.cli.completion.commands import completion
from vertexkit.cli.completion.scripts import COMPLETE_VARIABLE
from vertexkit.cli.develop.commands import develop
from vertexkit.cli.dialogs.commands import dialogs
from vertexkit.cli.ending import Ending, end_process
from vertexkit.cli.executions.commands import executions
from vertexkit.cli.options import DEBUG_VARIABLE, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE
from vertexkit.cli.serve.commands import journal, serve
from vertexkit.cli.translation import (
    terminal_language,
    translate_command,
    translate_sentence,
    use_language,
)
from vertexkit.errors import DefinitionError, SettingsError, VertexkitError
from vertexkit.references import SYSTEM_REFERENCE
from vertexkit.text import sanitize_lines

SUMMARY = "Write, test and serve external custom blocks for the Bot.one platform."

cli: typer.Typer = typer.Typer(
    name="vertexkit",
    help=SUMMARY,
    no_args_is_help=True,
    cls=RootGroup,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _group in (serve, develop, executions, journal, dialogs, completion):
    cli.add_typer(_group)


def _show_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(f"vertexkit {version('vertexkit')}")
        raise typer.Exit


@cli.callback(help=SUMMARY)
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            callback=_show_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Options of `vertexkit` itself."""


use_command_class(cli)


def _command() -> Callable[[], object]:
    """Return the command, with help texts in the language of the terminal."""
    words = () if os.environ.get(COMPLETE_VARIABLE) else sys.argv[1:]
    command = narrowed(cli, words)
    if terminal_language() == "en":
        return command
    use_language()
    return cast("Callable[[], object]", translate_command(typer.main.get_command(command)))


def main() -> NoReturn:
    """Run the console script.

    The exit code is 0 on success, 1 if the command failed, 2 if options, settings or inputs are
    wrong, and 130 if Ctrl+C has ended it before it was ready for the signal.
    """
    Ending.runs_handlers = Ending.has_left_tasks = False
    try:
        _run()
    except SystemExit as error:
        end_process(error.code if isinstance(error.code, int) else 0)
        raise
    except BaseException as error:
        if Ending.runs_handlers:
            sys.excepthook(type(error), error, error.__traceback__)
            end_process(EXIT_FAILED)
            sys.exit(EXIT_FAILED)
        raise


def _run() -> NoReturn:
    """Run the command, and turn its errors into exit codes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # print "?" where the terminal's encoding has no letter
            stream.reconfigure(errors="replace")
    if os.environ.get(COMPLETE_VARIABLE):
        from typer._completion_classes import completion_init

        completion_init()
    try:
        try:
            _command()()
        finally:
            sys.stdout.flush()  # at the exit of Python an error could not be handled
    except VertexkitError as error:
        usage = isinstance(error, (SettingsError, DefinitionError))
        sentences = [str(error), *getattr(error, "__notes__", ())]
        message = ". ".join(map(translate_sentence, sentences))
        _fail(error, f"{message} [{error.reference}]", EXIT_USAGE if usage else EXIT_FAILED)
    except BrokenPipeError:  # the reader of the output has closed the pipe, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except OSError as error:
        path = f"{error.filename}: " if error.filename else ""
        _fail(error, f"{path}{error.strerror or error} [{SYSTEM_REFERENCE}]", EXIT_FAILED)
    except BaseException as error:
        if not _is_cancellation(error):
            raise
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(0)


def _is_cancellation(error: BaseException) -> bool:
    """Whether a signal has cancelled the command before asyncio counted it.

    asyncio makes KeyboardInterrupt of the cancellation that follows Ctrl+C, but not if the signal
    comes just after `asyncio.run` has set its handler. Commands without asyncio do not load it.
    """
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def _fail(error: Exception, message: str, exit_code: int) -> NoReturn:
    """Print an error and exit; with --debug, raise it again."""
    if os.environ.get(DEBUG_VARIABLE):
        raise error
    typer.echo(f"vertexkit: {sanitize_lines(message)}", err=True)
    sys.exit(exit_code)
