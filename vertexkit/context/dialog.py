"""The dialog that reached a block, through the platform's dialog API."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from vertexkit.botone.blocking import Blocking, blocking
from vertexkit.botone.client import BotOne
from vertexkit.botone.files import DOWNLOAD_LIMIT_BYTES
from vertexkit.botone.models import ConversationDetails
from vertexkit.errors import DialogUnknown
from vertexkit.token import Claims

Step = Callable[..., Awaitable[Any]]


class DialogOfBlock:
    """`ctx.dialog`: what a handler can read of its dialog, and do with it beside sending messages.

    It needs VERTEXKIT_LOGIN and VERTEXKIT_PASSWORD. Whatever fails is a `PlatformError`, as for
    `BotOne`.

    Which dialog it is, the token's claims say, and nobody can verify them: read from it what its
    own user may see, and no more.

    Changes are steps: a second run of the handler does not repeat them. What is read is not: to
    branch on it, read it in a step, `await ctx.step("data", ctx.dialog.conversation)`.

    Args:
        bot: asks.
        claims: of the token.
        step: `Context.step`.
    """

    def __init__(self, bot: BotOne, claims: Claims | None, step: Step) -> None:
        self._bot = bot
        self._claims = claims
        self._step = step

    async def conversation(self) -> ConversationDetails:
        """This dialog with what it has collected so far (`GET /v1/conversation/{id}`).

        Raises:
            DialogUnknown: the token does not say which dialog it is.
            Forbidden: it is deleted, or cannot be reached now.
        """
        number = None if self._claims is None else self._claims.dialog_id
        if number is None:
            raise DialogUnknown(
                "the token does not say which dialog it is (it is no JWT with a dialog_id): bring "
                "the id in with the block's inputs, and ask a BotOne of your own"
            )
        return await self._bot.v1.conversation(number)

    async def download(
        self, file_id: int, path: str | Path, *, limit: int | None = DOWNLOAD_LIMIT_BYTES
    ) -> Path:
        """Bring an uploaded file to disk (`GET /v1/file/{fileId}`); as `BotOne.v1.download`.

        Its id is the `file_id` of an answer: `(await ctx.dialog.conversation()).files`.
        """
        return await self._bot.v1.download(file_id, path, limit=limit)

    async def stop(self, uuid: UUID | str) -> None:
        """Hand a dialog over to an operator (`POST /v2/conversation/{uuid}/stop`), once.

        The block has to be completed all the same: only that ends it.

        Args:
            uuid: the dialog's, which no token tells: give it to the block as an input.
        """
        await self._step("dialog.stop", self._bot.v2.stop, uuid)

    async def start(self, uuid: UUID | str) -> None:
        """Let the bot go on (`POST /v2/conversation/{uuid}/start`), once."""
        await self._step("dialog.start", self._bot.v2.start, uuid)

    async def send(self, uuid: UUID | str, text: str) -> None:
        """Say something as the operator (`POST /v2/conversation/{uuid}/send`), once."""
        await self._step("dialog.send", self._bot.v2.send, uuid, text)

    async def goto(self, uuid: UUID | str, bot_id: int) -> None:
        """Move the dialog to another bot (`POST /v2/conversation/{uuid}/command`), once."""
        await self._step("dialog.goto", self._bot.v2.goto, uuid, bot_id)


class SyncDialogOfBlock(Blocking[DialogOfBlock]):
    """The same for `def` handlers; see `DialogOfBlock`."""

    conversation = blocking(DialogOfBlock.conversation)
    download = blocking(DialogOfBlock.download)
    stop = blocking(DialogOfBlock.stop)
    start = blocking(DialogOfBlock.start)
    send = blocking(DialogOfBlock.send)
    goto = blocking(DialogOfBlock.goto)
