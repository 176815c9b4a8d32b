"""The history of one execution, as `vertexkit executions show` prints it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from vertexkit.cli.translation import translate, translate_sentence
from vertexkit.execution import (
    EVENT,
    OR_SAY,
    SEND,
    SLEEP,
    STEP,
    WAIT,
    Effect,
    EffectState,
    OutcomeStatus,
    Phase,
)
from vertexkit.journal.protocol import Record

STYLES = {
    "sent": "green",
    "step_completed": "green",
    "send_outcome_unknown": "bold yellow",
    "send_failed": "red",
    "step_failed": "red",
    "lease_expired": "yellow",
    "parked": "bold red",
    "gone": "yellow",
    "completed": "bold green",
}
EVENT_WIDTH = 20
"""Characters of the longest name of an event."""
SEND_EVENTS = {
    EffectState.INTENDED: "send_started",
    EffectState.CONFIRMED: "sent",
    EffectState.REJECTED: "send_failed",
    EffectState.UNKNOWN: "send_outcome_unknown",
}
STEP_EVENTS = {
    EffectState.INTENDED: "step_started",
    EffectState.CONFIRMED: "step_completed",
    EffectState.REJECTED: "step_failed",
    EffectState.UNKNOWN: "step_outcome_unknown",
}


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """A line of the history."""

    at: float
    """Unix seconds."""
    name: str
    """The same as in the log, where the log has this event."""
    detail: str = ""


def timeline_lines(record: Record, now: float) -> Iterator[Text]:
    """Yield the lines of an execution: its history, then its state and what an operator can do.

    Args:
        record: the execution.
        now: Unix seconds.
    """
    dialog = "" if record.dialog is None else translate(", dialog {0}", record.dialog)
    yield Text(f"  {record.execution}  {record.block}{dialog}", "bold")
    start = record.accepted_at
    for event in sorted(_events(record), key=lambda event: event.at):
        clock = datetime.fromtimestamp(event.at).astimezone().strftime("%d.%m. %H:%M:%S")
        line = Text(f"  {clock}  {_format_offset(event.at - start):>9}  ", "dim")
        line.append(f"{event.name:<{EVENT_WIDTH}}", STYLES.get(event.name, "default"))
        line.append(f"  {event.detail}", "default")
        line.rstrip()
        yield line
    for sentence in _advice(record, now):
        yield Text(f"  {sentence}")


def _format_offset(seconds: float) -> str:
    if seconds < 60:
        return "+" + translate("{0} s", f"{max(0.0, seconds):.3f}")
    if seconds < 7200:
        return "+" + translate("{0} min", f"{seconds / 60:.1f}")
    return "+" + translate("{0} h", f"{seconds / 3600:.1f}")


def _events(record: Record) -> Iterator[TimelineEvent]:
    yield TimelineEvent(record.accepted_at, "accepted", translate("stored in the journal"))
    if record.claimed_at is not None:
        yield TimelineEvent(record.claimed_at, "claimed", translate("run 1"))
    for effect in record.effects:
        yield _effect_event(effect)
    for event in record.history:
        yield TimelineEvent(event.at, event.name, translate_sentence(event.detail))
    if record.result_recorded_at is not None:
        code = record.outcome.code if record.outcome else record.result and record.result.code
        yield TimelineEvent(record.result_recorded_at, "result_recorded", code or "ok")
    if record.completion_tried_at is not None:
        tries = record.completion_tries
        detail = (
            translate("first request")
            if tries == 1
            else translate("{0} requests, this is the last one", tries)
        )
        yield TimelineEvent(record.completion_tried_at, "completion_sent", detail)
    if record.outcome is not None and record.ended_at is not None:
        outcome = record.outcome
        confirmed = (
            translate(", confirmed by {0}", outcome.confirmed_by) if outcome.confirmed_by else ""
        )
        reason = f": {translate_sentence(outcome.reason)}" if outcome.reason else ""
        detail = f"{outcome.code}{confirmed}{reason}"
        yield TimelineEvent(record.ended_at, outcome.status.value, detail)


def _effect_event(effect: Effect) -> TimelineEvent:
    state = effect.state
    took = (
        ""
        if state is EffectState.INTENDED
        else translate(" in {0} s", f"{effect.ended - effect.began:.3f}")
    )
    if effect.kind == SEND:
        return TimelineEvent(effect.began, SEND_EVENTS[state], _send_detail(effect, took))
    if effect.kind.startswith(EVENT):
        event = "event_received" if state is EffectState.CONFIRMED else "event_discarded"
        return TimelineEvent(effect.began, event, effect.kind.removeprefix(EVENT))
    if effect.kind == SLEEP or effect.kind.startswith(WAIT):
        name = translate("a time") if effect.kind == SLEEP else effect.kind.removeprefix(WAIT)
        event = "wait_started" if state is EffectState.INTENDED else "wait_ended"
        return TimelineEvent(effect.began, event, f"{name}{took}")
    if effect.kind == OR_SAY:
        return TimelineEvent(
            effect.began, "or_say_decided", translate("whether its message is sent")
        )
    name = effect.kind.removeprefix(STEP)
    return TimelineEvent(effect.began, STEP_EVENTS[state], f"{name}{took}")


def _send_detail(effect: Effect, took: str) -> str:
    match effect.state:
        case EffectState.INTENDED:
            return translate("the reply has not arrived")
        case EffectState.CONFIRMED:
            number = json.loads(effect.value).get("message_id") if effect.value else None
            return translate("message {0}{1}", number or translate("without an id"), took)
        case EffectState.REJECTED:
            return translate("the message was not delivered{0}", took)
        case EffectState.UNKNOWN:
            return translate("the reply was lost: the message may have been delivered")


def describe_waits(record: Record, now: float) -> str:
    """Return what a suspended execution waits for: `payment, at most 3600 s`."""
    seconds = translate("{0} s", f"{max(0.0, (record.due_at or now) - now):.0f}")
    events = ", ".join(sorted(record.waits_for()))
    return translate("{0}, at most {1}", events, seconds) if events else seconds


def _state(record: Record, now: float) -> Iterator[str]:
    """Yield what an execution that has not ended waits for."""
    if record.limited_by:
        yield translate("It waits for the {0} of its block.", record.limited_by)
    elif record.phase is Phase.SUSPENDED:
        yield translate("Its handler waits for {0}.", describe_waits(record, now))
        for event in sorted(record.waits_for()):
            yield f"  vertexkit executions send-event {record.execution} {event} --data JSON"
    elif record.phase is Phase.RUNNING:
        yield translate("Its handler is running in worker {0}.", record.worker)
    elif record.due_at is not None:
        yield translate("Its handler runs again in {0} s.", f"{max(0.0, record.due_at - now):.0f}")
    elif record.result is not None:
        yield translate("Its result is being sent to the platform.")
    else:
        yield translate("It waits for a free handler.")


def _advice(record: Record, now: float) -> Iterator[str]:
    """Yield what the execution waits for, or what an operator can do."""
    name = record.execution
    if record.outcome is None:
        yield from _state(record, now)
        return
    if record.outcome.status is not OutcomeStatus.PARKED:
        return
    yield ""
    if not record.retryable:
        yield translate(
            "Its block was completed as failed, and its dialog continues. No action is needed."
        )
        return
    command = "vertexkit executions"
    yield translate("Its dialog still waits. After fixing the cause, run one of:")
    if record.result is not None:
        yield f"  {command} retry {name}          {translate('send its result again')}"
    else:
        first, second = translate(
            "run its handler again; messages that were\nsent are not repeated"
        ).split("\n")
        yield f"  {command} retry {name}          {first}"
        yield f"  {'':<{len(name) + 37}}{second}"
    yield f"  {command} retry {name} --fresh  {translate('run its handler from the beginning')}"
    yield f"  {command} drop {name}           {translate('delete it: its dialog will wait forever')}"
