"""The commands `vertexkit journal ...`."""

import typer

journal: typer.Typer = typer.Typer(
    name="journal", help="Prepare and encrypt the journal.", no_args_is_help=True
)


@journal.command("migrate")
def migrate_journal() -> None:
    """Create the schema of a PostgreSQL journal, or bring it to this version of vertexkit."""
    from vertexkit.cli.serve import migrate

    migrate.migrate_journal()


@journal.command("rekey")
def rekey_journal() -> None:
    """Encrypt the whole journal with the first key of VERTEXKIT_JOURNAL_KEYS.

    Afterwards the other keys can be removed. Also runs while the service runs.
    """
    from vertexkit.cli.serve import rekey

    rekey.rekey_journal()
