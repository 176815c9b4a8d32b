"""The probe's folder: observations in findings.jsonl, conclusions in report.md."""

import json
import os
import time
from pathlib import Path
from typing import Any

import structlog

from example_blocks.findings import Findings, fingerprint

NOT_YET = "Not observed yet:"
TOKENS = {
    "": f"{NOT_YET} run one dialog through the block twice, without starting a new dialog.",
    "unique": "Yes: the second call in the same dialog had a different token.",
    "reused": "No: the same token came {} after the end of its execution. (If the dialog had not "
    "reached the block again, this was a late repetition of the call.)",
}
REASONS = {
    "": "the default, which is safe in both cases",
    "unique": "each execution has its own token, so a call with a known token is a repetition",
    "reused": "a call with a known token may be a new execution",
}
REPORT = """# Behaviour of this platform

## Does each execution get its own token?

{tokens}

## Does the platform repeat a call?

{repeats}

## How does the platform answer a second `complete`?

{second}

## Does `typing: true` delay the response to a message?

{typing}

## Recommended settings

```
# {tokens_reason}
VERTEXKIT_TOKENS={value}
# three times the slowest response ({found.slowest:.1f} s), at least the default of 15
VERTEXKIT_SEND_TIMEOUT={found.send_timeout}
```
"""


def folder() -> Path:
    return Path(os.environ.get("PROBE_FOLDER", ".vertexkit/probe"))


def read_findings() -> Findings:
    file = folder() / "findings.jsonl"
    return Findings(map(json.loads, file.read_text("utf-8").splitlines() if file.exists() else []))


def observe(what: str, token: str, **seen: Any) -> None:
    """Record an observation, with a fingerprint instead of the token, and update the report."""
    line = {"at": round(time.time(), 3), "what": what, "token": fingerprint(token), **seen}
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with (folder() / "findings.jsonl").open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")
        (folder() / "report.md").write_text(render(read_findings()), encoding="utf-8")
    except OSError as error:  # not a reason to reject the call
        structlog.get_logger("probe").error("write_failed", reason=str(error))


def render(found: Findings) -> str:
    """The report: for each question, what was observed or how to observe it; then settings."""
    repeats = f"{NOT_YET} no repetition in {found.held:g} s, the longest hold. Try `hold=120`."
    if found.repeats:
        repeats = f"Yes: {seconds_list(found.repeats)} after the previous call."
    second = f"{NOT_YET} call the block with `second_complete=true` in a test dialog."
    if found.answers:
        second = (
            f"{', '.join(found.answers)}. (vertexkit treats 403 after a lost response as success.)"
        )
    typing, (plain, typed) = f"{NOT_YET} call the block.", map(seconds_list, found.seconds.values())
    if typed:
        typing = f"{'Yes' if found.delay else 'No'}: {typed} with typing, {plain} without."
    return REPORT.format(
        tokens=TOKENS[found.tokens].format(seconds_list(found.returns)),
        repeats=repeats,
        second=second,
        typing=typing,
        tokens_reason=REASONS[found.tokens],
        value=found.tokens or "reused",
        found=found,
    )


def seconds_list(seconds: list[float]) -> str:
    return ", ".join(f"{duration:.1f} s" for duration in seconds[-5:])
