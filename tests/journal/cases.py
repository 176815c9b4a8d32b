"""Cases that share an open journal: to open one takes more time than a case does."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def case(name: str) -> Iterator[None]:
    """A context whose failure says in which case it happened."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"In the case: {name}")
        raise
