"""The methods of the dialog API, in both of its versions (methods 1 to 13)."""

import json
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from vertexkit.botone.dates import DateLike, check_period, to_iso8601
from vertexkit.botone.dialog_requests import DialogRequests, decode_json, parsed_as
from vertexkit.botone.files import DOWNLOAD_LIMIT_BYTES, download
from vertexkit.botone.models import (
    CommandResult,
    Conversation,
    ConversationDetails,
    Created,
    Started,
)
from vertexkit.botone.pages import PAGE_SIZE, Conversations, read_details
from vertexkit.errors import DialogUnknown, UnexpectedResponse

DialogId = int | UUID | str
"""A dialog's id: a number in V1, a UUID in V2, or the text of either."""


class Dialogs:
    """The methods that both versions of the API have. They raise `PlatformError`; see `BotOne`.

    Args:
        requests: sends the requests.
    """

    VERSION: ClassVar[int]

    def __init__(self, requests: DialogRequests) -> None:
        self._requests = requests

    def conversations(
        self,
        *,
        bot_id: int | None = None,
        page_size: int = PAGE_SIZE,
        created_from: DateLike | None = None,
        created_to: DateLike | None = None,
        updated_from: DateLike | None = None,
        updated_to: DateLike | None = None,
    ) -> Conversations:
        """List the dialogs that match the filters, for `async for`; `.page(n)` reads one page.

        Platform methods `GET /v1/conversations` and `GET /v2/conversations`.

        Args:
            bot_id: only dialogs of this bot.
            page_size: dialogs requested at once; the platform may return fewer.
            created_from: only dialogs created at this time or later: a date, a `datetime` with a
                time zone, or an ISO 8601 text.
            created_to: only dialogs created at this time or earlier; a date includes its whole day.
            updated_from: only dialogs whose user's last message is from this time or later. The
                platform's document says so; `updated` of a dialog is the time of the last message
                of anybody, and may be outside of the period.
            updated_to: only dialogs whose user's last message is from this time or earlier.

        Returns:
            The list. No request is sent before it is iterated.

        Raises:
            ValueError: `page_size` is below 1, a time has no time zone, a text is not ISO 8601, or
                a period ends before it begins.
        """
        if page_size < 1:
            raise ValueError(f"page_size must be at least 1, got {page_size}")
        dates = {
            "CreatedFrom": ("created_from", created_from),
            "CreatedTo": ("created_to", created_to),
            "UpdatedFrom": ("updated_from", updated_from),
            "UpdatedTo": ("updated_to", updated_to),
        }
        query: dict[str, Any] = {"BotID": _bot_id(bot_id), "PageCount": page_size}
        for name, (argument, value) in dates.items():
            query[name] = None if value is None else to_iso8601(argument, value)
        check_period("created", query["CreatedFrom"], query["CreatedTo"])
        check_period("updated", query["UpdatedFrom"], query["UpdatedTo"])
        return Conversations(self._requests, f"/v{self.VERSION}/conversations", query)

    async def conversation(self, dialog_id: DialogId, /) -> ConversationDetails:
        """Read a dialog with the data that it has collected.

        Platform methods `GET /v1/conversation/{id}` and `GET /v2/conversation/{uuid}`.

        Args:
            dialog_id: the number from V1's list, or the UUID from V2's list. The number in a
                dialog's name is neither; see `find`.

        Raises:
            ValueError: the id belongs to the other version.
            NotFound: the dialog does not exist.
            Forbidden: the dialog is deleted, or cannot be reached now.
        """
        path = f"/v{self.VERSION}/conversation/{self._path_id(dialog_id)}"
        return await self._requests.send("GET", path, idempotent=True, parse=read_details)

    async def find(self, number: int, /, *, bot_id: int | None = None) -> Conversation:
        """Find a dialog by the number in its name: 319 for `#319 Perm`.

        Both versions show the same number, so that a dialog of one version is found in the other.
        The platform has no filter for it: the list is read from its start until the dialog is
        found.

        Args:
            number: the number in the dialog's name, which is neither its V1 id nor its V2 UUID.
            bot_id: only dialogs of this bot, for a shorter search.

        Raises:
            DialogUnknown: no dialog of the list has this number.
            PlatformError: see `BotOne`.
        """
        conversations = self.conversations(bot_id=bot_id)
        async with aclosing(aiter(conversations)) as dialogs:
            async for dialog in dialogs:
                if dialog.number == number:
                    return dialog
        reasons = "".join(
            f"; the list is incomplete: {problem}" for problem in conversations.problems
        )
        raise DialogUnknown(f"no dialog that you can read has the number {number}{reasons}")

    async def create(self, bot_id: int, *, variables: Mapping[str, Any] | None = None) -> UUID:
        """Create a dialog without starting it.

        Platform methods `GET /v1/dialog/{BotID}/create` and `GET /v2/dialog/{BotID}/create`. They
        change data although they are GETs, so that the request is not retried after a lost
        response.

        Args:
            bot_id: the bot's id.
            variables: initial values of the bot's variables, for example `{"name": "Аня"}`.

        Returns:
            The UUID of the new dialog.

        Raises:
            TypeError: the variables cannot be encoded as JSON.
            NotFound: the bot does not exist.
            SendOutcomeUnknown: no response arrived; the dialog may have been created.
        """
        path = f"/v{self.VERSION}/dialog/{_bot_id(bot_id)}/create"
        query = {"variables": _encode_variables(variables)}
        parse = parsed_as(Created.model_validate)
        with _names_effect("the dialog may have been created"):
            created = await self._requests.send(
                "GET", path, query=query, idempotent=False, parse=parse
            )
        return created.dialog_id

    async def download(
        self,
        file_id: int,
        path: str | Path,
        *,
        limit: int | None = DOWNLOAD_LIMIT_BYTES,
        resume: bool = False,
    ) -> Path:
        """Download an uploaded file. It appears under its name only when it is complete.

        Platform methods `GET /v1/file/{fileId}` and `GET /v2/file/{fileId}`.

        Args:
            file_id: the file's id; see `Answer.file_id`.
            path: an existing folder, for a file `{file_id}-{the platform's name, sanitised}`; or
                the path of the file.
            limit: size limit in bytes; None for no limit.
            resume: if the download fails or the process ends, keep what was received, as
                `.{file_id}.part` in the folder, and resume it the next time. It needs a platform
                that names the file's version with an ETag; else the file is requested whole.

        Returns:
            The path of the file.

        Raises:
            FileTooLarge: the file is larger than the limit.
            NotFound: the file does not exist.
            BlockingIOError: another download with `resume` receives this file in the folder.
            OSError: the file cannot be written.
        """
        url_path = f"/v{self.VERSION}/file/{_whole_number('file_id', file_id)}"
        return await download(
            self._requests, url_path, file_id, Path(path), limit=limit, resume=resume
        )

    def _path_id(self, dialog_id: DialogId) -> str:
        raise NotImplementedError


