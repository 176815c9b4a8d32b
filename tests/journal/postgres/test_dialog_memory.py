"""The versions of the memories of dialogs."""

from collections.abc import Callable

import pytest

pytest.importorskip("psycopg", reason="the extra postgres is not installed")

from vertexkit.journal.postgres import dialog_memory


@pytest.mark.parametrize(
    "draw, version", [(lambda _: 0, 1), (lambda bound: bound - 1, 2**63 - 1)], ids=["least", "most"]
)
def test_a_version_is_positive_and_fits_its_column(
    monkeypatch: pytest.MonkeyPatch, draw: Callable[[int], int], version: int
) -> None:
    """The version 0 means that nothing is stored, and a `bigint` has 63 bits."""
    monkeypatch.setattr(dialog_memory, "randbelow", draw)
    assert dialog_memory.new_version() == version
