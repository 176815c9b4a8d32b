"""The first effects of a recorded run, with which a new run of its handler continues."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from vertexkit.context.arguments import digest_text
from vertexkit.errors import SettingsError
from vertexkit.execution import SEND, SLEEP, STEP, WAIT, Effect, EffectState
from vertexkit.recordings import RecordedWait, Recording
from vertexkit.testing.contents import MAX_CONTENT_BYTES
from vertexkit.testing.crashes import SEND_MESSAGE

FIRST_POSITION = 500_000
"""Positions of recorded effects: calls find them by what they are, whatever else the handler does."""
CUT_MARK = "…"
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordedStart:
    """What a run has from a recording, before it does something itself."""

    effects: tuple[Effect, ...]
    messages: tuple[str, ...]
    """The texts of the messages among the effects."""
    waits: tuple[RecordedWait, ...]
    """The recorded waits that are not among the effects."""


@dataclass(frozen=True, slots=True)
class _Effect:
    """A message, a step or a wait in a recording."""

    name: str
    """`send_message`, or the name of the step; empty for a wait."""
    line: int
    """Number of the line that says that it has ended."""
    kind: str
    digest: str = ""
    state: EffectState = EffectState.CONFIRMED
    value: Any = None
    text: str = ""


def recorded_start(recording: Recording, number: int) -> RecordedStart:
    """Return what a recorded run did before an effect.

    Args:
        recording: the recording.
        number: of the effect, counted from 1 over messages and steps.

    Raises:
        SettingsError: the recording has fewer effects, or not the result of one of them.
    """
    effects = list(_effects(recording.lines))
    counted = [effect for effect in effects if effect.name]
    if number > len(counted) + 1:
        names = ", ".join(f"{n} {effect.name!r}" for n, effect in enumerate(counted, 1)) or "none"
        raise SettingsError(
            f"--from must be at most {len(counted) + 1}, got {number}; effects of the run: {names}"
        )
    end = counted[number - 1].line if number <= len(counted) else len(recording.lines)
    before = [effect for effect in effects if effect.line < end]
    for effect in before:
        _check_value(effect)
    ended = Recording(recording.header, recording.lines[:end]).waits()
    return RecordedStart(
        tuple(
            Effect(FIRST_POSITION + n, one.kind, one.digest, one.state, to_json(one.value))
            for n, one in enumerate(before)
        ),
        tuple(effect.text for effect in before if effect.kind == SEND),
        tuple(recording.waits()[len(ended) :]),
    )


def _effects(lines: tuple[Line, ...]) -> Iterator[_Effect]:
    request: Line = {}
    has_results = any(line.get("name") == "step_ended" for line in lines)
    for number, line in enumerate(lines):
        fields = line.get("fields", {})
        match line.get("name") if line.get("kind") == "event" else line.get("method"):
            case "send_message":
                request = line
            case "sent" | "send_outcome_unknown" if fields.get("policy") in {None, "assume_sent"}:
                yield _message(number, request, known=line["name"] == "sent")
            case "step_ended" if "result" in fields:
                name = str(fields.get("step"))
                yield _Effect(name, number, STEP + name, value=fields["result"])
            case "step_completed" if not has_results:  # of a service
                name = str(fields.get("step"))
                yield _Effect(name, number, STEP + name, value=CUT_MARK * MAX_CONTENT_BYTES)
            case "waited":
                event = str(fields.get("event", ""))
                data = {"event": fields["data"]} if "data" in fields else {}
                yield _Effect(
                    "", number, WAIT + event if event else SLEEP, value={"until": 0.0} | data
                )


def _message(number: int, request: Line, *, known: bool) -> _Effect:
    """Return the message of the last request before the event with its outcome."""
    text = str(request.get("request", {}).get("text", ""))
    answer = request.get("answer") if isinstance(request.get("answer"), dict) else {}
    value = {name: (answer or {}).get(name) for name in ("message_id", "created_at")}
    state = EffectState.CONFIRMED if known else EffectState.UNKNOWN
    return _Effect(SEND_MESSAGE, number, SEND, digest_text(text), state, value, text)


def _check_value(effect: _Effect) -> None:
    """Check that a recording has the whole result of a step."""
    value = effect.value
    if (
        isinstance(value, str)
        and value.endswith(CUT_MARK)
        and len(to_json(value)) > MAX_CONTENT_BYTES
    ):
        raise SettingsError(
            f"the recording does not have the whole result of the step {effect.name!r}. Choose an "
            "earlier --from; dev and trigger record results of up to 32 KiB, run records none"
        )
