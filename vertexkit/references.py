"""The code of each error in docs/errors.md: the command line prints it, and log lines have it."""

import sys
from collections.abc import MutableMapping
from typing import Any

from vertexkit.errors import VertexkitError

SYSTEM_REFERENCE = "VK-002"
"""An error of the operating system."""
COMMAND_LINE_REFERENCE = "VK-003"
"""An option, an argument or a command does not exist, is missing or has a wrong value."""
EXCEPTION_REFERENCE = "VK-004"
"""An exception of an author's code, of another package, or of a bug in vertexkit."""
INCOMPLETE_REFERENCE = "VK-305"
"""The platform's list of dialogs is incomplete."""
RESULT_REFERENCE = "VK-609"
"""A result, or the data of a failure, cannot be sent."""
CLASSLESS_REFERENCES = {
    SYSTEM_REFERENCE,
    COMMAND_LINE_REFERENCE,
    EXCEPTION_REFERENCE,
    INCOMPLETE_REFERENCE,
    RESULT_REFERENCE,
}
"""Codes of errors that have no class in `vertexkit.errors`."""


def reference_of(error: BaseException) -> str:
    """Return the code of an error.

    Args:
        error: of any class.
    """
    if isinstance(error, VertexkitError):
        return error.reference
    # asyncio's timeouts are an OSError without a number.
    is_system = isinstance(error, OSError) and error.errno is not None
    return SYSTEM_REFERENCE if is_system else EXCEPTION_REFERENCE


def error_fields(error: BaseException) -> dict[str, Any]:
    """Return the fields of a log line that reports an error: its text and its code.

    Args:
        error: of any class.
    """
    return {"reason": str(error), "reference": reference_of(error)}


def add_reference(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the code of the error whose traceback is logged: a processor of structlog.

    Args:
        event: the fields of the line.
    """
    error = event.get("exc_info")
    if error is True:
        error = sys.exception()
    elif isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event.setdefault("reference", reference_of(error))
    return event
