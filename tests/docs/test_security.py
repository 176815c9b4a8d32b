"""docs/security: its limits are those of the code, its attacks are those of the benchmark."""

import importlib.util
import re
import sys
from typing import Any

import pytest

from tests.docs.reader import ROOT
from vertexkit.ingress import body, content
from vertexkit.server import limits
from vertexkit.settings import Settings

PAGES = ["security.md", "security.ru.md"]
COLUMNS = 8
LIMIT = re.compile(r"^\| ([^|]+) \| ([^|]+) \| (?:`(\w+)`)? ?\| [^|]+ \|$", re.MULTILINE)


def read(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def benchmark(name: str) -> Any:
    """Import a script of the folder of benchmarks."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES)
def test_its_limits_are_those_of_the_code(page: str) -> None:
    """Each number of the table is the default of a setting or a constant of the code."""
    settings = Settings.of()
    rows = LIMIT.findall(read(page))
    values = [[int(number) for number in re.findall(r"\d+", limit)] for _, limit, _ in rows]
    assert [value for value in values if value] == [
        [settings.server.head_limit],
        [limits.MAX_HEADER_FIELDS],
        [int(settings.server.head_timeout)],
        [settings.server.body_limit],
        [limits.BODY_OVERHEAD_FACTOR],
        [int(settings.server.body_timeout)],
        [settings.server.body_limit],
        [content.MAX_MEMBERS],
        [body.MAX_DEPTH],
        [body.MAX_VALUES],
        [body.MAX_FORM_FIELDS],
        [settings.server.clients],
        [limits.MAX_PIPELINED_REQUESTS],
        [int(settings.server.body_timeout)],
        [limits.LINGER_BYTES // 2**20, int(limits.LINGER_SECONDS)],
        [settings.journal.queue],
    ]
    for _, limit, setting in rows:
        if setting:
            value = settings.flat()[setting.removeprefix("VERTEXKIT_").lower()]
            assert str(int(value)) in limit


def attacks(page: str) -> list[list[str]]:
    """Return the rows of the table of attacks."""
    rows = [line.strip("| ").split(" | ") for line in read(page).splitlines() if " × " in line]
    return [row for row in rows if len(row) == COLUMNS]


def numbers(text: str) -> list[str]:
    """Return the numbers in a text, in order."""
    return re.findall(r"\d+(?:\.\d+)?", text)


def test_its_attacks_are_those_that_are_run() -> None:
    """The table has a row for each attack of the benchmark; every valid call was answered."""
    attack_types = [attack for attack, _ in benchmark("attacks").ATTACKS.values()]
    english, russian = map(attacks, PAGES)
    assert [row[0] for row in english] == [
        (attack.__doc__ or "").strip(" .\n") for attack in attack_types
    ]
    for row, translated in zip(english, russian, strict=True):
        translated_cells = " ".join(translated[1:]).replace("\xa0", "").replace(",", ".")
        assert numbers(" ".join(row[1:]).replace(",", "")) == numbers(translated_cells)
        answered, _, asked = row[5].partition(" of ")
        assert answered == asked
