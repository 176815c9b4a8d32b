"""docs/errors and docs/http: every code has its cause and how to fix it."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vertexkit.errors
from tests.docs.reader import DOCS, ROOT
from tests.syntax_trees import nodes_of, parse
from vertexkit import references
from vertexkit.cli.serve.run import ServiceFailed
from vertexkit.errors import VertexkitError, WaitTimeout
from vertexkit.failure import FAILURE_MESSAGES

SECTION = re.compile(
    r"^### (VK-\d{3}) (.+)\n\n(.+)\n\n(?:What to do|Что делать): (.+)$", re.MULTILINE
)
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
RAISED = re.compile(
    r"(?:CallError|Rejection|\bproblem|_problem)\(\s*\d{3},\s*\"([a-z_]+)\"|HEAD_TIMEOUT|BODY_TIMEOUT"
)
OTHERS = {"not_found", "method_not_allowed"}
LOGGING = {"debug", "info", "warning", "error", "critical", "exception", "emit", "_emit"}
LOGS = re.compile(rf"\.(?:{'|'.join(LOGGING)})\(")
CONDITIONS = {"drain_timeout"}
"""Events that are logged where an exception is caught, and that report no error."""
MODULES = sorted((ROOT / "vertexkit").rglob("*.py"))
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
    classes.pop(ServiceFailed.reference)
    named = {code: name for code, name in sections.items() if code in classes}
    assert named == classes
    others = {*references.CLASSLESS_REFERENCES, ServiceFailed.reference}
    assert set(sections) == {*classes, *others}
    assert _text(page).count("### VK-") == len(sections)


def test_each_code_is_of_one_class() -> None:
    """Two classes have no code in common, unless one inherits it."""
    codes = [own_reference(error) for error in errors() if own_reference(error)]
    codes += references.CLASSLESS_REFERENCES
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    "error, code",
    [
        (WaitTimeout("no event came"), "VK-605"),
        (FileNotFoundError(2, "No such file"), "VK-002"),
        (TimeoutError(), "VK-004"),
        (KeyError("city"), "VK-004"),
    ],
)
def test_every_exception_has_a_code(error: Exception, code: str) -> None:
    """Errors of vertexkit have their own code, those of the system and all others a shared one."""
    assert references.reference_of(error) == code
    assert references.error_fields(error) == {"reason": str(error), "reference": code}


def logged_in_handlers(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call that logs inside an `except`, with its place."""
    text = path.read_text(encoding="utf-8")
    if "except " not in text or not LOGS.search(text):
        return
    handlers = [node for node in nodes_of(parse(path)) if isinstance(node, ast.ExceptHandler)]
    calls = [node for handler in handlers for node in ast.walk(handler)]
    for call in (node for node in calls if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name in LOGGING and call.args and isinstance(call.args[0], ast.Constant):
            yield f"{path.name}:{call.lineno} {call.args[0].value!s}", call


def test_a_log_line_about_an_error_has_its_code() -> None:
    """What is logged where an exception is caught has a code, or a traceback to which it is added."""
    places = [place for path in MODULES for place in logged_in_handlers(path)]
    assert len(places) > 20
    without = []
    for place, call in places:
        keywords = {keyword.arg or ast.unparse(keyword.value) for keyword in call.keywords}
        has_code = {"reference", "exc_info", "error_fields(error)"} & keywords
        is_traceback = ast.unparse(call.func).endswith(".exception")
        if not (has_code or is_traceback or place.split()[-1] in CONDITIONS):
            without.append(place)
    assert not without


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
