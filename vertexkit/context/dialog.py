"""The dialog that reached a block, through the platform's dialog API."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from vertexkit.botone.blocking import Blocking, blocking
from vertexkit.botone.client import BotOne
from vertexkit.botone.files import DOWNLOAD_LIMIT_BYTES
from vertexkit.botone.models import ConversationDetails
from vertexkit.errors import DialogUnknown
from vertexkit.token import Claims

Step = Callable[..., Awaitable[Any]]


class DialogOfBlock:
    """`ctx.dialog`: reads this dialog, and changes it by other means than messages.

    It needs VERTEXKIT_LOGIN and VERTEXKIT_PASSWORD. Every method raises `PlatformError` as the
    same method of `BotOne` does.

    The dialog is identified by the token's claims, which are not verified: use it to read only
    what the dialog's own user may see.

    Changes are steps: a later run of the handler does not repeat them. Reads are not steps: to
    branch on what was read, read it in a step, `await ctx.step("data", ctx.dialog.conversation)`.

    Args:
        bot: Client of the dialog API.
        claims: Claims of the token; None if it is not a JWT.
        step: `Context.step`.
    """

    def __init__(self, bot: BotOne, claims: Claims | None, step: Step) -> None:
        self._bot = bot
        self._claims = claims
        self._step = step

    async def conversation(self) -> ConversationDetails:
        """Return this dialog with the data collected so far (`GET /v1/conversation/{id}`).

        Raises:
            DialogUnknown: The token does not contain the dialog's id.
            Forbidden: The dialog is deleted or cannot be reached now.
            PlatformError: The request failed otherwise.
        """
        number = None if self._claims is None else self._claims.dialog_id
        if number is None:
            raise DialogUnknown(
                "the token does not contain the dialog's id (it is not a JWT with a dialog_id "
                "claim); pass the id to the block as an input and use your own BotOne client"
            )
        return await self._bot.v1.conversation(number)

    async def uuid(self) -> UUID:
        """Return this dialog's UUID, for `stop`, `start`, `send` and `goto`, as a step.

        The token does not contain it. The dialog is found in the list of V2 by the number in its
        name, which takes several requests if the platform has many dialogs; if the bot has a
        variable with the UUID, pass that to the block as an input instead.

        Raises:
            DialogUnknown: The token does not contain the dialog's id, or the list does not contain
                the dialog.
            PlatformError: A request failed.
        """
        return UUID(await self._step("dialog.uuid", self._find_uuid))

    async def _find_uuid(self) -> str:
        dialog = await self.conversation()
        if dialog.number is None:
            raise DialogUnknown(
                f"the dialog's name, {dialog.name!r}, does not contain its number, so that it "
                "cannot be found in the list of V2; pass its UUID to the block as an input"
            )
        found = await self._bot.v2.find(dialog.number)
        if None not in (found.ip, dialog.ip) and found.ip != dialog.ip:
            raise DialogUnknown(
                f"the dialog with the number {dialog.number} in the list of V2 is another one; pass "
                "the dialog's UUID to the block as an input"
            )
        return str(found.id)

    async def download(
        self, file_id: int, path: str | Path, *, limit: int | None = DOWNLOAD_LIMIT_BYTES
    ) -> Path:
        """Download an uploaded file (`GET /v1/file/{fileId}`); see `BotOne.v1.download`.

        Args:
            file_id: The `file_id` of an answer: `(await ctx.dialog.conversation()).files`.
            path: Where to save it.
            limit: Maximum size in bytes; None for no limit.

        Returns:
            Path of the file.

        Raises:
            FileTooLarge: The file is larger than `limit`.
            PlatformError: The request failed.
        """
        return await self._bot.v1.download(file_id, path, limit=limit)

    async def stop(self, uuid: UUID | str) -> None:
        """Hand the dialog over to an operator (`POST /v2/conversation/{uuid}/stop`), as a step.

        The block still has to be completed: stopping the dialog does not complete it.

        Args:
            uuid: UUID of the dialog; see `uuid`.

        Raises:
            PlatformError: The request failed.
        """
        await self._step("dialog.stop", self._bot.v2.stop, uuid)

    async def start(self, uuid: UUID | str) -> None:
        """Return the dialog to the bot (`POST /v2/conversation/{uuid}/start`), as a step.

        Args:
            uuid: UUID of the dialog.

        Raises:
            PlatformError: The request failed.
        """
        await self._step("dialog.start", self._bot.v2.start, uuid)

    async def send(self, uuid: UUID | str, text: str) -> None:
        """Send a message as the operator (`POST /v2/conversation/{uuid}/send`), as a step.

        Args:
            uuid: UUID of the dialog.
            text: Text of the message.

        Raises:
            PlatformError: The request failed.
        """
        await self._step("dialog.send", self._bot.v2.send, uuid, text)

    async def goto(self, uuid: UUID | str, bot_id: int) -> None:
        """Move the dialog to another bot (`POST /v2/conversation/{uuid}/command`), as a step.

        Args:
            uuid: UUID of the dialog.
            bot_id: Id of the bot.

        Raises:
            PlatformError: The request failed.
        """
        await self._step("dialog.goto", self._bot.v2.goto, uuid, bot_id)


class SyncDialogOfBlock(Blocking[DialogOfBlock]):
    """`ctx.dialog` of a `def` handler: the methods of `DialogOfBlock`, blocking."""

    conversation: Final = blocking(DialogOfBlock.conversation)
    uuid: Final = blocking(DialogOfBlock.uuid)
    download: Final = blocking(DialogOfBlock.download)
    stop: Final = blocking(DialogOfBlock.stop)
    start: Final = blocking(DialogOfBlock.start)
    send: Final = blocking(DialogOfBlock.send)
    goto: Final = blocking(DialogOfBlock.goto)
