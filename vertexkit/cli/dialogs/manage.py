"""`vertexkit dialogs create`, `start`, `stop`, `send` and `goto`."""

import json
import sys
from typing import Any
from uuid import UUID

import typer

from vertexkit.botone.client import BotOne
from vertexkit.cli.dialogs.filters import part_of
from vertexkit.cli.dialogs.login import with_bot
from vertexkit.errors import SettingsError

DONE = {
    "start": "the bot goes on",
    "stop": "the bot has stopped; an operator has the dialog",
    "send": "said",
    "goto": "moved to bot {}",
}


def create(bot_id: int, variables: list[str], *, start: bool, version: int, as_json: bool) -> None:
    """Create a dialog, and print its ids.

    Raises:
        SettingsError: a variable without a name or value, or `--start` with API 1.
    """
    if start and version == 1:
        raise SettingsError("--start is for API 2: API 1 creates dialogs that wait")
    given = dict(map(variable, variables)) or None

    async def make(bot: BotOne) -> dict[str, Any]:
        if not start:
            made = await part_of(bot, version).create(bot_id, variables=given)
            return {"dialog_uuid": str(made)}
        started = await bot.v2.create_and_start(bot_id, variables=given)
        return {} if started is None else started.model_dump(mode="json")

    ids = with_bot(make)
    if as_json:
        print(json.dumps(ids))
        return
    typer.echo(ids["dialog_uuid"])
    if "dialog_id" in ids:
        typer.echo(f"number {ids['dialog_id']} of API 1; the bot has begun", err=True)
    else:
        typer.echo(f"created, not started: vertexkit dialogs start {ids['dialog_uuid']}", err=True)


def variable(text: str) -> tuple[str, str]:
    """Name and value of `NAME=VALUE`.

    Raises:
        SettingsError: it is none.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise SettingsError(f"-v {text}: write NAME=VALUE, as in -v name=Аня")
    return name, value


def manage(deed: str, uuid: str, *arguments: Any) -> None:
    """Do something with a dialog, and say so.

    Raises:
        SettingsError: no UUID.
    """
    try:
        known = UUID(uuid)
    except ValueError:
        raise SettingsError(
            f"{uuid!r} is no UUID: `vertexkit dialogs list` shows them in its first column"
        ) from None
    with_bot(lambda bot: getattr(bot.v2, deed)(known, *arguments))
    typer.echo(DONE[deed].format(*arguments))


def spoken(text: str) -> str:
    """The text, or what stdin holds if it is a dash.

    Raises:
        SettingsError: there is nothing to say.
    """
    said = sys.stdin.read().rstrip("\n") if text == "-" else text
    if not said:
        raise SettingsError("there is nothing to say: an operator's message is not empty")
    return said
