"""The probe's folder: an observation a line in findings.jsonl, what follows in report.md."""

import json
import os
import time
from pathlib import Path
from typing import Any

import structlog

from example_blocks.findings import Findings, fingerprint

NOT_YET = "Not observed yet:"
TOKENS = {
    "": f"{NOT_YET} lead one dialog through the block twice, without starting it anew.",
    "unique": "Yes: a dialog that came to the block again had another token.",
    "reused": "No: the same token came {} after the end of its execution. (If nobody led the "
    "dialog there again, that was a call repeated late.)",
}
WHY = {
    "": "the default, which loses nothing, until it is known",
    "unique": "each execution had a token of its own, so the same one is a repeated call",
    "reused": "the same token may be a new execution",
}
REPORT = """# What this platform does

## Is a token unique per execution?

{tokens}

## Does the platform repeat a call?

{repeats}

## What does a second `complete` answer?

{second}

## Does `typing: true` delay the answer to a message?

{typing}

## Recommended settings

```
# {why_tokens}
VERTEXKIT_TOKENS={value}
# three times the slowest answer, {found.slowest:.1f} s, or the default of 15
VERTEXKIT_SEND_TIMEOUT={found.send_timeout}
```
"""


def folder() -> Path:
    return Path(os.environ.get("PROBE_FOLDER", ".vertexkit/probe"))


def read() -> Findings:
    file = folder() / "findings.jsonl"
    return Findings(map(json.loads, file.read_text("utf-8").splitlines() if file.exists() else []))


def note(what: str, token: str, **seen: Any) -> None:
    """Keep one observation, without the token, and write the report anew."""
    line = {"at": round(time.time(), 3), "what": what, "token": fingerprint(token), **seen}
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with (folder() / "findings.jsonl").open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")
        (folder() / "report.md").write_text(report(read()), encoding="utf-8")
    except OSError as error:  # a call is not refused for it
        structlog.get_logger("probe").error("not_written", reason=str(error))


def report(found: Findings) -> str:
    """Each question with what was seen or how to see it; the settings, each with its reason."""
    repeats = (
        f"{NOT_YET} none came again in the {found.held:g} s of the longest hold; try `hold=120`."
    )
    if found.repeats:
        repeats = f"Yes: {listed(found.repeats)} after the call before."
    second = f"{NOT_YET} call the block with `second_complete=true`, in a dialog of your own."
    if found.answers:
        second = f"{', '.join(found.answers)}. (After a lost answer vertexkit takes 403 as done.)"
    typing, (plain, typed) = f"{NOT_YET} call the block.", map(listed, found.seconds.values())
    if typed:
        typing = f"{'Yes' if found.delay else 'No'}: {typed} with it, {plain} without."
    return REPORT.format(
        tokens=TOKENS[found.tokens].format(listed(found.returns)),
        repeats=repeats,
        second=second,
        typing=typing,
        why_tokens=WHY[found.tokens],
        value=found.tokens or "reused",
        found=found,
    )


def listed(seconds: list[float]) -> str:
    return ", ".join(f"{each:.1f} s" for each in seconds[-5:])
