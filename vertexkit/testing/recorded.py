"""From runs against the fake platform to recordings, and from recordings to tests."""

import json
import keyword
import re
from typing import Any

from vertexkit.recordings import REJECTED, Recording, decode_body
from vertexkit.testing.platform.ledger import Entry
from vertexkit.testing.run import Run

MAX_LINE_CHARACTERS = 70
"""A longer value of the generated test is written on several lines."""
TEMPLATE = '''"""Recorded by `vertexkit {by}` on {day}."""

from {module} import {app} as app  # the app that fake_dialog runs


async def test_{name}({fixtures}):
{body}
'''


def request_fields(entry: Entry) -> dict[str, Any]:
    """Return the fields of `Recorder.request` for a finished request to the fake platform."""
    fields: dict[str, Any] = {
        "seconds": round((entry.answered_at or entry.at) - entry.at, 6),
        "method": entry.method,
        "path": entry.path,
        "request": entry.json if isinstance(entry.json, dict) else {},
        "status": entry.status,
        "answer": decode_body(entry.answer),
        "fault": entry.fault,
        "processed": entry.processed,
    }
    if entry.retry_after is not None:
        fields["retry_after"] = entry.retry_after
    return fields


def outcome_and_code(run: Run) -> tuple[str, str]:
    """Return the arguments of `Recorder.end` for a run.

    Returns:
        The outcome (`completed`, `gone`, `parked` or `rejected`), and `ok` or the failure's code.
    """
    if run.outcome is None:
        return REJECTED, str(run.answer.get("code", ""))
    return run.outcome.status.value, run.outcome.code


def generate_test(recording: Recording) -> str:
    """Generate a pytest module that expects what was recorded.

    Args:
        recording: the recording of a run that has ended.

    Returns:
        The module's code, with one test. The test passes as long as the block behaves as recorded.
    """
    header = recording.header
    module, _, app = header.target.partition(":")
    faults = recording.faults()
    lines = [f"fake_platform.fail({_fault_arguments(fault)})" for fault in faults]
    arguments = ", ".join(filter(None, [_code(header.block), _inputs(header.inputs)]))
    lines.append(f"run = await fake_dialog.run({arguments})")
    if recording.outcome == REJECTED:
        lines.append(f'assert run.answer["code"] == {recording.code!r}')
    lines.append(f"assert run.messages == {_wrapped(recording.messages)}")
    lines.append(f"assert run.data == {_wrapped(recording.data)}")
    return TEMPLATE.format(
        by=header.by or "dev",
        day=header.started[:10],
        module=module or "block",
        app=app or "app",
        name=generated_test_name(recording),
        fixtures="fake_dialog, fake_platform" if faults else "fake_dialog",
        body="\n".join(f"    {line}".replace("\n", "\n    ") for line in lines),
    )


def generated_test_name(recording: Recording) -> str:
    """Return the name of the generated test and its module, without `test_`: block and time."""
    block = re.sub(r"\W", "_", recording.header.block)
    return f"{block}_{re.sub(r'[^0-9]', '', recording.header.id[:15])}"


def _fault_arguments(fault: dict[str, Any]) -> str:
    options = [f"{name}={_code(value)}" for name, value in fault.items() if name != "method"]
    return ", ".join([_code(fault["method"]), *options])


def _inputs(inputs: dict[str, Any]) -> str:
    if all(name.isidentifier() and not keyword.iskeyword(name) for name in inputs):
        return ", ".join(f"{name}={_code(value)}" for name, value in inputs.items())
    return f"**{_code(inputs)}"


def _code(value: Any) -> str:
    """Return a JSON value as Python code on one line."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_code, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_code(name)}: {_code(item)}' for name, item in value.items())}}}"
    return repr(value)


def _wrapped(value: Any) -> str:
    """Return a JSON value as Python code, on several lines if one would be too long."""
    text = _code(value)
    if len(text) < MAX_LINE_CHARACTERS or not isinstance(value, list | dict):
        return text
    if isinstance(value, list):
        return "[\n" + "".join(f"    {_code(item)},\n" for item in value) + "]"
    items = (f"    {_code(name)}: {_code(item)},\n" for name, item in value.items())
    return "{\n" + "".join(items) + "}"
