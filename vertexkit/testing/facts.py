"""Requests and ends, as a recorded run has them."""

from typing import Any

from vertexkit.recordings import REFUSED, readable
from vertexkit.testing.dialog import Run
from vertexkit.testing.platform.ledger import Entry


def facts_of(entry: Entry) -> dict[str, Any]:
    """The facts that `Recorder.request` takes, of a request that is over."""
    facts: dict[str, Any] = {
        "seconds": round((entry.answered_at or entry.at) - entry.at, 6),
        "method": entry.method,
        "path": entry.path,
        "request": entry.json if isinstance(entry.json, dict) else {},
        "status": entry.status,
        "answer": readable(entry.answer),
        "fault": entry.fault,
        "processed": entry.processed,
    }
    if entry.retry_after is not None:
        facts["retry_after"] = entry.retry_after
    return facts


def ended(run: Run) -> tuple[str, str]:
    """How a run ended: `completed`, `gone`, `parked` or `refused`; and `ok` or a failure's code."""
    if run.outcome is None:
        return REFUSED, str(run.answer.get("code", ""))
    return run.outcome.ending.value, run.outcome.code
