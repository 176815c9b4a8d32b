"""The command `vertexkit`: its commands, their options, and how errors are printed."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from vertexkit.cli.command import use_command_class
from vertexkit.cli.develop.platform_options import PlatformOptions
from vertexkit.cli.dialogs.commands import dialogs as dialogs_group
from vertexkit.cli.executions.commands import executions
from vertexkit.cli.option_groups import with_option_groups
from vertexkit.cli.options import (
    DEBUG_VARIABLE,
    EXIT_FAILED,
    EXIT_USAGE,
    Json,
    LanguageOption,
    TemplateOption,
    terminal_language,
)
from vertexkit.cli.serve.commands import journal
from vertexkit.errors import DefinitionError, SettingsError, VertexkitError
from vertexkit.text import sanitize_lines

SUMMARY = "Write, test and serve external custom blocks for the Bot.one platform."
SYSTEM_REFERENCE = "VK-002"
"""In docs/errors.md: an error of the operating system."""
DEV_MODULES = ("watchfiles", "sse_starlette")
"""Modules that only `vertexkit dev` needs: the extra `dev`."""
APP = "The app, for example hello:app or hello.py."

cli: typer.Typer = typer.Typer(
    name="vertexkit",
    help=SUMMARY,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

cli.add_typer(executions)
cli.add_typer(journal)
cli.add_typer(dialogs_group)

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="MODULE:APP",
        help=f"{APP} Default: VERTEXKIT_APP; app of [tool.vertexkit] in pyproject.toml; block.py, "
        "main.py, app.py or hello.py.",
        show_default=False,
    ),
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[
    int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 selects a free port.")
]
TypingSeconds = Annotated[
    float,
    typer.Option(min=0, max=60, help="Seconds of simulated typing before each message."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Print full tracebacks.")]


class _HealthPage(StrEnum):
    ALIVE = "healthz"
    READY = "readyz"


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


@cli.command()
def run(
    target: Target = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Port to listen on; 0 selects a free port.",
            show_default="8000",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of worker processes.", show_default="1")
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Restart when a file in this folder changes.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Serve the blocks of an app to the platform."""
    from vertexkit.cli.serve.run import serve

    _set_debug(debug)
    given = {"host": host, "port": port, "workers": workers}
    serve(target, {name: value for name, value in given.items() if value is not None}, reload)


@cli.command()
def dev(
    target: Target = None,
    port: Port = 8765,
    host: Host = "127.0.0.1",
    typing: TypingSeconds = 0.7,
    seed: Annotated[int, typer.Option(help="Seed for the generated tokens and dialogs.")] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
) -> None:
    """Run a development server with auto-reload, a fake platform and a web UI."""
    try:
        from vertexkit.cli.develop.dev import DevOptions, serve_playground
    except ModuleNotFoundError as error:
        if error.name not in DEV_MODULES:
            raise
        raise SettingsError(
            "vertexkit dev needs other packages. Run: pip install 'vertexkit[dev]'"
        ) from error
    serve_playground(DevOptions(target, host, port, typing, seed, not no_open))


