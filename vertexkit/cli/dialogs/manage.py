"""`vertexkit dialogs create`, `start`, `stop`, `send` and `goto`."""

import json
from typing import Any
from uuid import UUID

from vertexkit.botone.client import BotOne
from vertexkit.cli import output
from vertexkit.cli.dialogs.filters import api_of
from vertexkit.cli.dialogs.login import run_with_bot
from vertexkit.cli.stdin import read_stdin
from vertexkit.cli.translation import translate
from vertexkit.errors import SettingsError

CONFIRMATIONS = {
    "start": "The bot continues the dialog.",
    "stop": "The bot has stopped; the dialog is handed over to an operator.",
    "send": "The message was sent.",
    "goto": "The dialog was moved to bot {0}.",
}
"""What is printed when a method of the client has succeeded."""


def create_dialog(
    bot_id: int, variables: list[str], *, start: bool, api_version: int, as_json: bool
) -> None:
    """Create a dialog and print its IDs.

    Args:
        bot_id: The bot.
        variables: `NAME=VALUE` each.
        start: Let the bot start at once.
        api_version: 1 or 2.
        as_json: Print JSON instead of text.

    Raises:
        SettingsError: A variable has no name or no value, or `start` is used with API 1.
    """
    if start and api_version == 1:
        raise SettingsError("--start requires API 2: API 1 creates dialogs without starting them")
    values = dict(map(parse_variable, variables)) or None

    async def create(bot: BotOne) -> dict[str, Any]:
        if not start:
            created = await api_of(bot, api_version).create(bot_id, variables=values)
            return {"dialog_uuid": str(created)}
        started = await bot.v2.create_and_start(bot_id, variables=values)
        return {} if started is None else started.model_dump(mode="json")

    ids = run_with_bot(create)
    if as_json:
        output.print_json(ids)
        return
    uuid = ids["dialog_uuid"]
    output.echo(uuid)
    if "dialog_id" in ids:
        output.echo(
            translate("Created and started. Number in API 1: {0}.", ids["dialog_id"]), err=True
        )
    else:
        output.echo(
            translate("Created, but not started. To start: vertexkit dialogs start {0}", uuid),
            err=True,
        )


def parse_variable(text: str) -> tuple[str, Any]:
    """Split `NAME=VALUE` into name and value; the value of `NAME:=VALUE` is JSON.

    Raises:
        SettingsError: The text has no name or no `=`, or the value is not JSON.
    """
    name, equals, value = text.partition("=")
    if name.endswith(":"):
        try:
            return name[:-1], json.loads(value)
        except ValueError:
            raise SettingsError(
                f"-v NAME:=VALUE needs JSON after :=, for example -v n:=5, got {text!r}"
            ) from None
    if not name or not equals:
        raise SettingsError(
            f"-v must have the form NAME=VALUE, got {text!r}. For example: -v name=Anna"
        )
    return name, value


def manage_dialog(method: str, uuid: str, *arguments: Any, as_json: bool) -> None:
    """Call a method of the client for a dialog and print a confirmation.

    Args:
        method: `start`, `stop`, `send` or `goto`.
        uuid: The dialog.
        *arguments: The method's further arguments.
        as_json: Print JSON instead of text.

    Raises:
        SettingsError: `uuid` is not a UUID.
    """
    try:
        dialog = UUID(uuid)
    except ValueError:
        raise SettingsError(
            f"{uuid!r} is not a valid UUID. The first column of `vertexkit dialogs list` shows the "
            "UUIDs of dialogs"
        ) from None
    run_with_bot(lambda bot: getattr(bot.v2, method)(dialog, *arguments))
    if as_json:
        output.print_json({"dialog_uuid": str(dialog), "method": method})
    else:
        output.echo(translate(CONFIRMATIONS[method], *arguments))


def read_message(text: str) -> str:
    """The text of an operator's message; `-` reads it from standard input.

    Raises:
        SettingsError: The text is empty.
    """
    message = read_stdin().rstrip("\r\n") if text == "-" else text
    if not message:
        raise SettingsError(
            "the message is empty. Pass a text, or - and the text on standard input"
        )
    return message
