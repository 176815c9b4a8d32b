"""From an execution in the journal to a recording and a pytest that repeats it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vertexkit.blocks.registry import Block
from vertexkit.errors import OperationNotAllowed, SettingsError
from vertexkit.execution import Phase
from vertexkit.failure import FAILURE_MESSAGES
from vertexkit.journal.protocol import JournalAdmin, Record
from vertexkit.operators.executions import find
from vertexkit.operators.reconstruction import reconstruct
from vertexkit.recordings.folder import RecordingsFolder
from vertexkit.recordings.format import Recording
from vertexkit.recordings.generated_test import Expected, generate_test, generated_test_name
from vertexkit.recordings.masking import mask_inputs, mask_value
from vertexkit.recordings.recorder import FIXED_FIELDS
from vertexkit.system.private_files import create_private_text
from vertexkit.telemetry.redaction import redact_json

OK, GONE = "ok", "gone"
DEFAULT_FOLDER = Path("tests")
MASKED_FIELDS: dict[str, tuple[str, ...]] = {"request": ("request", "answer"), "event": ("fields",)}
"""The kinds of a recording's lines that are kept if texts are masked, and their fields with texts."""
PLAIN_EVENT_FIELDS = frozenset({"event", "name", "step", "kind", "position", "code", "outcome"})
"""Fields of events that users do not choose."""


@dataclass(frozen=True, slots=True)
class BlocksOfApp:
    """The app whose executions become tests."""

    target: str
    """Its name, `module:app`."""
    blocks: Mapping[str, Block]


@dataclass(frozen=True, slots=True)
class SavedTest:
    """What was written for an execution."""

    execution: str
    block: str
    state: str
    """`completed`, `gone`, `parked`, or the phase of an execution that has not ended."""
    code: str
    """`ok`, or the code of its failure; empty if there is no result yet."""
    test: Path
    recording: Path
    passes: bool
    """Whether the test is meant to pass before the code is changed."""
    recorded: bool
    """The service has recorded the run, so that the texts of its messages are known."""
    masked: tuple[str, ...] = ()
    """Names of the inputs whose texts are masked."""
    unfit: tuple[str, ...] = ()
    """Those of them for which no masked text is known that the block accepts."""


async def save_test(
    journal: JournalAdmin,
    execution: str,
    app: BlocksOfApp,
    folder: Path = DEFAULT_FOLDER,
    *,
    recordings: RecordingsFolder | None = None,
    keep_texts: bool = False,
) -> SavedTest:
    """Write a recording of an execution, and a pytest that repeats it.

    Args:
        journal: has the execution.
        execution: its id, or the start of it.
        app: has its block.
        folder: for both files; it is created.
        recordings: of the service (`VERTEXKIT_RECORD`); None: it does not record.
        keep_texts: keep what users wrote; else it is masked.

    Returns:
        The files, and what was masked.

    Raises:
        OperationNotAllowed: there is no such execution, or its inputs are not stored any more.
        SettingsError: the app has no such block, or a file of the same name exists.
        OSError: the files cannot be written.
    """
    record = await find(journal, execution)
    block = app.blocks.get(record.block)
    if block is None:
        raise SettingsError(
            f"{app.target} has no block {record.block!r}, which the execution {record.execution} "
            f"has called. The app has: {', '.join(app.blocks)}"
        )
    recorded = recordings.find_execution(record.execution) if recordings is not None else None
    if recorded is None:
        inputs = await journal.stored_inputs(record.execution)
        if inputs is None:
            raise OperationNotAllowed(_why_erased(record, recordings))
        recording = reconstruct(record, inputs, app.target)
    else:
        recording = replace(recorded, header=replace(recorded.header, target=app.target))
    masked: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()
    if not keep_texts:
        recording, masked, unfit = _without_texts(recording, block)
    code = _code(record)
    passes = code in {"", OK, GONE} or code not in FAILURE_MESSAGES
    is_exact = keep_texts and recorded is not None and code == OK
    lines = () if is_exact else tuple(_expectations(record, recording, passes=passes))
    notes = _notes(record, masked, passes=passes)
    waits = record.outcome is None and record.phase is Phase.SUSPENDED
    expected = None if is_exact else Expected(lines, notes, still_waits=waits)
    test, file = _write(recording, block, folder, expected)
    state = record.phase.value if record.outcome is None else record.outcome.status.value
    return SavedTest(
        record.execution, record.block, state, code, test, file, passes, recorded is not None,
        masked, unfit,
    )  # fmt: skip


