"""What a journal of every kind can store: checked before anything is changed.

A text from outside may contain half of an emoji (a lone surrogate), which neither a file nor a
socket can hold: it is replaced. A value of another type, or an infinite time, is an
error of the one execution that it belongs to.
"""

import math
from dataclasses import replace

from pydantic_core import to_json

from vertexkit.errors import JournalError, JournalUnavailable
from vertexkit.execution import Effect, Execution, Outcome, Result
from vertexkit.text import replace_surrogates


def storable_text(name: str, text: object) -> str:
    """Return a text that UTF-8 can encode.

    Args:
        name: what it is, for the error.
        text: the text.

    Raises:
        JournalError: it is not a text.
    """
    if not isinstance(text, str):
        raise JournalError(f"{name} must be a text, got {type(text).__name__}")
    return text if text.isascii() else replace_surrogates(text)


def storable_seconds(name: str, seconds: object) -> float:
    """Return a number of seconds.

    Args:
        name: what they are, for the error.
        seconds: the number.

    Raises:
        JournalError: it is not a finite number.
    """
    if not isinstance(seconds, (int, float)) or not math.isfinite(seconds):
        raise JournalError(f"{name} must be a finite number of seconds, got {seconds!r}")
    return float(seconds)


def storable_execution(execution: Execution) -> Execution:
    """Return a call that can be stored, except that its inputs are not checked.

    Raises:
        JournalUnavailable: it cannot be stored.
    """
    try:
        execution.id.encode()
        execution.block.encode()
    except UnicodeEncodeError as error:
        raise JournalUnavailable(f"the call cannot be stored: {error}") from error
    if not isinstance(execution.raw, bytes):
        raise _not_bytes("the body of a call", execution.raw)
    return execution


def encode_inputs(execution: Execution) -> bytes:
    """Encode the inputs of a call.

    Raises:
        JournalUnavailable: they cannot be stored as JSON.
    """
    try:
        return to_json(execution.inputs, inf_nan_mode="constants", fallback=str)
    except Exception as error:  # also an error of an author's type, which `str` raises
        raise JournalUnavailable(
            f"the inputs of the call cannot be stored as JSON: {error}"
        ) from error


def storable_effect(effect: Effect) -> Effect:
    """Return an effect that can be stored.

    Raises:
        JournalError: a field has another type.
    """
    kind = storable_text("the kind of an effect", effect.kind)
    digest = storable_text("the digest of an effect", effect.digest)
    if not isinstance(effect.value, bytes):
        raise _not_bytes("the value of an effect", effect.value)
    if kind is effect.kind and digest is effect.digest:
        return effect
    return replace(effect, kind=kind, digest=digest)


def storable_result(result: Result) -> Result:
    """Return a result that can be stored.

    Raises:
        JournalError: a field has another type.
    """
    code = storable_text("the code of a result", result.code)
    if not isinstance(result.data, bytes):
        raise _not_bytes("a result", result.data)
    return result if code is result.code else replace(result, code=code)


def storable_outcome(outcome: Outcome) -> Outcome:
    """Return an outcome that can be stored.

    Raises:
        JournalError: a field has another type.
    """
    code = storable_text("the code of an outcome", outcome.code)
    confirmed_by = storable_text("the confirmation of an outcome", outcome.confirmed_by)
    reason = storable_text("the reason of an outcome", outcome.reason)
    if code is outcome.code and confirmed_by is outcome.confirmed_by and reason is outcome.reason:
        return outcome
    return Outcome(outcome.status, code, confirmed_by, reason)


def _not_bytes(name: str, value: object) -> JournalError:
    return JournalError(f"{name} must be bytes, got {type(value).__name__}")
