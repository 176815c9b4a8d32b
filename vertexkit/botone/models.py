"""The values that the platform's methods return.

Unknown fields and unknown statuses are kept, never rejected: the platform's document leaves both
open. A member of a dialog that cannot be read does not hide the dialog: the member has its default,
and `unreadable` has it unchanged.

JSON is validated from its bytes, without a Python function for a value that is as documented; what
fails there is read again by `read`, member by member. A page of a list is in `conversation_page`.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import from_json

from vertexkit.errors import PlatformError

DIALOG_NAME = re.compile(r"#(\d{1,18})(?:\s+(.*))?", re.DOTALL)
"""A dialog's name: its number and, usually, its city."""
UNKNOWN_CITY = "unknown"
"""What the platform writes for a city that it does not know, in lower case."""
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
    """Parse answers, which the platform may write as the text "[]", as an object, or as one answer."""
    if isinstance(value, str):
        value = from_json(value) if value.strip() else None
    if isinstance(value, dict):
        keys = numeric_keys(value)
        if keys or not value:
            value = [value[key] for key in keys]
        elif value.keys() & {"question", "answer"}:
            value = [value]
        else:
            raise ValueError('expected an array, or an object with the keys "0", "1", ...')
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise ValueError("expected an array")  # noqa: TRY004 - pydantic reports it
    return value


def numeric_keys(value: dict[str, Any]) -> list[str]:
    """Return the keys "0", "1", ... of an object that represents a list, in numeric order."""
    return sorted((key for key in value if key.isascii() and key.isdigit()), key=int)


def _false_for_none(value: Any) -> Any:
    return False if value is None else value


def _empty_for_none(value: Any) -> Any:
    return "" if value is None else value


# In each union, pydantic reads what is as documented with the first member, without a call of
# Python, and only the rest with the second.
_Id = Annotated[
    Annotated[UUID, Field(strict=True)]
    | Annotated[int, Field(strict=True)]
    | Annotated[int | UUID, BeforeValidator(_reject_bool)],
    Field(union_mode="left_to_right"),
]
_RecentTime = Annotated[
    AwareDatetime,
    Field(strict=True, ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC)),
]
_Time = Annotated[
    _RecentTime
    | Annotated[datetime | None, BeforeValidator(_parse_time), AfterValidator(_check_time)],
    Field(union_mode="left_to_right"),
]
_Text = Annotated[
    str | Annotated[str, BeforeValidator(_empty_for_none)], Field(union_mode="left_to_right")
]
_Flag = Annotated[
    bool | Annotated[bool, BeforeValidator(_false_for_none)], Field(union_mode="left_to_right")
]


class PlatformModel(BaseModel):
    """The base of all models. Undocumented fields are kept in `model_extra` and as attributes."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow",
        frozen=True,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
        defer_build=True,  # when a model is first used: no process uses all of them
    )


class TolerantModel(PlatformModel):
    """A model whose optional members may come in a form that cannot be read.

    What vertexkit adds to the platform's members are properties, so that a member of the same name
    is not mistaken for them; it is in `model_extra`.
    """

    @classmethod
    def read(cls, value: Any) -> Self:
        """Read a decoded JSON value; a member that cannot be read gets its default.

        Args:
            value: the decoded JSON.

        Raises:
            ValidationError: the value is not an object, or a required member is missing.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            names = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
            optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
            if not isinstance(value, dict) or not names or not names <= optional:
                raise
        model = cls.read({name: item for name, item in value.items() if name not in names})
        found = {str(name): value[str(name)] for name in names}
        model.__dict__["unreadable"] = model.unreadable | found
        return model

    @cached_property
    def unreadable(self) -> dict[str, Any]:
        """The members that could not be read, as the platform sent them, by name."""
        return {}

    def to_json(self) -> dict[str, Any]:
        """Return all members that the platform sent, as a JSON object.

        Documented members have their documented form, all others are as they came.
        """
        sent = self.model_dump(mode="json", exclude_unset=True)
        return sent | self.unreadable if self.unreadable else sent

    def to_json_text(self) -> str:
        """Return `to_json` as text."""
        if self._is_odd:
            return json.dumps(self.to_json(), ensure_ascii=False)
        return self.model_dump_json(exclude_unset=True)

    @property
    def _is_odd(self) -> bool:
        return bool(self.unreadable)


