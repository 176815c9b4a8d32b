"""The values that the platform's methods return.

Unknown fields and unknown statuses are kept, never rejected: the platform's document leaves both
open.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import from_json

DIALOG_NAME = re.compile(r"#(\d{1,18})(?:\s+(.*))?", re.DOTALL)
"""A dialog's name: its number and, usually, its city."""
FILE_PATH = re.compile(r"/web/file/(\d{1,18})/?")
"""The end of the path of a link to an uploaded file."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that the platform accepted (`POST /vertex/v1/dialog/send_message`)."""

    message_id: int | None
    """The platform's id; None if the platform accepted the message but its response was not
    readable, or if it is unknown whether the message was sent (`on_unknown="assume_sent"`)."""
    created_at: int | None
    """Unix seconds; None in the same cases."""


def _parse_time(value: Any) -> Any:
    """Parse a date and time; an empty text, which the platform writes for none, is None."""
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _parse_list(value: Any) -> Any:
    """Parse a list, which the platform may write as the text "[]" or as an object."""
    if isinstance(value, str):
        value = from_json(value) if value.strip() else None
    if isinstance(value, dict):
        return [value[key] for key in _numeric_keys(value)]
    return () if value is None else value


def _numeric_keys(value: dict[str, Any]) -> list[str]:
    """Return the keys "0", "1", ... of an object that represents a list, in numeric order."""
    return sorted((key for key in value if key.isascii() and key.isdigit()), key=int)


def _default_for_none(default: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: default if value is None else value)


class _PlatformModel(BaseModel):
    """The base of all models. Undocumented fields are kept in `model_extra` and as attributes."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True
    )


class Answer(_PlatformModel):
    """One answer of the data that a dialog has collected: a question and what the user answered."""

    question: str | None = None
    """The question's text."""
    type: str | None = None
    """`Text` and others; the set is open."""
    answer: Any = None
    """What the user answered: a text, a list of choices, or a link to an uploaded file."""
    variable: str | None = None
    """The name of the bot's variable that holds the answer."""
    deleted: Annotated[bool, _default_for_none(False)] = False
    """Whether the uploaded file was deleted."""

    @property
    def file_id(self) -> int | None:
        """The id for `download` if the answer is an uploaded file, a link to `/web/file/{id}`."""
        if not isinstance(self.answer, str):
            return None
        try:
            path = urlsplit(self.answer.strip()).path
        except ValueError:
            return None
        match = FILE_PATH.search(path)
        return int(match[1]) if match is not None and match.end() == len(path) else None


class Conversation(_PlatformModel):
    """A dialog, as lists contain it (methods 1 and 5)."""

    id: int | UUID
    """A number in V1, a UUID in V2."""
    name: str | None = None
    """`#319 Perm`: the dialog's number, which is not its id, and its city."""
    status: Annotated[str, _default_for_none("")] = ""
    """`completed`, `in-process`, `operator`, `interrupted` and others; the set is open."""
    ip: str | None = None
    """The user's IP address."""
    location: str | None = None
    """The user's city."""
    updated: Annotated[datetime | None, BeforeValidator(_parse_time)] = None
    """The time of the last message, with a time zone (UTC if the platform names none); None if the
    dialog has no messages."""
    duration: float | None = None
    """Seconds."""
    source: str | None = None
    """The channel: `web` and others. V2 only."""

    @property
    def number(self) -> int | None:
        """The number in the dialog's name; None if the name has another form."""
        match = DIALOG_NAME.match(self.name or "")
        return int(match[1]) if match is not None else None

    @property
    def city(self) -> str | None:
        """The city in the dialog's name; None if there is none."""
        match = DIALOG_NAME.match(self.name or "")
        return match[2] or None if match is not None else None


class ConversationDetails(Conversation):
    """A dialog with the data that it has collected (methods 2 and 6)."""

    data: Annotated[tuple[Answer, ...], BeforeValidator(_parse_list)] = ()
    """The questions and answers, in the order of the dialog."""
    unread: bool = Field(False, exclude=True)
    """Whether the data could not be read because the dialog was deleted after it was listed; see
    `Conversations.detailed`."""

    @property
    def files(self) -> tuple[int, ...]:
        """The ids of the uploaded files that are not deleted, without repetitions."""
        ids = (answer.file_id for answer in self.data if not answer.deleted)
        return tuple(dict.fromkeys(file_id for file_id in ids if file_id is not None))


class Pagination(_PlatformModel):
    """The position of a page in its list; None where the platform does not say."""

    total: int | None = None
    """Dialogs in the whole list."""
    count: int | None = None
    """Dialogs on this page."""
    per_page: int | None = None
    """Dialogs on a full page."""
    current_page: int | None = None
    """This page's number, from 1."""
    total_pages: int | None = None
    """Pages in the whole list."""
    links: Any = None
    """Always an empty object, as far as the platform documents it."""


class ConversationPage(_PlatformModel):
    """One page of a list (methods 1 and 5): an object with keys "0", "1", ... and `meta`."""

    items: tuple[Conversation, ...] = ()
    pagination: Pagination = Field(default_factory=Pagination)

    @classmethod
    def read(cls, content: Any) -> "ConversationPage":
        """Read a page from the platform's object, or from an array of dialogs.

        Args:
            content: the decoded JSON.

        Raises:
            TypeError: the content is neither an object nor an array.
            ValueError: the object is not a page of a list.
        """
        if isinstance(content, list):
            return cls(items=tuple(content))
        if not isinstance(content, dict):
            raise TypeError("expected an object or an array")
        keys = _numeric_keys(content)
        meta = content.get("meta")
        pagination = meta.get("pagination") if isinstance(meta, dict) else None
        if not keys and meta is None and content.keys() - {"meta"}:
            raise ValueError('expected an object with the keys "0", "1", ... or `meta`')
        return cls.model_validate(
            {"items": [content[key] for key in keys], "pagination": pagination or {}}
        )


class Started(_PlatformModel):
    """A dialog that was created and started (method 8)."""

    dialog_id: int = Field(alias="dialogId")
    """The dialog's id in V1 and in the claims of tokens."""
    dialog_uuid: UUID = Field(alias="dialogUUID")
    """The dialog's id in V2."""


class Created(_PlatformModel):
    """A dialog that was created (methods 3 and 7)."""

    dialog_id: UUID = Field(alias="dialogId")
    """The dialog's id in V2."""


class CommandResult(_PlatformModel):
    """The platform's response to a command (method 12)."""

    message: str | None = None
