"""The language that a terminal speaks."""

import os
from typing import Literal

Language = Literal["en", "ru"]


def spoken() -> Language:
    """Russian if the environment says so."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "ru" if value.lower().startswith("ru") else "en"
    return "en"
