"""`vertexkit check --recorded`: whether the current code accepts the inputs of recorded runs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.text import Text

from vertexkit.blocks.registry import Block
from vertexkit.cli import output
from vertexkit.cli.check.event_types import event_problem
from vertexkit.cli.options import EXIT_FAILED
from vertexkit.cli.table import Table
from vertexkit.cli.translation import translate, translate_count, translate_sentence
from vertexkit.errors import SettingsError
from vertexkit.journal.encryption import recordings_cipher
from vertexkit.loading import find_app, suggestion
from vertexkit.recordings import REJECTED, Recording, RecordingsFolder
from vertexkit.settings import Settings

COLUMNS = ("recording", "block", "inputs", "problem")
FITS, FAILS = "fit", "do not fit"
STYLES = {FITS: "green", FAILS: "bold red"}


@dataclass(frozen=True, slots=True)
class RecordedInputs:
    """The inputs of a recorded run, and what the current code says about them."""

    recording: str
    block: str
    problems: tuple[str, ...]
    """Each with the name of the input, and without its value."""
    unchecked: tuple[str, ...]
    """Names of events that the run received and whose types are not known."""


def check_recorded(target: str | None, folder: Path, *, as_json: bool) -> int:
    """Validate the inputs of recorded runs, and print a row for each.

    Args:
        target: the app, as `find_app` takes it.
        folder: of the recordings.
        as_json: print one JSON object for each run.

    Returns:
        The exit code: 1 if an input does not fit.

    Raises:
        SettingsError: there is no such app, no recording, or one that cannot be read.
    """
    _, app = find_app(target)
    found = [check_recording(recording, app.blocks) for recording in read_recordings(folder)]
    if as_json:
        for inputs in found:
            output.print_json(asdict(inputs))
    else:
        _show(found)
    return EXIT_FAILED if any(inputs.problems for inputs in found) else 0


def read_recordings(folder: Path) -> list[Recording]:
    """Read all recordings of a folder, newest first.

    Raises:
        SettingsError: there are none, or one cannot be read.
    """
    recordings = RecordingsFolder(folder, recordings_cipher(Settings.load().journal))
    files = recordings.files()
    if not files:
        raise SettingsError(
            f"{folder} has no recordings (*.jsonl). `vertexkit dev` and `trigger` record runs, and "
            "`vertexkit run` does if VERTEXKIT_RECORD names a folder"
        )
    return [recordings.find(str(file)) for file in files]


def check_recording(recording: Recording, blocks: Mapping[str, Block]) -> RecordedInputs:
    """Validate the inputs of a recorded run.

    Args:
        recording: of the run.
        blocks: of the current code.
    """
    header = recording.header
    block = blocks.get(header.block)
    problems: list[str] = []
    unchecked: list[str] = []
    if block is None:
        problems = [f"the app has no such block.{suggestion(header.block, blocks)}"]
    elif recording.outcome != REJECTED:  # else the inputs were invalid when they were recorded
        problems = input_problems(block, header.inputs)
        for wait in recording.waits():
            problem = event_problem(block, wait.event, wait.data) if wait.by_event else ""
            if problem is None:
                unchecked.append(wait.event)
            elif problem:
                problems.append(problem)
    return RecordedInputs(header.id, header.block, tuple(problems), tuple(unchecked))


def input_problems(block: Block, inputs: dict[str, Any]) -> list[str]:
    """Return a sentence for each thing that a block rejects in its inputs.

    Args:
        block: of the app.
        inputs: by name.
    """
    try:
        block.signature.read(inputs)
    except ValidationError as error:
        return [
            f"{'.'.join(map(str, problem['loc'])) or 'inputs'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
    except Exception as error:  # noqa: BLE001 - an author's validators may raise anything
        return [f"inputs: {type(error).__name__} in a validator"]
    return []


def _show(found: list[RecordedInputs]) -> None:
    console = output.console()
    rows = [
        (
            inputs.recording,
            inputs.block,
            FAILS if inputs.problems else FITS,
            translate_sentence(problem),
        )
        for inputs in found
        for problem in inputs.problems or ("",)
    ]
    head, lines = Table(COLUMNS, "inputs", STYLES).lines(rows)
    for line in (head, *lines):
        console.print(Text("  ") + line, soft_wrap=True)
    failing = sum(bool(inputs.problems) for inputs in found)
    summary = translate_count(
        len(found),
        "{0} recording: {1} fit, {2} do not",
        "{0} recordings: {1} fit, {2} do not",
        len(found) - failing,
        failing,
    )
    console.print(Text(f"  {summary}", "dim"))
    if unchecked := sorted({name for inputs in found for name in inputs.unchecked}):
        names = ", ".join(unchecked)
        text = f"  {translate('events that cannot be checked, because their types are computed: {0}', names)}"
        console.print(Text(text, "yellow"), soft_wrap=True)
