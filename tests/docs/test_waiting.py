"""docs/waiting: its examples run as shown."""

import pytest

from tests.docs.reader import DOCS, Reader

pytestmark = pytest.mark.unmeasured

PAGES = ["waiting.md", "waiting.ru.md"]


@pytest.mark.parametrize("page", PAGES)
def test_its_examples_run_as_shown(reader: Reader, page: str) -> None:
    """The files of the page are valid blocks, and the tests on the page pass."""
    reader.follow(DOCS / page)