class V1(Dialogs):
    """Version 1 of the API, where a dialog's id is a number."""

    VERSION: ClassVar[int] = 1

    def _path_id(self, dialog_id: DialogId) -> str:
        if isinstance(dialog_id, int) and not isinstance(dialog_id, bool) and dialog_id >= 0:
            return str(dialog_id)
        if isinstance(dialog_id, str) and dialog_id.isascii() and dialog_id.isdigit():
            return dialog_id
        hint = "; for a UUID use bot.v2" if _to_uuid(dialog_id) else ""
        raise ValueError(
            f"{dialog_id!r} is not a valid dialog number. V1 expects a number, as in "
            f"bot.v1.conversation(332){hint}"
        )


class V2(Dialogs):
    """Version 2 of the API, where a dialog's id is a UUID and dialogs can be managed."""

    VERSION: ClassVar[int] = 2

    async def create_and_start(
        self, bot_id: int, *, variables: Mapping[str, Any] | None = None, response: bool = True
    ) -> Started | None:
        """Create a dialog and start its bot (`POST /v2/dialog/{BotID}/create`).

        Args:
            bot_id: the bot's id.
            variables: initial values of the bot's variables.
            response: whether the platform returns the ids of the new dialog.

        Returns:
            The ids of the new dialog; None if `response` is false.

        Raises:
            TypeError: the variables cannot be encoded as JSON.
            SendOutcomeUnknown: no response arrived; the dialog may have been started.
        """
        path = f"/v2/dialog/{_bot_id(bot_id)}/create"
        body: dict[str, Any] = {"response": response}
        if variables is not None:
            body["variables"] = _encode_variables(variables)
        if not response:
            await self._requests.send("POST", path, body=body, idempotent=False)
            return None
        parse = parsed_as(Started.model_validate)
        with _names_effect("the dialog may have been created, and its bot started"):
            return await self._requests.send("POST", path, body=body, idempotent=False, parse=parse)

    async def stop(self, uuid: DialogId, /) -> None:
        """Stop the bot and hand the dialog over to an operator.

        Platform method `POST /v2/conversation/{uuid}/stop`.

        Args:
            uuid: the dialog's id.

        Raises:
            Forbidden: the dialog is finished or deleted, or cannot be reached now.
        """
        # Stopping a stopped dialog changes nothing, so the request is retried like a GET.
        await self._requests.send("POST", self._command_path(uuid, "stop"), idempotent=True)

    async def start(self, uuid: DialogId, /) -> None:
        """Resume the bot of a dialog (`POST /v2/conversation/{uuid}/start`).

        Args:
            uuid: the dialog's id.

        Raises:
            Forbidden: the dialog is finished or deleted, or cannot be reached now.
            SendOutcomeUnknown: no response arrived; the bot may have been resumed.
        """
        await self._requests.send("POST", self._command_path(uuid, "start"), idempotent=False)

    async def send(self, uuid: DialogId, text: str, /) -> None:
        """Send a message as the operator (`POST /v2/conversation/{uuid}/send`).

        Args:
            uuid: the dialog's id.
            text: the message, at least 1 character.

        Raises:
            ValueError: the text is empty.
            BadRequest: the platform rejected the message.
            SendOutcomeUnknown: no response arrived; the message may have been sent.
        """
        if not text:
            raise ValueError("the operator's message must have at least 1 character, got ''")
        path = self._command_path(uuid, "send")
        await self._requests.send("POST", path, body={"body": text}, idempotent=False)

    async def goto(self, uuid: DialogId, bot_id: int, /) -> None:
        """Move the dialog to another bot (`POST /v2/conversation/{uuid}/command`).

        Args:
            uuid: the dialog's id.
            bot_id: the other bot's id.

        Raises:
            NotFound: the dialog or the bot does not exist.
            SendOutcomeUnknown: no response arrived; the dialog may have been moved.
        """
        path = self._command_path(uuid, "command")
        body = {"body": f"goto {_bot_id(bot_id)}"}
        with _names_effect("the dialog may have been moved"):
            await self._requests.send(
                "POST", path, body=body, idempotent=False, parse=_read_command_result
            )

    def _command_path(self, uuid: DialogId, command: str) -> str:
        return f"/v2/conversation/{self._path_id(uuid)}/{command}"

    def _path_id(self, dialog_id: DialogId) -> str:
        uuid = _to_uuid(dialog_id)
        if uuid is None:
            hint = "; for a number use bot.v1" if isinstance(dialog_id, int) else ""
            raise ValueError(
                f"{dialog_id!r} is not a valid UUID. V2 expects a dialog's UUID, as "
                f"bot.v2.conversations() returns it{hint}"
            )
        return str(uuid)


