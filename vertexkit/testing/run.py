"""The record of one call of a block in a test."""

from dataclasses import dataclass, field
from typing import Any

from vertexkit.execution import Outcome
from vertexkit.telemetry.events import Event
from vertexkit.testing.failures import describe
from vertexkit.testing.platform.dialogs import Activation

RETRY_EVENTS = frozenset({"send_retried", "completion_retried", "retried"})


class SentMessage(str):
    """A message that reached the dialog. It is a `str`, so it compares equal to its text.

    Attributes:
        typing: the platform showed the bot typing before it.
        message_id: the platform's id.
        created_at: the platform's time, in Unix seconds.
        at: seconds since the start of the run, on the run's clock.
    """

    typing: bool
    message_id: int
    created_at: int
    at: float

    __slots__ = ("at", "created_at", "message_id", "typing")


def sent_messages(activation: Activation, started: float) -> list[SentMessage]:
    """Return the messages that an activation of a block has sent.

    Args:
        activation: of the block.
        started: when the call was made: `SentMessage.at` counts from then.
    """
    messages = []
    for received in activation.messages:
        message = SentMessage(received.text)
        message.typing = received.typing
        message.message_id = received.message_id
        message.created_at = received.created_at
        message.at = received.at - started
        messages.append(message)
    return messages


@dataclass(frozen=True, slots=True)
class Run:
    """The record of one call of a block.

    Attributes:
        status: status of the response to the platform's call; 200 if the call was accepted.
        answer: JSON of that response.
        messages: the messages that reached the dialog, in order; each compares equal to its text.
        data: the data that the block was completed with.
        outcome: how the execution ended; None if the call was rejected.
        timeline: the events of the execution, in order: accepted, claimed, sent, step_completed,
            result_recorded, completed, settled and others.
        error: what the handler raised, if the block failed because of that. The representation of
            the run, which a failed assertion shows, names its line in the author's code.
        crashes: how often the process of the handler has crashed, as the test had ordered.
    """

    status: int
    answer: dict[str, Any]
    messages: list[SentMessage] = field(default_factory=list)
    data: Any = None
    outcome: Outcome | None = None
    timeline: list[Event] = field(default_factory=list)
    error: BaseException | None = None
    crashes: int = 0

    def __repr__(self) -> str:
        code = self.answer.get("code") if self.outcome is None else self.outcome.code
        parts = [str(self.status) if self.outcome is None else self.outcome.status.value]
        if code not in {None, "ok"}:
            parts.append(str(code) if self.error is None else f"{code} {describe(self.error)}")
        elif self.outcome is not None:
            parts.append("ok")
        messages = [str(message) for message in self.messages]
        return f"<Run {' '.join(parts)}; messages={messages!r}; data={self.data!r}>"

    @property
    def execution(self) -> str | None:
        """The id of the execution; None if the call was rejected."""
        return self.timeline[0].execution if self.timeline else self.answer.get("execution")

    @property
    def retries(self) -> int:
        """How often a message, the completion or the handler was retried."""
        return sum(event.name in RETRY_EVENTS for event in self.timeline)

    @property
    def attempts(self) -> int:
        """How often the handler was started."""
        return sum(event.name == "claimed" for event in self.timeline)

    @property
    def events(self) -> list[str]:
        """The names of the events of the timeline."""
        return [event.name for event in self.timeline]

    @property
    def transcript(self) -> list[dict[str, Any]]:
        """What the dialog saw as plain JSON for snapshots, without times and the platform's ids.

        `{"bot": text}` for each message, then the end: `{"result": data, "outcome": "completed",
        "code": "ok"}`, or `{"rejected": 422, "code": "invalid_input"}`.
        """
        lines: list[dict[str, Any]] = [{"bot": str(message)} for message in self.messages]
        if self.outcome is None:
            return [*lines, {"rejected": self.status, "code": str(self.answer.get("code", ""))}]
        end = {"result": self.data, "outcome": self.outcome.status.value}
        return [*lines, end | {"code": self.outcome.code}]

    @property
    def ok(self) -> bool:
        """Whether the call was accepted and the block did not fail."""
        return self.outcome is not None and self.outcome.code == "ok"


def check_determinism(block: str, run: Run) -> None:
    """Fail if a later run of the handler did not repeat what an earlier run did.

    Raises:
        AssertionError: names the effect.
    """
    __tracebackhide__ = True
    if run.outcome is not None and run.outcome.code == "nondeterministic":
        raise AssertionError(f"block {block!r} is not deterministic: {run.outcome.reason}")
    for event in run.timeline:
        if event.name == "effect_changed":
            raise AssertionError(
                f"block {block!r} is not deterministic: at position {event.fields['position']}, a "
                f"later run did {event.fields['kind']!r} with another text or other arguments"
            )
