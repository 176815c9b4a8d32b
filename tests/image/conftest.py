"""The instructions of the Dockerfile, stage by stage."""

import pytest

from tests.image.dockerfile import ROOT, Stage, Step, read_stages, read_steps


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
