"""The instructions of a Dockerfile, stage by stage."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: its keyword in capitals, and its arguments on one line."""

    keyword: str
    arguments: str

    @property
    def exec_form(self) -> list[str]:
        """The JSON list at the end of the instruction; raises ValueError for a shell form."""
        start = self.arguments.find("[")
        form = json.loads(self.arguments[start:]) if start >= 0 else None
        if not isinstance(form, list) or not all(isinstance(part, str) for part in form):
            raise ValueError(f"not the exec form: {self.keyword} {self.arguments}")
        return form


@dataclass(frozen=True, slots=True)
class Stage:
    """A FROM and the instructions up to the next one."""

    base: str
    name: str
    steps: tuple[Step, ...]

    def find(self, keyword: str) -> list[Step]:
        return [step for step in self.steps if step.keyword == keyword]

    @property
    def environment(self) -> dict[str, str]:
        pairs = (part for step in self.find("ENV") for part in shlex.split(step.arguments))
        return dict(pair.split("=", 1) for pair in pairs)


def read_steps(text: str) -> list[Step]:
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", code)
    lines = (line.strip() for line in joined.splitlines() if line.strip())
    parts = (line.partition(" ") for line in lines)
    return [Step(keyword.upper(), arguments.strip()) for keyword, _, arguments in parts]


def read_stages(steps: list[Step]) -> list[Stage]:
    starts = [at for at, step in enumerate(steps) if step.keyword == "FROM"]
    stages = []
    for at, end in zip(starts, [*starts[1:], len(steps)], strict=True):
        base, _, name = steps[at].arguments.partition(" AS ")
        stages.append(Stage(base, name, tuple(steps[at + 1 : end])))
    return stages
