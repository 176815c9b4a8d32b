"""From recordings to tests."""

import json
import keyword
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vertexkit.recordings.format import REJECTED, Recording
from vertexkit.system.import_folder import import_folder

SECOND_RUN = 2
CRASH = "crash"
"""Name and kind of the fault that kills the app's process."""
MAX_LINE_CHARACTERS = 70
"""A longer value of the generated test is written on several lines."""
TEMPLATE = '''"""Recorded by `vertexkit {by}` on {day}.{note}"""

{imports}


@pytest.mark.vertexkit(app={app})
async def test_{name}({fixtures}):
{body}
'''
INSTALLED_IMPORTS = """import pytest

{app_import}"""
FOLDER_IMPORTS = """import sys
from pathlib import Path

import pytest

sys.path.insert(0, str({folder}))  # the folder of {module}
{app_import}  # noqa: E402"""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a generated test expects, if it is not what was recorded."""

    lines: tuple[str, ...]
    """The lines at the end of the test; `run` is the record of the call."""
    notes: tuple[str, ...] = ()
    """Paragraphs for the module's docstring."""
    still_waits: bool = False
    """The handler has not ended: it waits, and `waiting` is the run."""


def generate_test(
    recording: Recording,
    path: Path,
    schema: Mapping[str, Any] | None = None,
    folders: Iterable[Path] = (),
    expected: Expected | None = None,
) -> str:
    """Generate a pytest module that expects what was recorded.

    The module can be run by pytest from any folder and with any configuration: it adds the folder
    of the app to `sys.path`, unless the app is installed.

    Args:
        recording: the recording of a run that has ended.
        path: where the module will be saved.
        schema: JSON Schema of the block's inputs; None: the app has no such block.
        folders: where the app may be, in addition to the working folder and `sys.path`.
        expected: what the test expects instead.

    Returns:
        The module's code, with one test. The test passes as long as the block behaves as recorded.
    """
    header = recording.header
    imports, app = _imports(header.target or "block:app", path, folders)
    faults = recording.faults()
    lines = [f"fake_platform.fail({_fault_arguments(fault)})" for fault in faults]
    lines += _run_lines(recording, schema, expected)
    return TEMPLATE.format(
        by=header.by or "dev",
        day=header.started[:10],
        note="" if expected is None else "".join(f"\n\n{note}" for note in expected.notes) + "\n",
        imports=imports,
        app=app,
        name=generated_test_name(recording),
        fixtures="fake_dialog, fake_platform" if faults else "fake_dialog",
        body="\n".join(f"    {line}".replace("\n", "\n    ") for line in lines),
    )


def _recorded_lines(recording: Recording) -> list[str]:
    """Return the lines of a test that expect what was recorded."""
    lines = []
    if recording.outcome == REJECTED:
        lines.append(f'assert run.answer["code"] == {recording.code!r}')
    lines.append(f"assert run.messages == {_wrapped(recording.messages)}")
    comparison = "is" if recording.data is None else "=="
    return [*lines, f"assert run.data {comparison} {_wrapped(recording.data)}"]


def _run_lines(
    recording: Recording, schema: Mapping[str, Any] | None, expected: Expected | None
) -> list[str]:
    """Return the lines of a test that run the block and compare."""
    memory = recording.memory()
    seeded = [
        "fake_dialog = fake_dialog.in_dialog(1)",
        f"fake_dialog.memory.update({_wrapped(memory)})",
    ]
    if expected is not None and expected.still_waits:
        lines = [*_waiting_lines(recording, schema), *expected.lines]
        lines = ["async with fake_dialog:", *(f"    {line}" for line in lines)]
    else:
        lines = _call_lines(recording, schema)
        lines += _recorded_lines(recording) if expected is None else expected.lines
    return [*(seeded if memory else []), *lines]


def _waiting_lines(recording: Recording, schema: Mapping[str, Any] | None) -> list[str]:
    """Return the lines of a test that start a block, and end its waits as recorded."""
    inputs = ""
    if recording.header.inputs:
        are_arguments = _are_arguments(recording.header.inputs, schema)
        inputs = _arguments(recording) if are_arguments else f"**{_code(recording.header.inputs)}"
    call = ", ".join(filter(None, [_code(recording.header.block), inputs]))
    lines = [f"waiting = await fake_dialog.start({call})"]
    for wait in recording.waits():
        if wait.by_event:
            line = f"await waiting.send_event({_code(wait.event)}, {_code(wait.data)})"
        else:
            line = f"await waiting.skip(seconds={math.ceil(wait.seconds)})"
        lines.append(line)
    return lines


