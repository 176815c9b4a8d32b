"""The commands `vertexkit run`, `check`, `health` and `journal ...`."""

from enum import StrEnum
from typing import Annotated

import typer

from vertexkit.cli.check.options import CheckOptions
from vertexkit.cli.option_groups import with_option_groups
from vertexkit.cli.options import EXIT_FAILED, Debug, Json, Port, Target, set_debug
from vertexkit.cli.translation import translate_sentence
from vertexkit.text import sanitize_lines

serve: typer.Typer = typer.Typer()
journal: typer.Typer = typer.Typer(
    name="journal", help="Prepare and encrypt the journal.", no_args_is_help=True
)


@journal.command("migrate")
def migrate_journal(as_json: Json = False) -> None:
    """Create the schema of a PostgreSQL journal, or bring it to this version of vertexkit."""
    from vertexkit.cli.serve import migrate

    migrate.migrate_journal(as_json=as_json)


@journal.command("rekey")
def rekey_journal(as_json: Json = False) -> None:
    """Encrypt the whole journal with the first key of VERTEXKIT_JOURNAL_KEYS.

    Afterwards the other keys can be removed. Also runs while the service runs.
    """
    from vertexkit.cli.serve import rekey

    rekey.rekey_journal(as_json=as_json)


class _HealthPage(StrEnum):
    ALIVE = "healthz"
    READY = "readyz"


@serve.command()
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
    public_url: Annotated[
        str | None,
        typer.Option(
            help="URL at which the platform reaches this machine, https://….", show_default=False
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Serve the blocks of an app to the platform."""
    from vertexkit.cli.serve.run import serve as serve_app

    set_debug(debug)
    given = {"host": host, "port": port, "workers": workers, "public_url": public_url}
    serve_app(target, {name: value for name, value in given.items() if value is not None}, reload)


@serve.command()
@with_option_groups
def check(
    checks: CheckOptions,
    target: Target = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not connect to the platform.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 1 on warnings, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check the app and its configuration; report each problem and how to fix it.

    With one of the options that name another check, only that check is made.
    """
    if checks.any:
        from vertexkit.cli.check.run import run_checks

        raise typer.Exit(run_checks(target, checks, as_json=as_json))
    from vertexkit.cli.serve.check import check
    from vertexkit.cli.serve.findings import exit_code, show

    findings = check(target, offline=offline)
    show(findings, as_json=as_json)
    raise typer.Exit(exit_code(findings, strict=strict))


@serve.command()
def doctor(
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not connect to the platform.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check this machine: Python, settings, ports, journal, platform, clock and login.

    Each problem has the command that fixes it. The exit code is 1 if a service would not work.
    """
    from vertexkit.cli.serve.doctor import MARKS, examine
    from vertexkit.cli.serve.findings import exit_code, show

    findings = examine(offline=offline)
    show(findings, as_json=as_json, marks=MARKS)
    raise typer.Exit(exit_code(findings))


@serve.command()
def health(
    url: Annotated[
        str | None,
        typer.Option(help="URL of the service.", show_default="from the settings"),
    ] = None,
    ready: Annotated[
        bool, typer.Option("--ready", help="Check that it accepts calls, not only that it runs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check whether a running service is healthy; for a container's health check."""
    from vertexkit.cli.serve.health import check_health

    health = check_health(url, _HealthPage.READY if ready else _HealthPage.ALIVE)
    if as_json:
        import json

        typer.echo(json.dumps(health._asdict()))
    else:
        typer.echo(sanitize_lines(translate_sentence(health.text)), err=not health.healthy)
    raise typer.Exit(0 if health.healthy else EXIT_FAILED)


@serve.command()
def console(
    port: Port = 8766,
    write: Annotated[
        bool, typer.Option("--write", help="Allow to retry and drop executions and to send events.")
    ] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
) -> None:
    """Show the executions of the journal in a browser, also while the service is stopped."""
    from vertexkit.cli.serve.console import ConsoleOptions, serve_console

    serve_console(ConsoleOptions(port, write, not no_open))
