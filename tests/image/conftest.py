"""What the Dockerfile says, instruction by instruction."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: its word in capitals, and all that follows on one line."""

    word: str
    rest: str

    @property
    def exec_form(self) -> list[str]:
        """The JSON list that ends the instruction; raises ValueError for a shell form."""
        begins = self.rest.find("[")
        form = json.loads(self.rest[begins:]) if begins >= 0 else None
        if not isinstance(form, list) or not all(isinstance(part, str) for part in form):
            raise ValueError(f"not the exec form: {self.word} {self.rest}")
        return form


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM and the instructions up to the next."""

    base: str
    name: str
    steps: tuple[Step, ...]

    def of(self, word: str) -> list[Step]:
        return [step for step in self.steps if step.word == word]

    @property
    def environment(self) -> dict[str, str]:
        pairs = (part for step in self.of("ENV") for part in shlex.split(step.rest))
        return dict(pair.split("=", 1) for pair in pairs)


def read_steps(text: str) -> list[Step]:
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", code)
    lines = (line.strip() for line in joined.splitlines() if line.strip())
    return [Step(word.upper(), rest.strip()) for word, _, rest in (x.partition(" ") for x in lines)]


def read_stages(steps: list[Step]) -> list[Stage]:
    begins = [at for at, step in enumerate(steps) if step.word == "FROM"]
    stages = []
    for at, end in zip(begins, [*begins[1:], len(steps)], strict=True):
        base, _, name = steps[at].rest.partition(" AS ")
        stages.append(Stage(base, name, tuple(steps[at + 1 : end])))
    return stages


@pytest.fixture(scope="session")
def steps() -> list[Step]:
    return read_steps((ROOT / "Dockerfile").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def stages(steps: list[Step]) -> list[Stage]:
    return read_stages(steps)


@pytest.fixture(scope="session")
def builder(stages: list[Stage]) -> Stage:
    return stages[0]


@pytest.fixture(scope="session")
def final(stages: list[Stage]) -> Stage:
    return stages[-1]
