"""The page of security: its numbers are those of the code, and its attacks those that are run."""

import importlib.util
import re
import sys
from typing import Any

import pytest

from tests.docs.conftest import ROOT
from vertexkit.ingress import request
from vertexkit.server import limits
from vertexkit.server.limits import Limits
from vertexkit.settings import Settings

PAGES = ["security.md", "security.ru.md"]
COLUMNS = 8
LIMIT = re.compile(r"^\| ([^|]+) \| ([^|]+) \| (?:`(\w+)`)? ?\| [^|]+ \|$", re.MULTILINE)


def read(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def benchmark(name: str) -> Any:
    """A script of the folder of benchmarks, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES)
def test_its_limits_are_those_of_the_code(page: str) -> None:
    """Each number of the table is what the setting, or the constant, has by default."""
    settings, own = Settings.of(), Limits()
    assert (own.head, own.body) == (settings.server.head_limit, settings.server.body_limit)
    assert (own.head_timeout, own.body_timeout) == (
        settings.server.head_timeout,
        settings.server.body_timeout,
    )
    assert own.clients == settings.server.clients
    rows = LIMIT.findall(read(page))
    numbers = [[int(number) for number in re.findall(r"\d+", limit)] for _, limit, _ in rows]
    assert [each for each in numbers if each] == [
        [settings.server.head_limit],
        [limits.HEADERS],
        [int(settings.server.head_timeout)],
        [settings.server.body_limit],
        [limits.CHUNKING],
        [int(settings.server.body_timeout)],
        [request.DEPTH],
        [request.NODES],
        [request.FIELDS],
        [settings.server.clients],
        [limits.PIPELINED],
        [int(settings.server.body_timeout)],
        [limits.LINGER_BYTES // 2**20, int(limits.LINGER)],
        [settings.journal.queue],
    ]
    for _, limit, setting in rows:
        if setting:
            value = settings.flat()[setting.removeprefix("VERTEXKIT_").lower()]
            assert str(int(value)) in limit


def attacks(page: str) -> list[list[str]]:
    """The rows of the table of attacks."""
    rows = [line.strip("| ").split(" | ") for line in read(page).splitlines() if " × " in line]
    return [row for row in rows if len(row) == COLUMNS]


def test_its_attacks_are_those_that_are_run() -> None:
    """Each attack of the benchmark has its line, in order; every proper call was answered."""
    run = [attack for attack, _ in benchmark("attacks").ATTACKS.values()]
    english, russian = map(attacks, PAGES)
    assert [row[0] for row in english] == [(each.__doc__ or "").strip(" .\n") for each in run]
    for here, there in zip(english, russian, strict=True):
        assert re.findall(r"[\d.,]+\d", " ".join(here[1:])) == re.findall(
            r"[\d.,]+\d", " ".join(there[1:])
        )
        answered, _, asked = here[5].partition(" of ")
        assert answered == asked