def _arguments(recording: Recording) -> str:
    return ", ".join(f"{name}={_code(v)}" for name, v in recording.header.inputs.items())


def _call_lines(recording: Recording, schema: Mapping[str, Any] | None) -> list[str]:
    header = recording.header
    if recording.waits():
        return [*_waiting_lines(recording, schema), "run = await waiting.finish()"]
    block = _code(header.block)
    crash_after = _crash_after(recording)
    crash = f"crash_after={crash_after}" if crash_after else ""
    if _are_arguments(header.inputs, schema):
        method, arguments = "run", [block, crash, _arguments(recording)]
    else:  # `run` would complain of names that the block does not have
        method, arguments = "call", [block, _code(header.inputs), crash]
    return [f"run = await fake_dialog.{method}({', '.join(filter(None, arguments))})"]


def generated_test_name(recording: Recording) -> str:
    """Return the name of the generated test and its module, without `test_`: block and time."""
    block = re.sub(r"\W", "_", recording.header.block)
    return f"{block}_{re.sub(r'[^0-9]', '', recording.header.id[:15])}"


def _imports(target: str, path: Path, folders: Iterable[Path]) -> tuple[str, str]:
    """Return the import statements of a test, and the expression of its app."""
    module, _, app = target.partition(":")
    app = app or "app"
    name = app.partition(".")[0]
    if all(map(_is_name, module.split("."))):
        app_import = f"from {module} import {name}"
    else:
        app_import = f"{name} = __import__({module!r}, fromlist=[{name!r}]).{name}"
    folder = import_folder(module, folders)
    if folder is None:
        return INSTALLED_IMPORTS.format(app_import=app_import), app
    expression = _folder_expression(folder, path.parent.resolve())
    return FOLDER_IMPORTS.format(folder=expression, module=module, app_import=app_import), app


def _folder_expression(folder: Path, start: Path) -> str:
    """Return the code of a path to a folder, relative to a test in another folder."""
    try:
        parts = Path(os.path.relpath(folder, start)).parts
    except ValueError:  # on another drive of Windows
        return repr(str(folder))
    ups = parts.count("..")
    return " / ".join([f"Path(__file__).resolve().parents[{ups}]", *map(_code, parts[ups:])])


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _crash_after(recording: Recording) -> int:
    """Return the number of the message or step after which the app's process was killed; 0: none."""
    effects = claims = 0
    for line in recording.lines:
        claims += line.get("kind") == "event" and line.get("name") == "claimed"
        is_message = line.get("method") == "send_message" and line.get("processed")
        is_step = line.get("name") == "step_completed"
        if claims < SECOND_RUN and (is_message or is_step):
            effects += 1
    header = recording.header
    was_killed = header.fault == CRASH or any(rule.get("kind") == CRASH for rule in header.faults)
    return effects if was_killed and claims >= SECOND_RUN else 0


def _fault_arguments(fault: dict[str, Any]) -> str:
    options = [f"{name}={_code(value)}" for name, value in fault.items() if name != "method"]
    return ", ".join([_code(fault["method"]), *options])


def _are_arguments(inputs: Mapping[str, Any], schema: Mapping[str, Any] | None) -> bool:
    """Whether the inputs can be passed to `FakeDialog.run` as keyword arguments."""
    if schema is None or inputs.keys() & {"crash_after", "crash_everywhere"}:
        return False
    names = schema.get("properties", {})
    return all(_is_name(name) and name in names for name in inputs)


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
    if len(text) < MAX_LINE_CHARACTERS or not isinstance(value, (list, dict)):
        return text
    if isinstance(value, list):
        return "[\n" + "".join(f"    {_code(item)},\n" for item in value) + "]"
    items = (f"    {_code(name)}: {_code(item)},\n" for name, item in value.items())
    return "{\n" + "".join(items) + "}"
