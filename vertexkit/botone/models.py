"""The values that the platform's methods return.

Unknown fields and unknown statuses are kept, never rejected: the platform's document leaves both
open. A member of a dialog that cannot be read does not hide the dialog: the member has its default,
and `unreadable` has it unchanged.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import from_json

DIALOG_NAME = re.compile(r"#(\d{1,18})(?:\s+(.*))?", re.DOTALL)
"""A dialog's name: its number and, usually, its city."""
FIRST_YEAR, LAST_YEAR = 1970, 9998
"""A time outside of these years is not a time: databases write none as 0000-00-00, 0001-01-01 or
1899-12-30."""
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


def _reject_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number or a UUID")  # noqa: TRY004 - pydantic reports it
    return value


def _check_time(value: datetime | None) -> datetime | None:
    if value is not None and not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"the year must be between {FIRST_YEAR} and {LAST_YEAR}")
    return value


def _parse_list(value: Any) -> Any:
    """Parse a list, which the platform may write as the text "[]" or as an object."""
    if isinstance(value, str):
        value = from_json(value) if value.strip() else None
    if isinstance(value, dict):
        keys = _numeric_keys(value)
        if value and not keys:
            raise ValueError('expected an array, or an object with the keys "0", "1", ...')
        return [value[key] for key in keys]
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


class _TolerantModel(_PlatformModel):
    """A model whose optional members may come in a form that cannot be read."""

    @model_validator(mode="wrap")
    @classmethod
    def _set_unreadable_aside(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            names = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
            optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
            if not isinstance(value, dict) or not names or not names <= optional:
                raise
        readable = {name: item for name, item in value.items() if name not in names}
        return handler(readable | {"unreadable": {name: value[name] for name in names}})

    @property
    def unreadable(self) -> dict[str, Any]:
        """The members that could not be read, as the platform sent them, by name."""
        return dict((self.model_extra or {}).get("unreadable", {}))


class Answer(_TolerantModel):
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

    @model_validator(mode="before")
    @classmethod
    def _wrap_bare_answer(cls, value: Any) -> Any:
        """Read what is not an object, `null` for example, as an answer without a question."""
        return value if isinstance(value, dict | Answer) else {"answer": value}

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


class Conversation(_TolerantModel):
    """A dialog, as lists contain it (methods 1 and 5)."""

    id: Annotated[int | UUID, BeforeValidator(_reject_bool)]
    """A number in V1, a UUID in V2."""
    name: str | None = None
    """`#319 Perm`: the dialog's number, which is not its id, and its city."""
    status: Annotated[str, _default_for_none("")] = ""
    """`completed`, `in-process`, `operator`, `interrupted` and others; the set is open."""
    ip: str | None = None
    """The user's IP address."""
    location: str | None = None
    """The user's city."""
    updated: Annotated[
        datetime | None, BeforeValidator(_parse_time), AfterValidator(_check_time)
    ] = None
    """The time of the last message, with a time zone (UTC if the platform names none); None if the
    dialog has no messages."""
    duration: float | None = Field(None, allow_inf_nan=False)
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


class Pagination(_TolerantModel):
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
    unreadable: tuple[Any, ...] = Field((), exclude=True)
    """What the platform sent among the dialogs and is not a dialog, unchanged."""
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
            return cls._of(content, {})
        if not isinstance(content, dict):
            raise TypeError("expected an object or an array")
        keys = _numeric_keys(content)
        meta = content.get("meta")
        pagination = meta.get("pagination") if isinstance(meta, dict) else None
        if not keys and meta is None and content.keys() - {"meta"}:
            raise ValueError('expected an object with the keys "0", "1", ... or `meta`')
        return cls._of([content[key] for key in keys], pagination)

    @classmethod
    def _of(cls, items: list[Any], pagination: Any) -> "ConversationPage":
        """Make a page of those items that are dialogs; if none is, the first problem is raised."""
        content = {
            "items": items,
            "pagination": pagination if isinstance(pagination, dict) else {},
        }
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            unreadable = {int(detail["loc"][1]) for detail in error.errors()}
            if len(unreadable) == len(items):
                raise
        return cls.model_validate(
            content
            | {
                "items": [item for index, item in enumerate(items) if index not in unreadable],
                "unreadable": [items[index] for index in sorted(unreadable)],
            }
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
