"""The commands for writing blocks: `vertexkit dev`, `trigger`, `replay` and others."""

from pathlib import Path
from typing import Annotated

import typer

from vertexkit.cli.completion import values
from vertexkit.cli.develop.call_options import CallOptions
from vertexkit.cli.develop.platform_options import PlatformOptions
from vertexkit.cli.develop.replay_options import ReplayOptions
from vertexkit.cli.option_groups import with_option_groups
from vertexkit.cli.options import (
    Debug,
    Host,
    Json,
    LanguageOption,
    Port,
    Target,
    TargetOrBlock,
    TemplateOption,
    TypingSeconds,
    app_argument,
    block_argument,
    set_debug,
)
from vertexkit.cli.translation import terminal_language
from vertexkit.errors import SettingsError

DEV_MODULES = ("watchfiles", "sse_starlette")
"""Modules that only `vertexkit dev` needs: the extra `dev`."""
develop: typer.Typer = typer.Typer()


@develop.command()
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


@develop.command()
@with_option_groups
def trigger(
    options: CallOptions,
    target: TargetOrBlock = None,
    block: Annotated[
        str | None, block_argument("Name of the block; optional if the app has only one.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Run a block against a fake platform and show the dialog in the terminal."""
    set_debug(debug)
    if options.url is not None:
        from vertexkit.cli.develop.remote import call_service

        if block is not None:
            raise SettingsError(f"with --url, name only the block, got {target!r} and {block!r}")
        raise typer.Exit(call_service(options, target))
    from vertexkit.cli.develop.trigger import TriggerOptions, run_block

    raise typer.Exit(run_block(TriggerOptions.of(options, target, block, debug=debug)))


@develop.command()
def chat(
    target: TargetOrBlock = None,
    block: Annotated[
        str | None, block_argument("Name of the first block. Default: the first one of the app.")
    ] = None,
    *,
    fast: Annotated[
        bool, typer.Option("--fast", help="Skip the time for typing, pauses and waits.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Run blocks many times in a row: asks for inputs and shows each dialog. Ctrl+D ends it.

    What begins with / is a command: /again, /block NAME, /fault NAME, /help, /quit.
    """
    from vertexkit.cli.develop.chat import run_chat
    from vertexkit.cli.develop.trigger import split_target

    set_debug(debug)
    run_chat(*split_target(target, block), fast=fast, debug=debug)


@develop.command()
@with_option_groups
def replay(
    options: ReplayOptions,
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            autocompletion=values.recorded_runs,
            help="ID of a recorded run or its first characters, a recording file, or `last`.",
        ),
    ],
    target: Annotated[str | None, app_argument(values.apps, "Default: the recorded app.")] = None,
) -> None:
    """Run the current code with the inputs and the platform's responses of a recorded run."""
    from vertexkit.cli.develop.replay import replay_run

    raise typer.Exit(replay_run(run, target, options))


@develop.command()
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

    set_debug(debug)
    serve_platform(host, port, options)


@develop.command()
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
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the recordings.")
    ] = Path(".vertexkit/captures"),
) -> None:
    """Record the calls a platform sends to a block's URL, and show how vertexkit reads them."""
    from vertexkit.cli.develop.capture import record_calls

    record_calls(host, port, output, status, body)


@develop.command()
def new(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Name of the block and of the folder to create."),
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
    *,
    as_json: Json = False,
) -> None:
    """Create a new project with a block, tests, a Dockerfile and a CI file.

    The templates are: `plain` greets; `lookup` asks another service over HTTP; `waiting` waits for a
    decision that arrives as an event; `model` answers with a language model.
    """
    from vertexkit.cli.develop.new import create_project

    language = lang.language if lang is not None else terminal_language()
    create_project(name, language, template.value, bundled=wheel, as_json=as_json)