def _why_erased(record: Record, recordings: RecordingsFolder | None) -> str:
    where = (
        "VERTEXKIT_RECORD is not set"
        if recordings is None
        else f"no recording in {recordings.path} is of this execution"
    )
    return (
        f"the inputs of execution {record.execution} were erased when it ended, and {where}. The "
        "journal keeps the inputs of executions that have not ended, and of parked ones that can "
        "be retried; to keep those of others, set VERTEXKIT_RECORD to a folder"
    )


def _code(record: Record) -> str:
    if record.outcome is not None:
        return record.outcome.code
    return record.result.code if record.result is not None else ""


def _without_texts(
    recording: Recording, block: Block
) -> tuple[Recording, tuple[str, ...], tuple[str, ...]]:
    """Mask what users wrote; return the names of the masked inputs, and of the unfit ones."""

    def accepts(inputs: dict[str, Any]) -> bool:
        try:
            block.signature.read(inputs)
        except ValidationError:
            return False
        return True

    masked = mask_inputs(recording.header.inputs, block.signature.input_schema(), accepts)
    header = replace(recording.header, inputs=masked.inputs, dialog_id=None)
    lines = [
        _masked_line(line) if line["kind"] in MASKED_FIELDS else line
        for line in recording.lines
        if line.get("kind") in {*MASKED_FIELDS, "end"}
    ]
    return Recording(header, tuple(lines)), masked.fields, masked.unfit


def _masked_line(line: dict[str, Any]) -> dict[str, Any]:
    fields = {}
    for name, value in line.items():
        if name not in MASKED_FIELDS[line["kind"]]:
            fields[name] = value
        elif isinstance(value, dict):
            fields[name] = {
                key: item if key in PLAIN_EVENT_FIELDS else mask_value(item)
                for key, item in value.items()
            }
        else:
            fields[name] = mask_value(value)
    return fields


def _expectations(record: Record, recording: Recording, *, passes: bool) -> list[str]:
    """Return the lines of the test that compare."""
    if record.outcome is None and record.phase is Phase.SUSPENDED:
        return [f"assert waiting.waiting_for == {json.dumps(sorted(record.waits_for()))}"]
    code = _code(record)
    if not passes:
        return [f"# In production: {code}.", "assert run.ok, run"]
    if code not in {"", OK}:
        return ["assert run.outcome is not None", f"assert run.outcome.code == {json.dumps(code)}"]
    number = sum(
        line.get("method") == "send_message" and bool(line.get("processed"))
        for line in recording.lines_of("request")
    )
    lines = ["assert run.ok, run"]
    return lines if code == "" else [*lines, f"assert len(run.messages) == {number}"]


def _notes(record: Record, masked: tuple[str, ...], *, passes: bool) -> tuple[str, ...]:
    """Return the paragraphs of the test's docstring."""
    outcome = record.outcome
    state = record.phase.value if outcome is None else outcome.status.value
    code = _code(record)
    notes = [f"Execution {record.execution} was {state}{f' with code {code}' if code else ''}."]
    if not passes:
        notes.append("The test fails until the block handles this call.")
    if masked:
        notes.append(f"Masked texts: {', '.join(masked)}.")
    return tuple(notes)


def _write(
    recording: Recording, block: Block, folder: Path, expected: Expected | None
) -> tuple[Path, Path]:
    name = f"{generated_test_name(recording)}_{recording.header.execution[:8]}"
    test, file = folder / f"test_{name}.py", folder / f"{name}.jsonl"
    for path in (test, file):
        if path.exists():
            raise SettingsError(f"{path} already exists. Delete it, or choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    schema = block.signature.input_schema()
    code = generate_test(recording, test, schema, expected=expected)
    with create_private_text(file) as lines:
        for line in (recording.header.line(), *recording.lines):
            plain = json.dumps(line, ensure_ascii=False, default=str).encode()
            lines.write(redact_json(plain, FIXED_FIELDS).decode() + "\n")
    test.write_text(code, encoding="utf-8")
    return test, file
