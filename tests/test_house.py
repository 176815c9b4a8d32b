"""The house's own rules: floors, sizes and names."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FLOORS = {
    1: "errors execution clock units plain blocking chunks sentence step spans tracing botone botone.models botone.turns",
    2: "settings gate call tokenkeys redaction logs problems events cutter journal.record journal.base botone.wire exposition figures metrics",
    3: "failure journal.row journal.orders journal.queues journal.calls journal.book "
    "journal.tables journal.readings journal.file journal.store journal.cleaner journal.memory journal.sqlite "
    "journal.encoding journal.frames journal.questions journal.place journal.owner journal.remote "
    "botone.transport inbox",
    4: "botone.vertex httpclient botone.session botone.periods botone.pages botone.files "
    "botone.dialogs botone.sync botone.bot botone.bots journal journal.operators",
    5: "analytics runs refusals backstage dialog context synccontext completion",
    6: "signature blocks",
    7: "attempt active runner receiver catalogue watchdog recording service "
    "edge.limits edge.door edge.connection edge.config edge ops",
    8: "app",
    9: "testing",
    10: "playground",
    11: "cli",
    12: "vertexkit __main__",
}
"""Each module of vertexkit, on its floor and, among those of one floor, from left to right: it
imports from lower floors and from its left. A package named whole may import within itself."""
WHOLE = ("analytics", "runs", "testing", "playground", "cli")
"""Packages that stand on one floor as a whole."""
LAZY = ("cli", "testing.plugin")
"""Where imports may wait inside functions: a fast start of the command line and of pytest."""
HTTPX = "httpclient"
"""The one module that may import httpx, so that it can be replaced in one place."""
FAKE = """platform vertex visits ledger faults form tokens answers archive asked bots conversation
    door methods query seeds uploads description"""
"""The modules of the fake platform."""
STATEFUL = {
    "cutter._Fence",
    "journal.row.Row",
    "journal.store.Question",
    "journal.store.Write",
    "testing.conversation.Conversation",
    "testing.visits.Dialog",
    "testing.visits.Visit",
}
"""Dataclasses that change: records of something under way."""
Named = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "types", "base_utils"}
FILE_LINES, FUNCTION_LINES, PARAMETERS = 300, 50, 8


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
BY_NAME = {module.name: module for module in SOURCE}
PLACES = {
    name: (floor, at) for floor, names in FLOORS.items() for at, name in enumerate(names.split())
}


def standing(name: str) -> str:
    """The name under which a module stands in the table: its own, or its package's."""
    package = name.partition(".")[0]
    return package if package in WHOLE else name


def imported(node: ast.AST) -> list[str]:
    """The dotted names that an import statement brings, `from a import b` as `a.b`."""
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{'.' * node.level}{node.module or ''}.{each.name}" for each in node.names]
    return []


def neighbours(module: Module) -> set[str]:
    """The modules of vertexkit that a module imports, also for types only."""
    found = set()
    for node in ast.walk(module.tree):
        for dotted in imported(node):
            top, _, rest = dotted.partition(".")
            if top == "vertexkit":
                parent = rest.rpartition(".")[0] or "vertexkit"
                found.add(rest if rest in BY_NAME else parent)
    return found


def outsiders(module: Module) -> set[str]:
    return {dotted.partition(".")[0] for node in ast.walk(module.tree) for dotted in imported(node)}


def test_every_module_has_its_floor() -> None:
    """A new file is first given a place in the plan of the house."""
    assert {standing(module.name) for module in SOURCE} <= PLACES.keys()


@pytest.mark.parametrize("module", SOURCE, ids=lambda module: module.name)
def test_imports_go_down_the_floors(module: Module) -> None:
    """A module imports from lower floors, or from its left on its own, also for types only."""
    own = standing(module.name)
    wrong = [
        name
        for name in neighbours(module)
        if PLACES[standing(name)] >= PLACES[own] and not (standing(name) == own and own in WHOLE)
    ]
    assert not wrong
    assert not [d for node in ast.walk(module.tree) for d in imported(node) if d.startswith(".")]


def test_no_module_imports_itself_by_a_detour() -> None:
    """The imports have no circle anywhere, within the packages neither."""
    graph = {module.name: neighbours(module) - {module.name} for module in SOURCE}
    assert tuple(TopologicalSorter(graph).static_order())


def test_receiver_and_runner_do_not_know_each_other() -> None:
    """They meet at the inbox and the journal, so that either can live in another process."""
    assert not neighbours(BY_NAME["receiver"]) & {"runner", "active", "attempt", "completion"}
    assert not neighbours(BY_NAME["runner"]) & {"receiver", "inbox"}


def test_the_fake_platform_shares_nothing_with_the_client() -> None:
    """A fake made of the client's own models would share its mistakes."""
    fake = [f"testing.{name}" for name in FAKE.split()]
    wrong = {name for each in fake for name in neighbours(BY_NAME[each])} - {"clock", *fake}
    assert not wrong


def test_only_one_module_imports_httpx() -> None:
    """What authors see of an HTTP client can be replaced in one place."""
    assert {module.name for module in SOURCE if "httpx" in outsiders(module)} <= {HTTPX}


def test_imports_stand_at_the_top() -> None:
    """Only the command line and the pytest plugin, which must start fast, import in functions."""
    late = [
        f"{module.place}:{node.lineno}"
        for module in SOURCE
        if module.name not in LAZY and standing(module.name) not in LAZY
        for function in module.functions()
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not late


def test_no_file_is_longer_than_its_budget() -> None:
    """A file of more than 300 lines holds two nouns."""
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
    assert set(melted) <= STATEFUL
