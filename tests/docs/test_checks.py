"""docs/checks: its commands print what it shows."""

import pytest

from tests.docs.reader import DOCS, Reader


@pytest.mark.unmeasured
@pytest.mark.parametrize("page", ["checks.md", "checks.ru.md"])
def test_its_examples_run_as_shown(reader: Reader, page: str) -> None:
    """Each command of the page prints what the page shows."""
    reader.follow(DOCS / page)
