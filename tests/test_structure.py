"""The house's own rules: floors, sizes and names."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

LAZY = ("cli", "testing.plugin")
"""Where imports may wait inside functions: a fast start of the command line and of pytest."""
STATEFUL = {
    "context.stream.splitter._CodeBlock",
    "journal.state.row.Row",
    "journal.sqlite.writer.Write",
    "testing.platform.conversation.Conversation",
    "testing.platform.dialogs.Dialog",
    "testing.platform.dialogs.Activation",
}
"""Dataclasses that change: records of something under way."""
Named = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "types", "base_utils"}
FILE_LINES, FUNCTION_LINES, PARAMETERS = 400, 50, 8


@dataclass(frozen=True, slots=True)
class Module:
    """One source file, read."""

    path: Path
    tree: ast.Module
    lines: int

    @property
    def place(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def name(self) -> str:
        """Its name without `vertexkit.` before it; the root package is `vertexkit`."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        return ".".join(parts[1:]) or "vertexkit"

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def read(folder: str) -> list[Module]:
    modules = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        modules.append(Module(path, ast.parse(text), len(text.splitlines())))
    return modules


SOURCE, TESTS = read("vertexkit"), read("tests")
EVERYTHING = [*SOURCE, *TESTS, *read("example_blocks")]


def test_imports_stand_at_the_top() -> None:
    """Only the command line and the pytest plugin, which must start fast, import in functions."""
    late = [
        f"{module.place}:{node.lineno}"
        for module in SOURCE
        if not module.name.startswith(LAZY)
        for function in module.functions()
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not late


def test_no_file_is_longer_than_its_budget() -> None:
    """A file of more than 400 lines holds two nouns."""
    assert not [f"{each.place}: {each.lines}" for each in EVERYTHING if each.lines > FILE_LINES]


def test_no_function_is_longer_than_a_page() -> None:
    """A function has at most 50 lines, its docstring not counted."""
    long = []
    for module in EVERYTHING:
        for node in module.functions():
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            header = node.body[0].lineno - node.lineno
            if lines + header > FUNCTION_LINES:
                long.append(f"{module.place}:{node.lineno} {node.name}: {lines + header}")
    assert not long


def test_no_function_takes_more_than_eight_parameters() -> None:
    """Who needs more has a value to name; self and cls do not count, nor do tests' fixtures."""
    wide = []
    for module in SOURCE:
        for node in module.functions():
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names = [each.arg for each in given if each.arg not in ("self", "cls")]
            if len(names) > PARAMETERS:
                wide.append(f"{module.place}:{node.lineno} {node.name}: {len(names)}")
    assert not wide


def test_every_file_is_named_for_what_it_holds() -> None:
    """A drawer for everything shows a missing noun."""
    parts = {part for module in EVERYTHING for part in module.path.with_suffix("").parts}
    assert not parts & NAMELESS


def test_every_test_opens_with_its_claim() -> None:
    """A test's first line is the sentence that it proves."""
    claims = [
        (f"{module.place}:{node.lineno} {node.name}", ast.get_docstring(node) or "")
        for module in TESTS
        for node in module.functions()
        if node.name.startswith("test_")
    ]
    assert claims
    assert not [place for place, claim in claims if not claim.partition("\n")[0].endswith(".")]


def test_every_public_thing_says_what_it_promises() -> None:
    """Each module, and each public class and function of one, has a docstring."""
    silent = [module.place for module in SOURCE if not ast.get_docstring(module.tree)]
    for module in SOURCE:
        named = [node for node in module.tree.body if isinstance(node, Named)]
        public = [node for node in named if not node.name.startswith("_")]
        silent += [f"{module.place}: {n.name}" for n in public if not ast.get_docstring(n)]
    assert not silent


def test_values_are_frozen() -> None:
    """A dataclass is a value that nobody changes; what has a life is a class with methods."""
    melted = []
    for module in SOURCE:
        for node in ast.walk(module.tree):
            for decorator in getattr(node, "decorator_list", []):
                text = ast.unparse(decorator)
                if text.startswith("dataclass") and "frozen=True" not in text:
                    melted.append(f"{module.name}.{getattr(node, 'name', '')}")
    assert set(melted) == STATEFUL
