"""`vertexkit executions save-test`: from an execution to a recording and a pytest."""

from dataclasses import asdict
from pathlib import Path

from vertexkit.cli import output
from vertexkit.cli.executions.actions import with_journal
from vertexkit.cli.translation import translate
from vertexkit.journal.encryption import recordings_cipher
from vertexkit.loading import find_app
from vertexkit.operators.saved_tests import BlocksOfApp, SavedTest, save_test
from vertexkit.recordings import RecordingsFolder
from vertexkit.settings import Settings


def save(
    execution: str, target: str | None, folder: Path, *, keep_texts: bool, as_json: bool
) -> None:
    """Write the files, and print what they are.

    Args:
        execution: id of the execution, or the start of it.
        target: the app, as `find_app` takes it.
        folder: for the files.
        keep_texts: do not mask what users wrote.
        as_json: print a JSON object.

    Raises:
        OperationNotAllowed: there is no such execution, or its inputs are not stored any more.
        SettingsError: there is no such app or block, or a file exists.
        JournalUnusable: the journal cannot be opened.
    """
    name, app = find_app(target)
    settings = Settings.load()
    recordings = None
    if settings.logging.record is not None:
        cipher = recordings_cipher(settings.journal)
        recordings = RecordingsFolder(settings.logging.record, cipher)
    saved = with_journal(
        lambda journal: save_test(
            journal,
            execution,
            BlocksOfApp(name, app.blocks),
            folder,
            recordings=recordings,
            keep_texts=keep_texts,
        )
    )
    if as_json:
        output.print_json(asdict(saved))
    else:
        _show(saved, keep_texts=keep_texts)


def _show(saved: SavedTest, *, keep_texts: bool) -> None:
    code = f" {translate('with code {0}', saved.code)}" if saved.code else ""
    output.echo(f"  {saved.execution}: {saved.block}, {saved.state}{code}")
    output.echo(f"  {translate('Saved {0} and {1}.', saved.test, saved.recording)}")
    if saved.passes:
        output.echo(f"  {translate('The test passes as long as the block behaves like this.')}")
    else:
        output.echo(f"  {translate('The test fails until the block handles this call.')}")
    if saved.masked:
        names = ", ".join(saved.masked)
        output.echo(f"  {translate('Masked texts: {0}. To keep them, use --keep-texts.', names)}")
    elif not keep_texts:
        output.echo(f"  {translate('The inputs have no texts to mask.')}")
    if saved.unfit:
        names = ", ".join(saved.unfit)
        output.echo(
            f"  {translate('The block rejects the masked text of: {0}. Edit it in the test.', names)}"
        )
    if not saved.recorded:
        output.echo(
            f"  {translate('The journal has no texts of messages, so the test counts them. The functions of steps run: replace them as docs/testing.md shows.')}"
        )
