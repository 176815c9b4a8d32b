"""How long calls wait for the database before they are rejected."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

ANSWER_LIMIT = "vertexkit.journal.postgres.writer.ANSWER_SECONDS"
PATIENT_SECONDS, IMPATIENT_SECONDS = 30.0, 0.4


@contextmanager
def patient() -> Iterator[None]:
    """Calls wait: on a busy machine the answers of the database take longer than a service waits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ANSWER_LIMIT, PATIENT_SECONDS)
        yield


@contextmanager
def impatient() -> Iterator[None]:
    """Calls are rejected as early as by a service: what is inside must not rely on an answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ANSWER_LIMIT, IMPATIENT_SECONDS)
        yield