class Answer(TolerantModel):
    """One answer of the data that a dialog has collected: a question and what the user answered."""

    question: str | None = None
    """The question's text."""
    type: str | None = None
    """`Text` and others; the set is open."""
    answer: Any = None
    """What the user answered: a text, a list of choices, or a link to an uploaded file."""
    variable: str | None = None
    """The name of the bot's variable that holds the answer."""
    deleted: _Flag = False
    """Whether the uploaded file was deleted."""

    @classmethod
    def read(cls, value: Any) -> Self:
        """Read an answer; what is not an object, `null` for example, has no question."""
        return super().read(value if isinstance(value, (dict, Answer)) else {"answer": value})

    @property
    def file_id(self) -> int | None:
        """The id for `download` if the answer is an uploaded file, a link to `/web/file/{id}`."""
        if not isinstance(self.answer, str) or "/web/file/" not in self.answer:
            return None
        try:
            path = urlsplit(self.answer.strip()).path
        except ValueError:
            return None
        match = FILE_PATH.search(path)
        return int(match[1]) if match is not None and match.end() == len(path) else None


def known_city(city: str | None) -> str | None:
    """Return a city as the platform sent it; None if the platform does not know it."""
    return None if not city or city.strip().casefold() == UNKNOWN_CITY else city


class Conversation(TolerantModel):
    """A dialog, as lists contain it (methods 1 and 5)."""

    id: _Id
    """A number in V1, a UUID in V2."""
    name: str | None = None
    """`#319 Perm`: the dialog's number, which is not its id, and its city."""
    status: _Text = ""
    """`completed`, `in-process`, `operator`, `interrupted` and others; the set is open."""
    ip: str | None = None
    """The user's IP address."""
    location: str | None = None
    """The user's city, as the platform sent it; see `city`."""
    updated: _Time | None = None
    """The time of the last message, with a time zone (UTC if the platform names none); None if the
    dialog has no messages."""
    duration: float | None = Field(default=None, allow_inf_nan=False)
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
        """The user's city: `location`, else the city in the dialog's name; None if unknown."""
        if self.location:
            return known_city(self.location)
        match = DIALOG_NAME.match(self.name or "")
        return known_city(match[2]) if match is not None else None


class ConversationDetails(Conversation):
    """A dialog with the data that it has collected (methods 2 and 6)."""

    data: Annotated[
        tuple[Answer, ...] | Annotated[tuple[Answer, ...], BeforeValidator(_parse_list)],
        Field(union_mode="left_to_right"),
    ] = ()
    """The questions and answers, in the order of the dialog."""

    @classmethod
    def read(cls, value: Any) -> Self:
        """Read a dialog; an answer that cannot be read hides neither the dialog nor the others."""
        try:
            return cls.model_validate(value)
        except ValidationError:
            if isinstance(value, dict) and "data" in value:
                value = dict(value)
                with suppress(ValueError, RecursionError):  # else the whole member is unreadable
                    value["data"] = tuple(map(Answer.read, _parse_list(value["data"])))
        return super().read(value)

    @property
    def _is_odd(self) -> bool:
        return bool(self.unreadable) or any(answer.unreadable for answer in self.data)

    def to_json(self) -> dict[str, Any]:
        """Return all members that the platform sent, those of the answers too."""
        sent = super().to_json()
        if "data" in sent and "data" not in self.unreadable:
            sent["data"] = [answer.to_json() for answer in self.data]
        return sent

    @cached_property
    def error(self) -> PlatformError | None:
        """Why the data could not be read, for a dialog of `Conversations.detailed`; else None."""
        return None

    @property
    def unread(self) -> bool:
        """Whether the data could not be read; see `error`. The other members are the list's."""
        return self.error is not None

    @classmethod
    def without_data(cls, listed: Conversation, error: PlatformError) -> Self:
        """Return a listed dialog whose data could not be read.

        Args:
            listed: the dialog, as the list contains it.
            error: why its data could not be read.
        """
        details = cls.read(listed.to_json())
        details.__dict__["error"] = error
        return details

    @property
    def files(self) -> tuple[int, ...]:
        """The ids of the uploaded files that are not deleted, without repetitions."""
        ids = (answer.file_id for answer in self.data if not answer.deleted)
        return tuple(dict.fromkeys(file_id for file_id in ids if file_id is not None))


class Started(PlatformModel):
    """A dialog that was created and started (method 8)."""

    dialog_id: int = Field(alias="dialogId")
    """The dialog's id in V1 and in the claims of tokens."""
    dialog_uuid: UUID = Field(alias="dialogUUID")
    """The dialog's id in V2."""


class Created(PlatformModel):
    """A dialog that was created (methods 3 and 7)."""

    dialog_id: UUID = Field(alias="dialogId")
    """The dialog's id in V2."""


class CommandResult(PlatformModel):
    """The platform's response to a command (method 12)."""

    message: str | None = None
