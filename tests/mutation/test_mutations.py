"""The changes that `make mutants` makes."""

import ast
from pathlib import Path

import pytest

from tests import measuring
from tests.mutation import coverage_contexts
from tests.mutation.line_tests import LineTests
from tests.mutation.mutations import mutations_of
from tests.mutation.run import TESTS, find_mutants, relevant_tests, split

ROOT = Path(__file__).resolve().parent.parent.parent


def changed(body: str) -> set[str]:
    """The bodies that a function becomes."""
    source = f"def f(a, b, c):\n    {body}\n".encode()
    return {
        mutation.apply(source).decode()[len("def f(a, b, c):\n    ") : -1]
        for mutation in mutations_of(source)
    }


@pytest.mark.parametrize(
    "body, mutants",
    [
        ("a.write(b)", {"pass"}),
        ("a.b = c", {"pass"}),
        ("a = b", set()),
        ("return a < b", {"return (a <= b)"}),
        ("return a is None", {"return (a is not (None))"}),
        ("return not a", {"return (a)"}),
        ("return a and b", {"return (a or b)", "return (a)", "return (b)"}),
        ("return any(a)", {"return all(a)"}),
        ("return a + 1", {"return (a - (1))", "return a + 2"}),
        ("f(a, b=True)", {"pass", "f(a, b=False)"}),
        ("if a: f(b)", {"if (not a): f(b)", "if a: pass"}),
        ("assert a < b", set()),
        ("log.info('x', seconds=1)", set()),
        ("'text'", set()),
    ],
)
def test_a_statement_is_changed_in_one_place(body: str, mutants: set[str]) -> None:
    """Statements are removed; conditions, comparisons, constants and operators are changed."""
    assert changed(body) == mutants


def test_handlers_of_exceptions_are_taken_away() -> None:
    """Each exception of a list alone; `BaseException` becomes narrower."""
    source = b"def f():\n    try:\n        return g()\n    except (A, B):\n        h()\n    except BaseException:\n        raise\n"
    texts = [mutation.apply(source).decode() for mutation in mutations_of(source)]
    assert sum("except ((), B):" in text for text in texts) == 1
    assert sum("except (A, ()):" in text for text in texts) == 1
    assert sum("except Exception:" in text for text in texts) == 1


def test_every_mutant_is_a_program() -> None:
    """No change makes a file that cannot be parsed, or that is the same as before."""
    for mutant in find_mutants(
        ["vertexkit/journal/sqlite/writer.py", "vertexkit/worker/policy.py"]
    ):
        source = (ROOT / mutant.file).read_bytes()
        after = mutant.mutation.apply(source)
        ast.parse(after)
        assert after != source
        assert mutant.mutation.line in mutant.mutation.lines


def test_the_tests_of_each_package_exist() -> None:
    """A package that is renamed must be renamed in `TESTS` too."""
    for package, tests in TESTS.items():
        assert (ROOT / package).is_dir()
        assert all((ROOT / test).exists() for test in tests)
    assert relevant_tests("vertexkit/journal/sqlite/writer.py") == TESTS["vertexkit/journal"]


def test_only_tests_that_run_the_line_are_chosen() -> None:
    """The fastest first, from the folders of the package; those of the changed noun before others."""
    tests = {
        ("a.py", 3): {"tests/a/test_x.py::slow", "tests/a/test_x.py::fast"},
        ("a.py", 4): {"tests/b/test_y.py::t"},
    }
    seconds = {
        "tests/a/test_x.py::slow": 2.0,
        "tests/a/test_x.py::fast": 0.1,
        "tests/b/test_y.py::t": 0.0,
    }
    lines = LineTests(tests, seconds)
    assert lines.of("a.py", [3, 4], ["tests/a"]) == [
        "tests/a/test_x.py::fast",
        "tests/a/test_x.py::slow",
    ]
    assert lines.of("a.py", [5], ["tests/a"]) == []
    many = [f"tests/a/test_{name}.py::t{n}" for name in ("p", "q", "r") for n in range(2)]
    first, others = split(["tests/a/test_x.py::t", *many], "x")
    assert first == ["tests/a/test_x.py::t", *many[:2]]
    assert others == many[2:]


@pytest.mark.unmeasured
def test_tests_without_measured_coverage_are_tried(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that is marked `unmeasured` is known to run its lines, too."""
    monkeypatch.setattr(measuring, "every_test", False)
    assert not measuring.measures(request.node)
    coverage_contexts.pytest_configure()
    assert measuring.measures(request.node)
