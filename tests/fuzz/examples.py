"""The number of examples: few in every run of the tests, many with `make fuzz`."""

import os

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

EXAMPLES = int(os.environ.get("EXAMPLES", "0"))
MANY = settings(
    max_examples=EXAMPLES or 40,
    deadline=None,
    database=DirectoryBasedExampleDatabase(".hypothesis/examples") if EXAMPLES else None,
    suppress_health_check=list(HealthCheck),
)
