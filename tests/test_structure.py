"""The project's rules for its code: sizes, parameters, names, docstrings, imports."""

import ast
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

from tests.syntax_trees import nodes_of, parse
from tests.unused_names import riddles

pytestmark = pytest.mark.unmeasured
ROOT = Path(__file__).resolve().parent.parent

LAZY = (
    *("cli", "testing.plugin", "telemetry.otel_setup"),
    *("analytics.interactive", "botone.data_frames", "console.mount"),
)
"""Modules that may import inside functions: the command line and the pytest plugin, to start fast,
the console, which most processes never serve, and those that import optional packages."""
STATEFUL = {
    "context.stream.splitter._CodeBlock",
    "journal.state.row.ExecutionRow",
    "journal.state.limited_queue._Key",
    "journal.sqlite.writer.Write",
    "journal.postgres.session._Batch",
    "journal.postgres.writes.Write",
    "testing.platform.conversation.FakeConversation",
    "testing.platform.dialogs.Dialog",
    "testing.platform.dialogs.Activation",
}
"""Mutable dataclasses: each is the state of something in progress."""
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
ABSENT_ON_WINDOWS = {
    "os": {
        *("chown", "fchmod", "fchown", "fork", "getegid", "geteuid", "getgid", "getgroups"),
        *("getpgid", "getsid", "getuid", "killpg", "lchown", "mkfifo", "nice", "openpty"),
        *(
            "posix_fadvise",
            "posix_fallocate",
            "posix_spawn",
            "pread",
            "pwrite",
            "sched_getaffinity",
        ),
        *("sendfile", "setpgid", "setsid", "statvfs", "sysconf", "uname", "wait3", "wait4"),
        *("WNOHANG", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "fdatasync"),
    },
    "signal": {
        *("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGCONT"),
        *("SIGUSR1", "SIGUSR2", "pthread_kill", "pthread_sigmask", "setitimer", "sigwait", "alarm"),
    },
    "socket": {"AF_UNIX", "SO_REUSEPORT"},
    "asyncio": {"start_unix_server", "open_unix_connection"},
    "loop": {"add_signal_handler", "create_unix_server", "create_unix_connection"},
}
"""Names that Python does not have on Windows, by the module or object that has them elsewhere."""
UNIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty"}
BOTH_SYSTEMS = {"system.file_lock"}
"""Modules that import what the current system has."""
NEEDS_UNIX = {"journal.shared.socket", "journal.shared.server", "journal.shared.client"} | {
    "telemetry.aggregation"
}
"""What several processes of one machine need; `vertexkit run` refuses --workers on Windows."""
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "types", "base_utils"}
FILE_LINES, FUNCTION_LINES, PARAMETERS = 400, 50, 8


@dataclass(frozen=True)
class Module:
    """A parsed source file."""

    path: Path
    tree: ast.Module
    lines: int

    @property
    def file(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def name(self) -> str:
        """The dotted name without `vertexkit.`; the root package is `vertexkit`."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        return ".".join(parts[1:]) or "vertexkit"

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Each node of the tree."""
        return nodes_of(self.tree)

    @cached_property
    def functions(self) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]:
        """Each function, also those in classes and in functions."""
        kinds = ast.FunctionDef | ast.AsyncFunctionDef
        return tuple(node for node in self.nodes if isinstance(node, kinds))


@cache
def read(folder: str) -> list[Module]:
    """The parsed files of a folder, parsed when the first test needs them."""
    modules = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        lines = path.read_text(encoding="utf-8").count("\n")
        modules.append(Module(path, parse(path), lines))
    return modules


def source() -> list[Module]:
    return read("vertexkit")


def everything() -> list[Module]:
    return [*source(), *read("tests"), *read("example_blocks")]