@cli.command()
def trigger(
    target: Target = None,
    block: Annotated[
        str | None,
        typer.Argument(
            metavar="BLOCK",
            help="Name of the block; optional if the app has only one.",
            show_default=False,
        ),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("-i", "--input", metavar="NAME=VALUE", help="Input of the block; repeatable."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "-f", "--file", help="JSON file with an object of inputs; - reads standard input."
        ),
    ] = None,
    events: Annotated[
        list[str] | None,
        typer.Option(
            "-e",
            "--event",
            metavar="NAME=JSON",
            help="Event to send when the block waits for it; repeatable. Default: ask.",
            show_default=False,
        ),
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Skip the time for typing, pauses and waits.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a block against a fake platform and show the dialog in the terminal."""
    from vertexkit.cli.develop.trigger import TriggerOptions, run_block

    _set_debug(debug)
    given = tuple(events or ())
    options = TriggerOptions(
        target, block, inputs or [], file, given, fast=fast, as_json=as_json, debug=debug
    )
    raise typer.Exit(run_block(options))


@cli.command()
def replay(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="ID of a recorded run or its first characters, a recording file, or `last`.",
        ),
    ],
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="MODULE:APP", help=f"{APP} Default: the recorded app.", show_default=False
        ),
    ] = None,
    must_match: Annotated[
        bool,
        typer.Option("--assert", help="Exit with code 1 if anything differs from the recording."),
    ] = False,
    save_test: Annotated[
        Path | None,
        typer.Option(
            help="Do not run the block; write a pytest file that expects the recorded behaviour.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the current code with the inputs and the platform's responses of a recorded run."""
    from vertexkit.cli.develop.replay import ReplayOptions, replay_run

    raise typer.Exit(replay_run(ReplayOptions(run, target, must_match, save_test, as_json)))


@cli.command()
@with_option_groups
def platform(
    options: PlatformOptions,
    port: Port = 9000,
    host: Host = "127.0.0.1",
    debug: Debug = False,
) -> None:
    """Run a fake platform server and print the requests it receives.

    The login and the password of its dialog API are both `demo`.
    """
    from vertexkit.cli.develop.platform import serve_platform

    _set_debug(debug)
    serve_platform(host, port, options)


@cli.command()
def capture(
    port: Port = 8000,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; 0.0.0.0 accepts calls from other machines."),
    ] = "127.0.0.1",
    status: Annotated[
        int, typer.Option(min=200, max=599, help="HTTP status of every response.")
    ] = 200,
    body: Annotated[str, typer.Option(help="Body of every response.")] = "{}",
    folder: Annotated[Path, typer.Option(help="Folder for the recordings.")] = Path(
        ".vertexkit/captures"
    ),
) -> None:
    """Record the calls a platform sends to a block's URL, and show how vertexkit reads them."""
    from vertexkit.cli.develop.capture import record_calls

    record_calls(host, port, folder, status, body)


@cli.command()
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the block and of the folder to create.")
    ],
    lang: Annotated[
        LanguageOption | None,
        typer.Option(
            help="Language of the block's messages and of the README.",
            show_default="from the locale",
        ),
    ] = None,
    template: Annotated[
        TemplateOption, typer.Option(help="Kind of block to start from.")
    ] = TemplateOption.PLAIN,
    wheel: Annotated[
        bool,
        typer.Option(
            "--wheel/--no-wheel",
            help="Put a wheel of vertexkit into the project, or install it from a package index.",
        ),
    ] = True,
) -> None:
    """Create a new project with a block, tests, a Dockerfile and a CI file.

    The templates are: `plain` greets; `lookup` asks another service over HTTP; `waiting` waits for a
    decision that arrives as an event; `model` answers with a language model.
    """
    from vertexkit.cli.develop.new import create_project

    language = lang.language if lang is not None else terminal_language()
    create_project(name, language, template.value, bundled=wheel)


@cli.command()
def check(
    target: Target = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not connect to the platform.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 1 on warnings, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check the app and its configuration; report each problem and how to fix it."""
    from vertexkit.cli.serve.check import Level, check, show

    findings = check(target, offline=offline)
    show(findings, as_json=as_json)
    failing = {Level.FAIL, Level.WARN} if strict else {Level.FAIL}
    failed = any(finding.level in failing for finding in findings)
    raise typer.Exit(EXIT_FAILED if failed else 0)


@cli.command()
def health(
    url: Annotated[
        str | None,
        typer.Option(help="URL of the service.", show_default="from the settings"),
    ] = None,
    ready: Annotated[
        bool, typer.Option("--ready", help="Check that it accepts calls, not only that it runs.")
    ] = False,
) -> None:
    """Check whether a running service is healthy; for a container's health check."""
    from vertexkit.cli.serve.health import check_health

    report, healthy = check_health(url, _HealthPage.READY if ready else _HealthPage.ALIVE)
    typer.echo(sanitize_lines(report), err=not healthy)
    raise typer.Exit(0 if healthy else EXIT_FAILED)


def _set_debug(debug: bool) -> None:
    """Turn on tracebacks in this process and in its child processes."""
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"


use_command_class(cli)


def main() -> NoReturn:
    """Run the console script.

    The exit code is 0 on success, 1 if the command failed, and 2 if options, settings or inputs
    are wrong.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # print "?" where the terminal's encoding has no letter
            stream.reconfigure(errors="replace")
    try:
        try:
            cli()
        finally:
            sys.stdout.flush()  # at the exit of Python an error could not be handled
    except VertexkitError as error:
        usage = isinstance(error, SettingsError | DefinitionError)
        message = ". ".join([str(error), *getattr(error, "__notes__", ())])
        _fail(error, f"{message} [{error.reference}]", EXIT_USAGE if usage else EXIT_FAILED)
    except BrokenPipeError:  # the reader of the output has closed the pipe, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except OSError as error:
        path = f"{error.filename}: " if error.filename else ""
        _fail(error, f"{path}{error.strerror or error} [{SYSTEM_REFERENCE}]", EXIT_FAILED)
    sys.exit(0)


def _fail(error: Exception, message: str, exit_code: int) -> NoReturn:
    """Print an error and exit; with --debug, raise it again."""
    if os.environ.get(DEBUG_VARIABLE):
        raise error
    typer.echo(f"vertexkit: {sanitize_lines(message)}", err=True)
    sys.exit(exit_code)
