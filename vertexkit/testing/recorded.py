"""A recorded run as a test: pytest code that expects what was recorded."""

import json
import keyword
import re
from typing import Any

from vertexkit.recordings import REFUSED, RecordedRun

LINE = 70
HEAD = '''"""Recorded by `vertexkit {by}` on {day}."""

from {module} import {app} as app  # the app that fake_dialog runs


async def test_{name}({fixtures}):
{body}
'''


def as_test(recorded: RecordedRun) -> str:
    """The code of a test of its own file; it passes as long as the block does what it did.

    Args:
        recorded: a run that has ended.
    """
    head = recorded.head
    module, _, app = head.target.partition(":")
    faults = recorded.faults()
    lines = [f"fake_platform.fail({_arguments(fault)})" for fault in faults]
    given = ", ".join(filter(None, [_code(head.block), _inputs(head.inputs)]))
    lines.append(f"run = await fake_dialog.run({given})")
    if recorded.outcome == REFUSED:
        lines.append(f'assert run.answer["code"] == {recorded.code!r}')
    lines.append(f"assert run.messages == {_pretty(recorded.messages)}")
    lines.append(f"assert run.data == {_pretty(recorded.data)}")
    return HEAD.format(
        by=head.by or "dev",
        day=head.started[:10],
        module=module or "block",
        app=app or "app",
        name=name_of(recorded),
        fixtures="fake_dialog, fake_platform" if faults else "fake_dialog",
        body="\n".join(f"    {line}".replace("\n", "\n    ") for line in lines),
    )


def name_of(recorded: RecordedRun) -> str:
    """Of the test, and of its file: block and moment."""
    block = re.sub(r"\W", "_", recorded.head.block)
    return f"{block}_{re.sub(r'[^0-9]', '', recorded.head.id[:15])}"


def _arguments(fault: dict[str, Any]) -> str:
    rest = [f"{name}={_code(value)}" for name, value in fault.items() if name != "method"]
    return ", ".join([_code(fault["method"]), *rest])


def _inputs(inputs: dict[str, Any]) -> str:
    if all(name.isidentifier() and not keyword.iskeyword(name) for name in inputs):
        return ", ".join(f"{name}={_code(value)}" for name, value in inputs.items())
    return f"**{_code(inputs)}"


def _code(value: Any) -> str:
    """A value of JSON as Python code, on one line."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_code, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_code(name)}: {_code(each)}' for name, each in value.items())}}}"
    return repr(value)


def _pretty(value: Any) -> str:
    """One line, or a line for each item where that is too long."""
    text = _code(value)
    if len(text) < LINE or not isinstance(value, list | dict):
        return text
    if isinstance(value, list):
        return "[\n" + "".join(f"    {_code(item)},\n" for item in value) + "]"
    items = (f"    {_code(name)}: {_code(item)},\n" for name, item in value.items())
    return "{\n" + "".join(items) + "}"