def test_imports_are_at_the_top() -> None:
    """Only the modules in `LAZY` import inside functions."""
    late = [
        f"{module.file}:{node.lineno}"
        for module in source()
        if not module.name.startswith(LAZY)
        for function in module.functions
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert not late


def test_nothing_is_used_that_windows_lacks() -> None:
    """A name that only POSIX systems have is used in the modules of `NEEDS_UNIX` alone."""
    used = [
        f"{module.file}:{node.lineno}"
        for module in source()
        if module.name not in NEEDS_UNIX
        for node in module.nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.attr in ABSENT_ON_WINDOWS.get(node.value.id, ())
    ]
    imported = [
        f"{module.file}:{node.lineno}"
        for module in source()
        if module.name not in BOTH_SYSTEMS
        for node in module.nodes
        if (isinstance(node, ast.Import) and {alias.name for alias in node.names} & UNIX_MODULES)
        or (
            isinstance(node, ast.ImportFrom)
            and {a.name for a in node.names} & ABSENT_ON_WINDOWS.get(node.module or "", set())
        )
    ]
    assert not used + imported


def test_no_file_is_too_long() -> None:
    """A file has at most 400 lines: a longer one has more than one subject."""
    assert not [f"{m.file}: {m.lines}" for m in everything() if m.lines > FILE_LINES]


def test_no_function_is_too_long() -> None:
    """A function has at most 50 lines, its docstring not counted."""
    long = []
    for module in everything():
        for node in module.functions:
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            header = node.body[0].lineno - node.lineno
            if lines + header > FUNCTION_LINES:
                long.append(f"{module.file}:{node.lineno} {node.name}: {lines + header}")
    assert not long


def test_no_function_takes_more_than_eight_parameters() -> None:
    """More than eight belong in an object; self and cls are not counted, nor are tests.

    The parameters of a command are its options on the command line.
    """
    wide = []
    for module in source():
        if module.path.name == "commands.py":
            continue
        for node in module.functions:
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names = [argument.arg for argument in arguments if argument.arg not in ("self", "cls")]
            if len(names) > PARAMETERS:
                wide.append(f"{module.file}:{node.lineno} {node.name}: {len(names)}")
    assert not wide


def test_no_file_has_a_vague_name() -> None:
    """A file is named for its subject; `utils` or `helpers` name none."""
    parts = {part for module in everything() for part in module.path.with_suffix("").parts}
    assert not parts & VAGUE


@pytest.mark.parametrize("folder", ["vertexkit", "tests", "example_blocks", "benchmarks", "docs"])
def test_no_name_is_a_riddle(folder: str) -> None:
    """Modules, classes, functions and variables are named with the terms of the field."""
    scanned = read(folder)
    assert scanned
    found = [riddle for module in scanned for riddle in riddles(module.file, module.nodes)]
    assert not found, "\n" + "\n".join(found)


def test_every_test_states_its_claim() -> None:
    """The first line of a test's docstring is the sentence that the test proves."""
    claims = [
        (f"{module.file}:{node.lineno} {node.name}", ast.get_docstring(node) or "")
        for module in read("tests")
        for node in module.functions
        if node.name.startswith("test_")
    ]
    assert claims
    assert not [test for test, claim in claims if not claim.partition("\n")[0].endswith(".")]


def test_every_public_definition_has_a_docstring() -> None:
    """Each module, and each of its public classes and functions, has a docstring."""
    undocumented = [module.file for module in source() if not ast.get_docstring(module.tree)]
    for module in source():
        definitions = [node for node in module.tree.body if isinstance(node, Definition)]
        public = [node for node in definitions if not node.name.startswith("_")]
        undocumented += [f"{module.file}: {n.name}" for n in public if not ast.get_docstring(n)]
    assert not undocumented


def test_dataclasses_are_frozen() -> None:
    """A dataclass is an immutable value; state that changes belongs in a class with methods."""
    mutable = []
    for module in source():
        for node in module.nodes:
            for decorator in getattr(node, "decorator_list", []):
                text = ast.unparse(decorator)
                if text.startswith("dataclass") and "frozen=True" not in text:
                    mutable.append(f"{module.name}.{getattr(node, 'name', '')}")
    assert set(mutable) == STATEFUL


def test_tests_share_modules_of_their_own() -> None:
    """What several tests use is in a module that is named for it, not in a test or a conftest."""
    borrowed = [
        f"{module.file}:{node.lineno}"
        for module in read("tests")
        for node in module.nodes
        if isinstance(node, ast.ImportFrom)
        and (name := (node.module or "").rpartition(".")[2])
        and (name == "conftest" or name.startswith("test_"))
    ]
    assert not borrowed
