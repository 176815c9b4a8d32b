"""Methods 1 to 13: the dialogs of the platform, in both versions of its API."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from vertexkit.botone.dates import Moment, written
from vertexkit.botone.files import LIMIT, download
from vertexkit.botone.models import ConversationDetails, Created, Moved, Started
from vertexkit.botone.pages import PAGE_SIZE, Conversations
from vertexkit.botone.session import Session, understood

DialogId = int | UUID | str


class Dialogs:
    """What both versions can do. Whatever fails is a `PlatformError`; see `BotOne`.

    Args:
        session: asks.
    """

    VERSION: ClassVar[int]

    def __init__(self, session: Session) -> None:
        self._session = session

    def conversations(
        self,
        *,
        bot_id: int | None = None,
        page_size: int = PAGE_SIZE,
        created_from: Moment | None = None,
        created_to: Moment | None = None,
        updated_from: Moment | None = None,
        updated_to: Moment | None = None,
    ) -> Conversations:
        """The dialogs that pass the filters, for `async for`; or `.page(n)` for one page.

        `GET /v1/conversations`, `GET /v2/conversations`.

        Args:
            bot_id: of this bot alone.
            page_size: dialogs that one request asks for; the platform may give fewer.
            created_from: a date, an aware `datetime` or an ISO 8601 text.
            created_to: likewise; a date is meant whole.
            updated_from: of the last message, likewise.
            updated_to: likewise.

        Raises:
            ValueError: a `datetime` without a time zone, or a text that is no moment.
        """
        if page_size < 1:
            raise ValueError(f"page_size is 1 or more, not {page_size}")
        moments = {
            "CreatedFrom": ("created_from", created_from),
            "CreatedTo": ("created_to", created_to),
            "UpdatedFrom": ("updated_from", updated_from),
            "UpdatedTo": ("updated_to", updated_to),
        }
        query: dict[str, Any] = {"BotID": _bot(bot_id), "PageCount": page_size}
        for name, (argument, moment) in moments.items():
            query[name] = None if moment is None else written(argument, moment)
        return Conversations(self._session, f"/v{self.VERSION}/conversations", query)

    async def conversation(self, dialog_id: DialogId, /) -> ConversationDetails:
        """A dialog with the data that it has collected.

        `GET /v1/conversation/{id}` takes the number that V1's list gives, `GET
        /v2/conversation/{uuid}` the UUID of V2's. The number in a dialog's name is neither.

        Raises:
            ValueError: an id of the other version.
            NotFound: there is no such dialog.
            Forbidden: it is deleted, or cannot be reached now.
        """
        path = f"/v{self.VERSION}/conversation/{self._id(dialog_id)}"
        answer = await self._session.ask("GET", path, safe=True)
        found: ConversationDetails = understood(
            "GET", path, answer, ConversationDetails.model_validate
        )
        return found

    async def create(self, bot_id: int, *, variables: Mapping[str, Any] | None = None) -> UUID:
        """Create a dialog and do not start it; gives its UUID.

        `GET /v1/dialog/{BotID}/create`, `GET /v2/dialog/{BotID}/create`. Although it is a GET it
        creates: after a lost answer it is not tried again.

        Args:
            bot_id: the bot.
            variables: what the bot shall know, for example `{"name": "Аня"}`.

        Raises:
            TypeError: variables that cannot be put into JSON.
            NotFound: there is no such bot.
            SendOutcomeUnknown: no answer came: the dialog may have been created.
        """
        path = f"/v{self.VERSION}/dialog/{_bot(bot_id)}/create"
        query = {"variables": _encoded(variables)}
        answer = await self._session.ask("GET", path, query=query, safe=False)
        created: Created = understood("GET", path, answer, Created.model_validate)
        return created.dialog_id

    async def download(self, file_id: int, path: str | Path, *, limit: int | None = LIMIT) -> Path:
        """Bring an uploaded file to disk; gives where it is.

        `GET /v1/file/{fileId}`, `GET /v2/file/{fileId}`. It is written bit by bit, and is there
        under its name only when it is whole. The id is `Answer.file_id`.

        Args:
            file_id: the file's id.
            path: a folder, for `{file_id}-{the platform's name, made safe}`; or the file itself.
            limit: bytes that are taken; None takes all.

        Raises:
            FileTooLarge: it is larger than the limit.
            NotFound: there is no such file.
            OSError: it cannot be written.
        """
        asked = f"/v{self.VERSION}/file/{_number('file_id', file_id)}"
        return await download(self._session, asked, file_id, Path(path), limit)

    def _id(self, given: DialogId) -> str:
        raise NotImplementedError


class V1(Dialogs):
    """Version 1 of the API: dialogs are known by a number."""

    VERSION = 1

    def _id(self, given: DialogId) -> str:
        if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
            return str(given)
        if isinstance(given, str) and given.isascii() and given.isdigit():
            return given
        raise ValueError(
            f"V1 knows a dialog by its number, as in bot.v1.conversation(332); {given!r} is none"
            + (" but a UUID: ask bot.v2" if _uuid(given) else "")
        )


class V2(Dialogs):
    """Version 2 of the API: dialogs are known by a UUID, and can be managed."""

    VERSION = 2

    async def create_and_start(
        self, bot_id: int, *, variables: Mapping[str, Any] | None = None, response: bool = True
    ) -> Started | None:
        """Create a dialog and let the bot begin (`POST /v2/dialog/{BotID}/create`).

        Args:
            bot_id: the bot.
            variables: what the bot shall know.
            response: wait for the ids of the new dialog; else it gives None.

        Raises:
            TypeError: variables that cannot be put into JSON.
            SendOutcomeUnknown: no answer came: the dialog may have been started.
        """
        path = f"/v2/dialog/{_bot(bot_id)}/create"
        body: dict[str, Any] = {"response": response}
        if variables is not None:
            body["variables"] = _encoded(variables)
        answer = await self._session.ask("POST", path, body=body, safe=False)
        if not response:
            return None
        started: Started = understood("POST", path, answer, Started.model_validate)
        return started

    async def stop(self, uuid: DialogId, /) -> None:
        """Stop the bot and hand the dialog to an operator (`POST .../{uuid}/stop`).

        Raises:
            Forbidden: the dialog is over, or cannot be reached now.
        """
        # Stopped twice is stopped: this one is repeated like a GET.
        await self._session.ask("POST", self._of(uuid, "stop"), safe=True)

    async def start(self, uuid: DialogId, /) -> None:
        """Let the bot go on (`POST .../{uuid}/start`).

        Raises:
            Forbidden: the dialog is over, or cannot be reached now.
            SendOutcomeUnknown: no answer came.
        """
        await self._session.ask("POST", self._of(uuid, "start"), safe=False)

    async def send(self, uuid: DialogId, text: str, /) -> None:
        """Say something as the operator (`POST .../{uuid}/send`).

        Raises:
            ValueError: an empty text.
            BadRequest: the platform does not take it.
            SendOutcomeUnknown: no answer came: it may have been said.
        """
        if not text:
            raise ValueError("an operator's message is a text of 1 character or more")
        await self._session.ask("POST", self._of(uuid, "send"), body={"body": text}, safe=False)

    async def goto(self, uuid: DialogId, bot_id: int, /) -> None:
        """Move the dialog to another bot (`POST .../{uuid}/command` with `goto`).

        Raises:
            NotFound: there is no such dialog or bot.
            SendOutcomeUnknown: no answer came: it may have been moved.
        """
        path = self._of(uuid, "command")
        body = {"body": f"goto {_bot(bot_id)}"}
        answer = await self._session.ask("POST", path, body=body, safe=False)
        if answer.body:
            understood("POST", path, answer, Moved.model_validate)

    def _of(self, uuid: DialogId, deed: str) -> str:
        return f"/v2/conversation/{self._id(uuid)}/{deed}"

    def _id(self, given: DialogId) -> str:
        found = _uuid(given)
        if found is None:
            raise ValueError(
                f"V2 knows a dialog by its UUID, as bot.v2.conversations() gives it; {given!r} is "
                "none" + (" but a number: ask bot.v1" if isinstance(given, int) else "")
            )
        return str(found)


def _uuid(given: DialogId) -> UUID | None:
    if isinstance(given, str):
        try:
            return UUID(given)
        except ValueError:
            return None
    return given if isinstance(given, UUID) else None


def _bot(bot_id: int | None) -> int | None:
    return None if bot_id is None else _number("bot_id", bot_id)


def _number(name: str, value: int) -> int:
    if type(value) is int and value >= 0:
        return value
    raise ValueError(f"{name} is a whole number, not {value!r}")


def _encoded(variables: Mapping[str, Any] | None) -> str | None:
    """An object of JSON as a text: so the platform wants it."""
    if variables is None:
        return None
    try:
        return json.dumps(dict(variables), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"variables are a mapping that JSON can hold: {error}") from None
