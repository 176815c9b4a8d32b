"""What recordings of runs against the fake platform contain."""

from typing import Any

from vertexkit.recordings import REJECTED, decode_body
from vertexkit.testing.platform.ledger import Entry
from vertexkit.testing.run import Run


def request_fields(entry: Entry) -> dict[str, Any]:
    """Return the fields of `Recorder.request` for a finished request to the fake platform."""
    fields: dict[str, Any] = {
        "seconds": round((entry.answered_at or entry.at) - entry.at, 6),
        "method": entry.method,
        "path": entry.path,
        "request": entry.json if isinstance(entry.json, dict) else {},
        "status": entry.status,
        "answer": decode_body(entry.answer),
        "fault": entry.fault,
        "processed": entry.processed,
    }
    if entry.retry_after is not None:
        fields["retry_after"] = entry.retry_after
    return fields


def outcome_and_code(run: Run) -> tuple[str, str]:
    """Return the arguments of `Recorder.end` for a run.

    Returns:
        The outcome (`completed`, `gone`, `parked` or `rejected`), and `ok` or the failure's code.
    """
    if run.outcome is None:
        return REJECTED, str(run.answer.get("code", ""))
    return run.outcome.status.value, run.outcome.code
