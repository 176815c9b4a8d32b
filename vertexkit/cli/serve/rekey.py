"""`vertexkit journal rekey`: encrypt a journal and its recordings with the newest key."""

from vertexkit.cli import output
from vertexkit.cli.executions.actions import with_journal
from vertexkit.cli.translation import translate
from vertexkit.errors import SettingsError
from vertexkit.journal.encryption import journal_keys, recordings_cipher
from vertexkit.journal.protocol import JournalAdmin
from vertexkit.recordings import RecordingsFolder
from vertexkit.settings import KEY_COMMAND, Settings


def rekey_journal(*, as_json: bool = False) -> None:
    """Seal all values of the journal and of recordings with the first key of the settings.

    Args:
        as_json: print JSON instead of text.

    Raises:
        SettingsError: there are no keys.
        OperationNotAllowed: the service that has the journal open has other keys.
        JournalUnusable: the journal cannot be opened.
    """
    settings = Settings.load()
    keys = journal_keys(settings.journal)
    if keys is None:
        raise SettingsError(f"VERTEXKIT_JOURNAL_KEYS is not set. Generate a key: {KEY_COMMAND}")
    newest = keys.newest

    async def rekey(journal: JournalAdmin) -> int:
        rows, after = 0, ""
        while True:
            rekeyed = await journal.rekey(newest, after)
            rows, after = rows + rekeyed.rows, rekeyed.after
            if not after:
                return rows

    rows = with_journal(rekey)
    files = 0
    if settings.logging.record is not None:
        files = RecordingsFolder(
            settings.logging.record, recordings_cipher(settings.journal)
        ).rekey()
    if as_json:
        output.print_json({"key": newest, "rows": rows, "recorded_runs": files})
        return
    output.echo(
        f"  {translate('the journal and its recordings are encrypted with the key {0} alone; rows: {1}, recorded runs: {2}', newest, rows, files)}"
    )
