"""ctx.dialog: how a block reads and changes its dialog."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.botone.quirky_server import QuirkyServer, raw_dialog
from vertexkit import App, BotOne, Context, NotFound, Retry, SyncContext
from vertexkit.botone.http_client import asgi_client
from vertexkit.context.dialog import DialogOfBlock
from vertexkit.errors import DialogUnknown, SettingsError
from vertexkit.testing import FakeDialog, FakePlatform
from vertexkit.testing.platform.conversation import FakeAnswer
from vertexkit.token import Claims


@pytest.fixture
def uuid(fake_platform: FakePlatform) -> UUID:
    """A dialog with an answer and a file."""
    file = fake_platform.conversations.add_file("отчёт.txt", "Всё хорошо".encode(), "text/plain")
    answers = [
        FakeAnswer("Как вас зовут?", answer="Аня", variable="name"),
        FakeAnswer("Файл", "File", file=file.id),
    ]
    return fake_platform.conversations.add(1446, id=7000, answers=answers).uuid


async def test_a_block_reads_what_its_dialog_has_collected(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform, uuid: UUID, tmp_path: Path
) -> None:
    """By the dialog's number in the token: data, and files on disk."""

    @app.block("read")
    async def read(ctx: Context) -> dict[str, str]:
        found = await ctx.dialog.conversation()
        path = await ctx.dialog.download(found.files[0], tmp_path)
        return {"name": found.data[0].answer, "file": path.read_text("utf-8")}

    run = await dialog.call("read", {}, fake_platform.issue("read", dialog_id=7000))
    assert run.data == {"name": "Аня", "file": "Всё хорошо"}


def test_a_plain_function_does_the_same(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform, uuid: UUID, tmp_path: Path
) -> None:
    """A `def` handler has each method in its blocking form."""
    seen: list[str | None] = []

    @app.block("hand")
    def hand(ctx: SyncContext, uuid: str) -> None:
        found = ctx.dialog.conversation()
        seen.append(ctx.dialog.download(found.files[0], tmp_path).read_text("utf-8"))
        ctx.dialog.stop(uuid)
        ctx.dialog.send(uuid, "Здравствуйте!")
        ctx.dialog.start(uuid)
        ctx.dialog.goto(uuid, 698)

    token = fake_platform.issue("hand", dialog_id=7000)
    run = asyncio.run(dialog.call("hand", {"uuid": str(uuid)}, token))
    assert run.ok
    there = fake_platform.conversations[uuid]
    assert seen == ["Всё хорошо"]
    assert there.bot_id == 698
    assert [message.text for message in there.operator_messages] == ["Здравствуйте!"]


async def test_a_dialog_is_handed_over_once(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform, uuid: UUID
) -> None:
    """Each change is a step: a second run of the handler repeats none of them."""

    @app.block("hand")
    async def hand(ctx: Context, uuid: UUID) -> None:
        await ctx.dialog.stop(uuid)
        await ctx.dialog.send(uuid, "Я здесь")
        if ctx.attempt == 1:
            raise Retry(after=1)

    run = await dialog.run("hand", uuid=str(uuid))
    assert run.attempts == 2
    there = fake_platform.conversations[uuid]
    assert there.status == "operator"
    assert [message.text for message in there.operator_messages] == ["Я здесь"]
    assert [entry.method for entry in fake_platform.ledger][:2] == ["v2.stop", "v2.send"]
    assert run.events.count("step_completed") == 2


async def test_a_dialog_is_managed_without_its_uuid(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform, uuid: UUID
) -> None:
    """The UUID is found once, by the number in the dialog's name: a second run asks for nothing."""

    @app.block("hand")
    async def hand(ctx: Context) -> str:
        found = await ctx.dialog.uuid()
        await ctx.dialog.stop(found)
        if ctx.attempt == 1:
            raise Retry(after=1)
        return str(found)

    run = await dialog.call("hand", {}, fake_platform.issue("hand", dialog_id=7000))
    assert (run.attempts, run.data) == (2, {"result": str(uuid)})
    assert fake_platform.conversations[uuid].status == "operator"
    methods = [entry.method for entry in fake_platform.ledger]
    assert methods[:3] == ["v1.conversation", "v2.conversations", "v2.stop"]
    assert methods.count("v2.conversations") == 1


@pytest.mark.parametrize(
    "odd, problem",
    [
        ({"name": "Аня"}, "the dialog's name, 'Аня', does not contain its number"),
        ({"ip": "203.0.113.9"}, "the dialog with the number 7 in the list of V2 is another one"),
    ],
)
async def test_another_dialog_is_never_managed(odd: dict[str, str], problem: str) -> None:
    """Without a number, or with another IP address in V2, no UUID is guessed."""
    known = raw_dialog(7, id=7, ip="203.0.113.5") | odd
    server = QuirkyServer([raw_dialog(7)])
    server.dialogs.append(known)
    client = asgi_client(server)
    async with BotOne("http://platform/api", "demo", "demo", client=client) as bot:
        of_block = DialogOfBlock(bot, Claims(instance="demo", dialog_id=7), _run_step)
        with pytest.raises(DialogUnknown, match=problem):
            await of_block.uuid()


async def _run_step(_: str, work: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    return await work(*args)


async def test_an_error_of_the_platform_can_be_caught(app: App, dialog: FakeDialog) -> None:
    """A dialog that does not exist raises Forbidden, and the block may continue."""

    @app.block("hand")
    async def hand(ctx: Context) -> str:
        try:
            await ctx.dialog.stop(UUID(int=1))
        except NotFound as error:
            return error.path
        return ""

    run = await dialog.run("hand")
    assert run.data == {"result": f"/v2/conversation/{UUID(int=1)}/stop"}


async def test_an_opaque_token_raises_dialog_unknown(app: App, fake_platform: FakePlatform) -> None:
    """An opaque token has no dialog id: reading raises DialogUnknown, and says what to do."""
    platform = FakePlatform(clock=fake_platform.clock, tokens="any")
    dialog = FakeDialog(app, platform)

    @app.block("read")
    async def read(ctx: Context) -> str:
        with pytest.raises(DialogUnknown, match="as an input"):
            await ctx.dialog.conversation()
        return "checked"

    assert (await dialog.call("read", {}, "an-opaque-token")).data == {"result": "checked"}


async def test_without_a_login_it_names_the_settings(app: App, fake_platform: FakePlatform) -> None:
    """Nothing is asked, and the error names what to set."""
    dialog = FakeDialog(app, fake_platform, login="", password="")

    @app.block("read")
    async def read(ctx: Context) -> str:
        with pytest.raises(SettingsError, match="VERTEXKIT_LOGIN and VERTEXKIT_PASSWORD"):
            await ctx.dialog.conversation()
        return "checked"

    assert (await dialog.run("read")).data == {"result": "checked"}