@contextmanager
def _names_effect(effect: str) -> Iterator[None]:
    """Add what the platform may have done to the error for a response that cannot be read."""
    try:
        yield
    except UnexpectedResponse as error:
        if error.status is None or not 200 <= error.status < 300:
            raise
        raise UnexpectedResponse(
            error.method,
            error.path,
            status=error.status,
            body=error.body,
            reason=f"{error.reason}. The platform has accepted the request: {effect}",
        ) from None


def _read_command_result(body: bytes) -> None:
    if body:
        CommandResult.model_validate(decode_json(body))


def _to_uuid(dialog_id: DialogId) -> UUID | None:
    if isinstance(dialog_id, str):
        try:
            return UUID(dialog_id)
        except ValueError:
            return None
    return dialog_id if isinstance(dialog_id, UUID) else None


def _bot_id(bot_id: int | None) -> int | None:
    return None if bot_id is None else _whole_number("bot_id", bot_id)


def _whole_number(name: str, value: int) -> int:
    if type(value) is int and value >= 0:
        return value
    raise ValueError(f"{name} must be a whole number of at least 0, got {value!r}")


def _encode_variables(variables: Mapping[str, Any] | None) -> str | None:
    """Encode the variables as the platform expects them: a JSON object as a text."""
    if variables is None:
        return None
    try:
        return json.dumps(dict(variables), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"variables must be a mapping of JSON values: {error}") from None
