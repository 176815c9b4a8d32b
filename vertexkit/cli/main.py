"""The command `vertexkit`: its commands, their options, and how an error looks."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from vertexkit.cli.dialogs.commands import dialogs as dialogs_group
from vertexkit.cli.executions.commands import executions
from vertexkit.cli.options import (
    DEBUG_VARIABLE,
    EXIT_FAILED,
    EXIT_USAGE,
    Json,
    LanguageOption,
    terminal_language,
)
from vertexkit.errors import DefinitionError, SettingsError, VertexkitError

cli = typer.Typer(
    name="vertexkit",
    help="External custom blocks for Bot.one, as decorated Python functions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

cli.add_typer(executions)
cli.add_typer(dialogs_group)

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODULE:APP]",
        help="Where the app is, as in hello:app or hello.py; by default VERTEXKIT_APP.",
        show_default=False,
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show whole tracebacks.")]


class _Probe(StrEnum):
    ALIVE = "healthz"
    READY = "readyz"


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"vertexkit {version('vertexkit')}")
        raise typer.Exit


@cli.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """External custom blocks for Bot.one, as decorated Python functions."""


@cli.command()
def run(
    target: Target = None,
    host: Annotated[str | None, typer.Option(help="Listen here.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="0 takes a free one.", show_default="8000"),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="1")] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start again when a file here changes.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Serve the blocks of an app to the platform."""
    from vertexkit.cli.serve.run import serve

    _remember(debug)
    given = {"host": host, "port": port, "workers": workers}
    serve(target, {name: value for name, value in given.items() if value is not None}, reload)


@cli.command()
def dev(
    target: Target = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8765,
    host: Annotated[str, typer.Option(help="Listen here.")] = "127.0.0.1",
    typing: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds that the bot types before a message.")
    ] = 0.7,
    seed: Annotated[int, typer.Option(help="Of what is made up: tokens, dialogs.")] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
) -> None:
    """Try blocks in a browser: the app with reload, the platform played, a page."""
    from vertexkit.cli.develop.dev import Wish, play

    play(Wish(target, host, port, typing, seed, not no_open))


@cli.command()
def trigger(
    target: Target = None,
    block: Annotated[
        str | None,
        typer.Argument(help="The block; not needed if there is one.", show_default=False),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("-i", "--input", metavar="NAME=VALUE", help="An input; may be repeated."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", help="A JSON object of inputs; - reads it from stdin."),
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Do not wait: typing and pauses take no time.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a block here, on a fake platform, and watch the dialog."""
    from vertexkit.cli.develop.trigger import Wish, run_block

    _remember(debug)
    wish = Wish(target, block, inputs or [], file, fast=fast, as_json=as_json, debug=debug)
    raise typer.Exit(run_block(wish))


@cli.command()
def replay(
    run: Annotated[str, typer.Argument(help="A run's id, its beginning, its file, or last.")],
    target: Target = None,
    must_be_same: Annotated[
        bool, typer.Option("--assert", help="Fail if anything differs from what was recorded.")
    ] = False,
    save_test: Annotated[
        Path | None,
        typer.Option(help="Write a pytest file that expects the same.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the current code on a recorded run, with the platform answering as it did then."""
    from vertexkit.cli.develop.replay import Wish, again

    wish = Wish(run, target, must_be_same, save_test, as_json)
    raise typer.Exit(again(wish))


@cli.command()
def platform(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 9000,
    host: Annotated[str, typer.Option(help="Listen here.")] = "127.0.0.1",
    typing: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds that the bot types before a message.")
    ] = 0.7,
    dialogs: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="How many dialogs there are from the start.")
    ] = 200,
    seed: Annotated[int, typer.Option(help="Of what is made up: the dialogs, the tokens.")] = 0,
    *,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not print requests.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Play the platform, for blocks and programs in any language, and print what they ask of it.

    The login of the dialogs is demo, and so is the password.
    """
    from vertexkit.cli.develop.platform import play

    _remember(debug)
    play(host, port, typing, seed=seed, dialogs=dialogs, quiet=quiet, as_json=as_json)


@cli.command()
def capture(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Listen here; 0.0.0.0 for a platform elsewhere.")
    ] = "127.0.0.1",
    status: Annotated[int, typer.Option(min=200, max=599, help="Of every answer.")] = 200,
    body: Annotated[str, typer.Option(help="Of every answer.")] = "{}",
    folder: Annotated[Path, typer.Option(help="Where recordings go.")] = Path(
        ".vertexkit/captures"
    ),
) -> None:
    """Record what a platform sends to a block's URL, and how vertexkit would read it."""
    from vertexkit.cli.develop.capture import record

    record(host, port, folder, status, body)


@cli.command()
def new(
    name: Annotated[str, typer.Argument(help="Of the block, and of the folder to make.")],
    lang: Annotated[
        LanguageOption | None,
        typer.Option(help="What the block speaks.", show_default="the terminal's"),
    ] = None,
) -> None:
    """Begin a project: a block, its tests, its image."""
    from vertexkit.cli.develop.new import create

    create(name, lang.value if lang is not None else terminal_language())


@cli.command()
def check(
    target: Target = None,
    offline: Annotated[bool, typer.Option("--offline", help="Leave the platform alone.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="A warning is a failure too.")] = False,
    as_json: Json = False,
) -> None:
    """Look whether an app would serve well here; each problem is told with its mend."""
    from vertexkit.cli.serve.check import Level, check, show

    findings = check(target, offline=offline)
    show(findings, as_json=as_json)
    bad = {Level.FAIL, Level.WARN} if strict else {Level.FAIL}
    raise typer.Exit(EXIT_FAILED if any(finding.level in bad for finding in findings) else 0)


@cli.command()
def health(
    url: Annotated[
        str | None,
        typer.Option(help="Of the service; by default by VERTEXKIT_HOST and VERTEXKIT_PORT."),
    ] = None,
    ready: Annotated[
        bool, typer.Option("--ready", help="Ask whether it takes calls, not whether it lives.")
    ] = False,
) -> None:
    """Ask a running service whether it is well; for a container's health check."""
    from vertexkit.cli.serve.health import ask

    said, well = ask(url, _Probe.READY if ready else _Probe.ALIVE)
    typer.echo(said, err=not well)
    raise typer.Exit(0 if well else EXIT_FAILED)


def _remember(debug: bool) -> None:
    """Also for the processes that this one starts."""
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"


def main() -> NoReturn:
    """The console script. Exit code 0: done; 1: it failed; 2: it was asked for wrongly."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal of another alphabet is no error
            stream.reconfigure(errors="replace")
    try:
        cli()
    except VertexkitError as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        typer.echo(f"vertexkit: {error}", err=True)
        sys.exit(EXIT_USAGE if isinstance(error, SettingsError | DefinitionError) else EXIT_FAILED)
    except BrokenPipeError:  # whoever read what is printed has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except OSError as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        typer.echo(f"vertexkit: {error}", err=True)
        sys.exit(EXIT_FAILED)
    sys.exit(0)
