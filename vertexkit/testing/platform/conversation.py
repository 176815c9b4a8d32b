"""A dialog as methods 1 to 13 show it: its record, the answers in it, and how it is written out."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from vertexkit.testing.platform.dialogs import Dialog

IN_PROCESS = "in-process"
OPERATOR = "operator"
COMPLETED = "completed"
INTERRUPTED = "interrupted"
NOWHERE = "Unknown"
"""The city in the name of a dialog that has none."""


@dataclass(frozen=True, slots=True)
class FakeAnswer:
    """One line of a dialog's collected data.

    Attributes:
        question: what the bot asked.
        type: for example "Text": an open set.
        answer: any JSON; None where `file` says it.
        variable: what the bot keeps it under.
        deleted: None leaves the member out, as the platform often does.
        file: the id of an uploaded file: the answer is then a link to it.
    """

    question: str
    type: str = "Text"
    answer: Any = None
    variable: str | None = None
    deleted: bool | None = None
    file: int | None = None

    def shown(self, home: str) -> dict[str, Any]:
        """The answer as JSON; links to files begin with `home`, which ends in a slash."""
        answer = self.answer if self.file is None else f"{home}web/file/{self.file}"
        shown = {"question": self.question, "type": self.type, "answer": answer}
        shown["variable"] = self.variable
        return shown if self.deleted is None else shown | {"deleted": self.deleted}


@dataclass(frozen=True, slots=True)
class OperatorMessage:
    """What an operator said in a dialog, and when in whole Unix seconds."""

    text: str
    created_at: int


@dataclass(slots=True)
class Conversation:
    """A dialog as methods 1 to 13 know it. A test may change it as it likes.

    Times are whole Unix seconds.

    Attributes:
        id: of V1.
        uuid: of V2.
        number: the one in its name.
        bot_id: the bot that leads it now.
        city: where the user is; None if nobody knows.
        ip: the user's address; None if nobody knows.
        source: for example "web".
        created: when it was created.
        spoken: when its last message came, those of blocks apart; None before the first.
        lasted: its duration in seconds; None counts from `created` to the last message, or to now
            while there is none.
        marked: its status as it was last set; see `status`.
        started: a bot has begun to speak.
        variables: what it was created with.
        answers: what was collected, what blocks returned apart.
        operator_messages: what operators said.
        extra: members that its JSON has beyond the documented ones, or in their place.
        removed: it was deleted; see `deleted`.
        dialog: the same dialog as blocks see it, once it has reached one.
        ended: how many blocks had ended when it was last set going.
    """

    id: int
    uuid: UUID
    number: int
    bot_id: int
    city: str | None = None
    ip: str | None = None
    source: str | None = "web"
    created: int = 0
    spoken: int | None = None
    lasted: int | None = None
    marked: str = IN_PROCESS
    started: bool = True
    variables: dict[str, Any] = field(default_factory=dict)
    answers: list[FakeAnswer] = field(default_factory=list)
    operator_messages: list[OperatorMessage] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    removed: bool = False
    dialog: Dialog | None = None
    ended: int = 0

    @property
    def deleted(self) -> bool:
        """The platform answers 403 to everything about it, and lists it no more."""
        return self.removed or (self.dialog is not None and self.dialog.deleted)

    @deleted.setter
    def deleted(self, value: bool) -> None:
        self.removed = value
        if self.dialog is not None:
            self.dialog.deleted = value

    @property
    def status(self) -> str:
        """As it was set last; but a dialog in process is completed when its last block has ended.

        The fake platform knows nothing of a bot's flow after a block: there is none.
        """
        dialog = self.dialog
        if self.marked != IN_PROCESS or dialog is None or not dialog.activations:
            return self.marked
        over = dialog.activations[-1].completions and len(dialog.completions) > self.ended
        return COMPLETED if over else IN_PROCESS

    @property
    def updated(self) -> int | None:
        """When its last message came, whoever sent it; None before the first."""
        said = [] if self.dialog is None else [m.created_at for m in self.dialog.messages]
        return max([*said, *([] if self.spoken is None else [self.spoken])], default=None)

    @property
    def name(self) -> str:
        """The dialog's number, which is not its id, and the city."""
        return f"#{self.number} {self.city or NOWHERE}"

    def go_on(self) -> None:
        """A bot leads it from now on."""
        self.marked, self.started = IN_PROCESS, True
        self.ended = 0 if self.dialog is None else len(self.dialog.completions)

    def meet(self, dialog: Dialog) -> None:
        """It has reached a block: this is what blocks see of it."""
        self.dialog, self.started = dialog, True
        self.marked = IN_PROCESS
        if self.removed:
            dialog.deleted = True

    def data(self, home: str) -> list[dict[str, Any]]:
        """All that was collected, and at the end what blocks returned, each as a text of JSON."""
        activations = [] if self.dialog is None else self.dialog.activations
        returned = [
            FakeAnswer(activation.block, answer=json.dumps(completion.data, ensure_ascii=False))
            for activation in activations
            for completion in activation.completions
            if completion.data is not None
        ]
        return [answer.shown(home) for answer in (*self.answers, *returned)]

    def shown(self, version: int, now: int) -> dict[str, Any]:
        """Its members in a list of this version."""
        updated = self.updated
        lasted = self.lasted
        if lasted is None:
            lasted = max(0, (now if updated is None else updated) - self.created)
        shown = {
            "id": self.id if version == 1 else str(self.uuid),
            "name": self.name,
            "status": self.status,
            "ip": self.ip,
            "location": self.city,
            "updated": "" if updated is None else datetime.fromtimestamp(updated, UTC).isoformat(),
            "duration": lasted,
        }
        if version > 1:
            shown["source"] = self.source
        return shown | self.extra

    def detailed(self, version: int, now: int, home: str) -> dict[str, Any]:
        """Its members on its own: those of a list and its data, which is "[]" if there is none."""
        data = {"data": self.data(home) or "[]"}
        return self.shown(version, now) | data | self.extra
