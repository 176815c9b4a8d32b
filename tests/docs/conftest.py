"""A reader that saves the files of a page of the manual, runs its commands and compares outputs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.reader import Reader, page_ports
from tests.tools import TOOLS, reason


@pytest.fixture
def reader(tmp_path: Path, free_ports: dict[str, str]) -> Iterator[Reader]:
    """A reader with an empty folder."""
    if TOOLS["curl"].path is None:
        pytest.skip(reason("curl"))
    reader = Reader(tmp_path, free_ports)
    yield reader
    for server in reader.servers:
        server.close()


@pytest.fixture
def free_ports() -> Iterator[dict[str, str]]:
    """A free port for each port that the pages name."""
    with page_ports() as ports:
        yield ports
