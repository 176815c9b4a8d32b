"""A dialog as methods 1 to 13 show it: its record, its answers, and their JSON."""

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
UNKNOWN_CITY = "Unknown"
"""The city in the name of a dialog that has none."""


@dataclass(frozen=True, slots=True)
class FakeAnswer:
    """One line of a dialog's collected data.

    Attributes:
        question: the bot's question.
        type: the platform's name of the answer's type, for example "Text"; the set is open.
        answer: any JSON; ignored if there is a `file`.
        variable: the name under which the bot keeps the answer.
        deleted: None leaves the field out, as the platform often does.
        file: the id of an uploaded file; the answer is then a link to it.
    """

    question: str
    type: str = "Text"
    answer: Any = None
    variable: str | None = None
    deleted: bool | None = None
    file: int | None = None

    def to_json(self, base_url: str) -> dict[str, Any]:
        """Return the answer as JSON; links to files start with `base_url`, which ends in a slash."""
        answer = self.answer if self.file is None else f"{base_url}web/file/{self.file}"
        content = {
            "question": self.question,
            "type": self.type,
            "answer": answer,
            "variable": self.variable,
        }
        if self.deleted is not None:
            content["deleted"] = self.deleted
        return content


@dataclass(frozen=True, slots=True)
class OperatorMessage:
    """A message of an operator, and its time in whole Unix seconds."""

    text: str
    created_at: int


@dataclass(slots=True)
class FakeConversation:
    """A dialog as methods 1 to 13 show it. A test may change every attribute.

    Times are whole Unix seconds.

    Attributes:
        id: the id of V1.
        uuid: the id of V2.
        number: the number in its name.
        bot_id: the bot that leads it now.
        city: the user's city; None if unknown.
        ip: the user's address; None if unknown.
        source: the channel, for example "web".
        created: when it was created.
        last_message_at: time of the last message, without those of blocks; None before the first.
        user_message_at: time of the user's last message, if it is not the last message of all.
        user_wrote: the user has written in it.
        duration: in seconds; None counts from `created` to the last message, or to now if there
            is none.
        own_status: the status that was set last; see `status`.
        started: a bot has started to talk in it.
        variables: those that it was created with.
        answers: the collected data, without the results of blocks.
        operator_messages: the messages of operators.
        extra: fields that are added to its JSON, or replace the documented ones.
        removed: it was deleted; see `deleted`.
        dialog: the same dialog as blocks see it, once it has reached one.
        earlier_completions: how many blocks were completed when its bot was last started.
    """

    id: int
    uuid: UUID
    number: int
    bot_id: int
    city: str | None = None
    ip: str | None = None
    source: str | None = "web"
    created: int = 0
    last_message_at: int | None = None
    user_message_at: int | None = None
    user_wrote: bool = True
    duration: int | None = None
    own_status: str = IN_PROCESS
    started: bool = True
    variables: dict[str, Any] = field(default_factory=dict)
    answers: list[FakeAnswer] = field(default_factory=list)
    operator_messages: list[OperatorMessage] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    removed: bool = False
    dialog: Dialog | None = None
    earlier_completions: int = 0

    @property
    def deleted(self) -> bool:
        """The platform answers 403 to every request about it, and does not list it."""
        return self.removed or (self.dialog is not None and self.dialog.deleted)

    @deleted.setter
    def deleted(self, value: bool) -> None:
        self.removed = value
        if self.dialog is not None:
            self.dialog.deleted = value

    @property
    def status(self) -> str:
        """The status that was set last; "completed" instead of "in-process" after its last block.

        The fake platform has no flow of a bot after a block: the block is the end of it.
        """
        dialog = self.dialog
        if self.own_status != IN_PROCESS or dialog is None or not dialog.activations:
            return self.own_status
        last = dialog.activations[-1]
        is_over = last.completions and len(dialog.completions) > self.earlier_completions
        return COMPLETED if is_over else IN_PROCESS

    @property
    def updated(self) -> int | None:
        """Time of its last message, of a bot, a block or an operator; None before the first."""
        times = [] if self.dialog is None else [m.created_at for m in self.dialog.messages]
        if self.last_message_at is not None:
            times.append(self.last_message_at)
        return max(times, default=None)

    @property
    def user_updated(self) -> int | None:
        """Time of the last message of the user; None before the first.

        A dialog that has reached a block has a message of the user: the one that led to it.
        """
        if not self.user_wrote:
            return None
        if self.user_message_at is not None:
            return self.user_message_at
        times = [] if self.dialog is None else [int(self.dialog.started_at)]
        if self.last_message_at is not None:
            times.append(self.last_message_at)
        return max(times, default=None)

    def add_message(self, now: int) -> None:
        """Date a message of a bot or of an operator, which is not one of the user."""
        self.user_message_at = self.user_updated
        self.last_message_at = now

    @property
    def name(self) -> str:
        """The dialog's number, which is not its id, and the city."""
        return f"#{self.number} {self.city or UNKNOWN_CITY}"

    def start_bot(self) -> None:
        """Let the bot lead the dialog from now on."""
        self.own_status = IN_PROCESS
        self.started = True
        self.earlier_completions = 0 if self.dialog is None else len(self.dialog.completions)

    def attach(self, dialog: Dialog) -> None:
        """Connect it with the same dialog as blocks see it, because it has reached a block."""
        self.dialog = dialog
        self.started = True
        self.own_status = IN_PROCESS
        if self.removed:
            dialog.deleted = True

    def data(self, base_url: str) -> list[dict[str, Any]]:
        """Return the collected data and, at the end, the result of each block as a JSON text."""
        activations = [] if self.dialog is None else self.dialog.activations
        results = [
            FakeAnswer(activation.block, answer=json.dumps(completion.data, ensure_ascii=False))
            for activation in activations
            for completion in activation.completions
            if completion.data is not None
        ]
        return [answer.to_json(base_url) for answer in (*self.answers, *results)]

    def to_list_json(self, version: int, now: int) -> dict[str, Any]:
        """Return its fields in a list of this version of the API."""
        updated = self.updated
        duration = self.duration
        if duration is None:
            duration = max(0, (now if updated is None else updated) - self.created)
        content = {
            "id": self.id if version == 1 else str(self.uuid),
            "name": self.name,
            "status": self.status,
            "ip": self.ip,
            "location": self.city,
            "updated": "" if updated is None else datetime.fromtimestamp(updated, UTC).isoformat(),
            "duration": duration,
        }
        if version > 1:
            content["source"] = self.source
        return content | self.extra

    def to_detail_json(self, version: int, now: int, base_url: str) -> dict[str, Any]:
        """Return its fields in a response of its own: those of a list, and `data`."""
        data = {"data": self.data(base_url) or "[]"}  # the platform writes no data as the text "[]"
        return self.to_list_json(version, now) | data | self.extra
