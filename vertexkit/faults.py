"""What went wrong: where in an author's code, and by which exit code it is told."""

import importlib
import os
import sysconfig
import traceback
from pathlib import Path

FAILED, USAGE = 1, 2
"""Exit codes: what was asked for failed; it was asked for wrongly."""
DEBUG = "VERTEXKIT_DEBUG"
"""Set in the environment of a command, and of the processes that it starts, by --debug."""
FOREIGN = (
    str(Path(__file__).parent),
    sysconfig.get_path("stdlib"),
    str(Path(importlib.__file__).parent),
    "<frozen",
)
"""Where files lie that no author wrote: vertexkit, the standard library, the import system."""
PACKAGES = ("site-packages", "dist-packages")


def place(error: BaseException) -> tuple[str, str]:
    """Where it happened, as `file.py:12`, and that line; both empty if nobody knows.

    The deepest line of the author's own code, or else of a package that it uses.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{short(error.filename)}:{error.lineno}", (error.text or "").strip()
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if not any(part in each.filename for part in PACKAGES)]
    for frame in reversed(own or frames):
        if not frame.filename.startswith(FOREIGN):
            return f"{short(frame.filename)}:{frame.lineno}", frame.line or ""
    return "", ""


def short(filename: str) -> str:
    """A file's name from the working folder, if it is in there."""
    relative = os.path.relpath(filename)
    return filename if relative.startswith("..") else relative
