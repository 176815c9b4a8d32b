"""docs/errors and docs/http: every code has its cause and how to fix it."""

import inspect
import re
from pathlib import Path

import pytest

import vertexkit.errors
from tests.docs.reader import DOCS, ROOT
from vertexkit.cli.main import SYSTEM_REFERENCE
from vertexkit.cli.serve.run import ServiceFailed
from vertexkit.errors import VertexkitError
from vertexkit.failure import FAILURE_MESSAGES

SECTION = re.compile(
    r"^### (VK-\d{3}) (.+)\n\n(.+)\n\n(?:What to do|Что делать): (.+)$", re.MULTILINE
)
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
RAISED = re.compile(
    r"(?:CallError|Rejection|\bproblem|_problem)\(\s*\d{3},\s*\"([a-z_]+)\"|HEAD_TIMEOUT|BODY_TIMEOUT"
)
OTHERS = {"not_found", "method_not_allowed"}
NOT_SERVED = ("testing", "playground", "cli")
"""Folders whose responses no caller of a service gets."""


def errors() -> list[type[VertexkitError]]:
    """The errors that authors and operators meet."""
    names = vars(vertexkit.errors).values()
    classes = [one for one in names if inspect.isclass(one) and issubclass(one, VertexkitError)]
    return [*classes, ServiceFailed]


def own_reference(error: type[VertexkitError]) -> str:
    """The code that a class itself has; empty if it has that of its parent."""
    return str(vars(error).get("reference", ""))


@pytest.mark.parametrize("page", ["errors.md", "errors.ru.md"])
def test_every_error_has_a_section(page: str) -> None:
    """Each code has one section with the name of its class, a cause and a fix, and no other has."""
    sections = {code: name for code, name, _, _ in SECTION.findall(_text(page))}
    classes = {own_reference(error): error.__name__ for error in errors() if own_reference(error)}
    assert {error.reference for error in errors()} <= set(sections)
    named = {code: name for code, name in sections.items() if code not in {"VK-001", "VK-002"}}
    classes.pop(ServiceFailed.reference)
    assert named == classes
    assert SYSTEM_REFERENCE in sections
    assert _text(page).count("### VK-") == len(sections)


def test_each_code_is_of_one_class() -> None:
    """Two classes have no code in common, unless one inherits it."""
    codes = [own_reference(error) for error in errors() if own_reference(error)]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("page", ["errors.md", "errors.ru.md"])
def test_every_failure_code_is_listed(page: str) -> None:
    """What a bot can get as the code of a failed block is in the table."""
    assert set(FAILURE_MESSAGES) <= set(ROW.findall(_text(page)))


@pytest.mark.parametrize("page", ["http.md", "http.ru.md"])
def test_every_code_of_a_response_is_listed(page: str) -> None:
    """Each `code` that a service answers with is in the table."""
    raised = set(OTHERS)
    for path in (ROOT / "vertexkit").rglob("*.py"):
        if path.relative_to(ROOT / "vertexkit").parts[0] not in NOT_SERVED:
            text = path.read_text(encoding="utf-8")
            raised |= {code for code in RAISED.findall(text) if code}
    assert {"queue_full", "invalid_input", "not_started", "head_timeout"} <= raised
    assert not raised - set(ROW.findall(_text(page)))


def _text(page: str) -> str:
    return Path(DOCS / page).read_text(encoding="utf-8")
