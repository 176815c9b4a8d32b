"""The setting of the garbage collector."""

import gc
from collections.abc import Iterator

import pytest

from vertexkit.system.garbage_collector import GC_THRESHOLDS, tune_garbage_collector


@pytest.fixture
def restored() -> Iterator[None]:
    """Restores the thresholds. The objects stay exempt, as they do after each file of tests."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("restored")
def test_what_exists_is_not_scanned_again() -> None:
    """Objects that exist are exempt from collections, and collections are rare."""
    before = gc.get_freeze_count()
    tune_garbage_collector()
    assert gc.get_freeze_count() > max(before, 10_000)
    assert gc.get_threshold() == GC_THRESHOLDS
