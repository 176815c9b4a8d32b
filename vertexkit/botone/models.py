"""What the platform answers."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import from_json

NUMBER = re.compile(r"#(\d{1,18})(?:\s+(.*))?", re.DOTALL)
"""A dialog's name: its number and, mostly, its city."""
FILE = re.compile(r"/web/file/(\d{1,18})/?")


@dataclass(frozen=True, slots=True)
class Message:
    """A message that the platform took (POST /vertex/v1/dialog/send_message)."""

    message_id: int | None
    """The platform's id; None if the platform took the message but its answer was unreadable,
    or if nobody can tell whether it did (`on_unknown="assume_sent"`)."""
    created_at: int | None
    """Unix seconds; None likewise."""


def _dated(value: Any) -> Any:
    """A moment; the platform writes an empty text where there is none."""
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _listed(value: Any) -> Any:
    """A list; the platform writes the text "[]" for an empty one."""
    if isinstance(value, str):
        value = from_json(value) if value.strip() else None
    if isinstance(value, dict):
        return [value[key] for key in _numeric(value)]
    return () if value is None else value


def _numeric(value: dict[str, Any]) -> list[str]:
    """The keys "0", "1", ... of an object that stands for a list, in their order."""
    return sorted((key for key in value if key.isascii() and key.isdigit()), key=int)


def _or(default: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: default if value is None else value)


class _Answered(BaseModel):
    """Members that nobody documented are kept: `it.model_extra`, or as attributes."""

    model_config = ConfigDict(
        extra="allow", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True
    )


class Answer(_Answered):
    """One line of the data that a dialog has collected."""

    question: str | None = None
    type: str | None = None
    """An open set: `Text` and others."""
    answer: Any = None
    variable: str | None = None
    """What the bot keeps it under."""
    deleted: Annotated[bool, _or(False)] = False

    @property
    def file_id(self) -> int | None:
        """The id for `download`, if the answer is an uploaded file (a link to `/web/file/{id}`)."""
        if not isinstance(self.answer, str):
            return None
        try:
            path = urlsplit(self.answer.strip()).path
        except ValueError:
            return None
        found = FILE.search(path)
        return int(found[1]) if found is not None and found.end() == len(path) else None


class Conversation(_Answered):
    """A dialog, as lists hold it (methods 1 and 5)."""

    id: int | UUID
    """A number from V1, a UUID from V2."""
    name: str | None = None
    """`#319 Perm`: the dialog's number, which is not its id, and its city."""
    status: Annotated[str, _or("")] = ""
    """An open set: `completed`, `in-process`, `operator`, `interrupted` and others."""
    ip: str | None = None
    location: str | None = None
    updated: Annotated[datetime | None, BeforeValidator(_dated)] = None
    """When its last message came; None if nothing was said. Aware; UTC where no zone was said."""
    duration: float | None = None
    """Seconds."""
    source: str | None = None
    """V2 alone: `web` and others."""

    @property
    def number(self) -> int | None:
        """The number in its name."""
        found = NUMBER.match(self.name or "")
        return int(found[1]) if found is not None else None

    @property
    def city(self) -> str | None:
        """The city in its name."""
        found = NUMBER.match(self.name or "")
        return found[2] or None if found is not None else None


class ConversationDetails(Conversation):
    """A dialog with what it has collected (methods 2 and 6)."""

    data: Annotated[tuple[Answer, ...], BeforeValidator(_listed)] = ()
    unread: bool = Field(False, exclude=True)
    """Its data could not be read: it was deleted since it was listed (`Conversations.detailed`)."""

    @property
    def files(self) -> tuple[int, ...]:
        """The ids of its uploaded files, without those deleted since, each once."""
        ids = (each.file_id for each in self.data if not each.deleted)
        return tuple(dict.fromkeys(each for each in ids if each is not None))


class Pagination(_Answered):
    """Where a page stands in its list; None where the platform does not say."""

    total: int | None = None
    """Dialogs in the whole list."""
    count: int | None = None
    """On this page."""
    per_page: int | None = None
    current_page: int | None = None
    """From 1."""
    total_pages: int | None = None
    links: Any = None


class ConversationPage(_Answered):
    """One page of a list (methods 1 and 5): an object with keys "0", "1", ... and `meta`."""

    items: tuple[Conversation, ...] = ()
    pagination: Pagination = Field(default_factory=Pagination)

    @classmethod
    def read(cls, answer: Any) -> "ConversationPage":
        """Read the platform's object, or a plain array of dialogs.

        Raises:
            ValueError: it is neither.
        """
        if isinstance(answer, list):
            return cls(items=tuple(answer))
        if not isinstance(answer, dict):
            raise TypeError("neither an object nor an array")
        keys = _numeric(answer)
        meta = answer.get("meta")
        found = meta.get("pagination") if isinstance(meta, dict) else None
        rest = {key: value for key, value in answer.items() if key not in {*keys, "meta"}}
        if rest and not keys and meta is None:
            raise ValueError('it has neither "0", "1", ... nor `meta`')
        return cls.model_validate(
            {"items": [answer[key] for key in keys], "pagination": found or {}}
        )


class Started(_Answered):
    """A dialog that was created and started (method 8)."""

    dialog_id: int = Field(alias="dialogId")
    """Its id in V1, and in the claims of tokens."""
    dialog_uuid: UUID = Field(alias="dialogUUID")
    """Its id in V2."""


class Created(_Answered):
    """A dialog that was created (methods 3 and 7)."""

    dialog_id: UUID = Field(alias="dialogId")


class Moved(_Answered):
    """What a command was answered (method 12)."""

    message: str | None = None
