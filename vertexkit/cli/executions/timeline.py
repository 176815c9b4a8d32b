"""One execution, drawn as what happened when."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from vertexkit.execution import Effect, EffectState, OutcomeStatus, Phase
from vertexkit.journal.protocol import Record

STYLES = {
    "sent": "green",
    "unknown": "bold yellow",
    "refused": "red",
    "expired": "yellow",
    "parked": "bold red",
    "gone": "yellow",
    "completed": "bold green",
}
WORDS = {
    EffectState.INTENDED: "open",
    EffectState.CONFIRMED: "sent",
    EffectState.REJECTED: "refused",
    EffectState.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened."""

    at: float
    what: str
    said: str = ""


def told(record: Record, now: float) -> Iterator[Text]:
    """The lines of an execution, from its acceptance to its end, and what may be done.

    Args:
        record: of it.
        now: Unix seconds.
    """
    dialog = "" if record.dialog is None else f", dialog {record.dialog}"
    yield Text(f"  {record.execution}  {record.block}{dialog}", "bold")
    began = record.accepted_at
    for line in sorted(_lines(record), key=lambda line: line.at):
        clock = datetime.fromtimestamp(line.at).astimezone().strftime("%d.%m. %H:%M:%S")
        text = Text(f"  {clock}  {_since(line.at - began):>9}  ", "dim")
        text.append(f"{line.what:<10}", STYLES.get(line.what, "default"))
        text.append(f" {line.said}", "default")
        yield text
    for sentence in _advice(record, now):
        yield Text(f"  {sentence}")


def _since(seconds: float) -> str:
    if seconds < 60:
        return f"+{max(0.0, seconds):.3f} s"
    return f"+{seconds / 60:.1f} min" if seconds < 7200 else f"+{seconds / 3600:.1f} h"


def _lines(record: Record) -> Iterator[Line]:
    yield Line(record.accepted_at, "accepted", "the call was answered, and is in the journal")
    if record.claimed_at is not None:
        yield Line(record.claimed_at, "claimed", "the first run of the handler begins")
    for effect in record.effects:
        yield _effect(effect)
    for event in record.history:
        yield Line(event.at, event.name, event.detail)
    if record.result_recorded_at is not None:
        code = record.outcome.code if record.outcome else record.result and record.result.code
        yield Line(
            record.result_recorded_at, "result_recorded", f"the result is fixed: {code or 'ok'}"
        )
    if record.completion_tried_at is not None:
        tries = (
            "tried once"
            if record.completion_tries == 1
            else f"tried {record.completion_tries} times, last now"
        )
        yield Line(record.completion_tried_at, "complete", tries)
    if record.outcome is not None and record.ended_at is not None:
        outcome = record.outcome
        by = f", confirmed by {outcome.confirmed_by}" if outcome.confirmed_by else ""
        reason = f": {outcome.reason}" if outcome.reason else ""
        yield Line(record.ended_at, outcome.status.value, f"{outcome.code}{by}{reason}")


def _effect(effect: Effect) -> Line:
    took = (
        "" if effect.state is EffectState.INTENDED else f" in {effect.ended - effect.began:.3f} s"
    )
    word = WORDS[effect.state]
    if effect.kind == "send":
        number = json.loads(effect.value).get("message_id") if effect.value else None
        said = {
            "open": "a message was begun, and nothing came of it yet",
            "sent": f"message {number or 'without a number'}{took}",
            "refused": f"a message was not taken{took}",
            "unknown": "a message may or may not have come: its answer was lost",
        }[word]
        return Line(effect.began, word, said)
    name = effect.kind.partition(":")[2]
    what = {"sent": "step_completed", "open": "step", "refused": "step"}.get(word, word)
    end = {"sent": took.strip(), "open": "has begun", "refused": f"raised an error{took}"}
    return Line(effect.began, what, f"{name} {end.get(word, '')}".rstrip())


def _advice(record: Record, now: float) -> Iterator[str]:
    """What it waits for, or what an operator may do."""
    name = record.execution
    if record.outcome is None:
        if record.phase is Phase.RUNNING:
            yield f"Its handler runs, in worker {record.worker}."
        elif record.due_at is not None:
            yield f"It waits: its handler runs again in {max(0.0, record.due_at - now):.0f} s."
        elif record.result is not None:
            yield "Its result is being delivered to the platform."
        else:
            yield "It waits for a free place."
        return
    if record.outcome.status is not OutcomeStatus.PARKED:
        return
    yield ""
    if not record.retryable:
        yield "Its block was completed as failed, so its dialog has gone on. There is nothing to do."
        return
    yield "Its dialog still waits. What you may do, when the reason is mended:"
    if record.result is not None:
        yield f"  vertexkit executions retry {name}          sends its result again"
    else:
        yield f"  vertexkit executions retry {name}          runs its handler again; what it"
        yield f"  {'':<{len(name) + 37}}has sent is not repeated"
    yield f"  vertexkit executions retry {name} --fresh  runs it as if for the first time"
    yield f"  vertexkit executions drop {name}           forgets it: its dialog hangs for good"
