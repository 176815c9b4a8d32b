"""Journals in a database that a busy machine may slow down."""

from collections.abc import Iterator

import pytest

from tests.journal.postgres.patience import patient


@pytest.fixture(autouse=True)
def patient_calls() -> Iterator[None]:
    """Calls wait for the database, except where a test is about calls that are rejected."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    with patient():
        yield
