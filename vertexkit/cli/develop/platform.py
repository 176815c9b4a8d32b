"""`vertexkit platform`: the fake platform alone, for blocks in any language."""

import json
import time
from urllib.parse import unquote_plus

import typer
import uvicorn
from rich.console import Console
from rich.text import Text
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from vertexkit.cli.serve.run import ServiceFailed, address, bind, for_this_machine
from vertexkit.testing.platform.app import BASE_PATH, LOGIN, SEEDED, FakePlatform
from vertexkit.testing.platform.ledger import Entry
from vertexkit.testing.platform.methods import DIALOG_METHODS
from vertexkit.testing.platform.openapi import describe
from vertexkit.testing.platform.tokens import fingerprint

TOKEN_PATH = "/token"  # noqa: S105 - a path, no password
DESCRIPTION_PATH = "/openapi.json"
OVER = 403
CURL = (
    "curl -s http://127.0.0.1:8000/blocks/NAME -H 'content-type: application/json' "
    '-d "{{\\"token\\": \\"$(curl -s {base}/token)\\", \\"name\\": \\"value\\"}}"'
)


class Stage:
    """The fake platform, with two pages of its own.

    One gives out tokens, for it does not know the blocks' URLs; one describes the fifteen methods.
    """

    def __init__(self, platform: FakePlatform) -> None:
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == TOKEN_PATH:
            block = Request(scope).query_params.get("block", "block")
            answer = PlainTextResponse(self._platform.issue(block))
            await answer(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == DESCRIPTION_PATH:
            await JSONResponse(describe(BASE_PATH))(scope, receive, send)
        else:
            await self._platform(scope, receive, send)


def play(
    host: str,
    port: int,
    typing: float,
    *,
    seed: int = 0,
    dialogs: int = SEEDED,
    quiet: bool = False,
    as_json: bool,
) -> None:
    """Play the platform until Ctrl+C.

    Args:
        host: where to listen.
        port: 0 takes a free one.
        typing: seconds that the bot types before a message.
        seed: of the dialogs, tokens and numbers that are made up.
        dialogs: how many there are from the start.
        quiet: do not print requests.
        as_json: each request as a line of JSON.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    platform = FakePlatform(seed=seed, tokens="any", typing_seconds=typing, dialogs=dialogs)
    if not quiet:
        platform.subscribe(_print_json if as_json else _Printer())
    with bind(host, port) as listener:
        base = address(listener, host)
        _welcome(base, dialogs, as_json=as_json)
        server = uvicorn.Server(for_this_machine(Stage(platform), 1))
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn raises the signal again when all is closed
            return
        except SystemExit as error:
            raise ServiceFailed("the fake platform could not start") from error


def _welcome(base: str, dialogs: int, *, as_json: bool) -> None:
    lines = [
        "Playing the Bot.one platform; nothing leaves this machine. Ctrl+C ends it.",
        "",
        f"  export VERTEXKIT_PLATFORM_URL={base}{BASE_PATH}",
        f"  export VERTEXKIT_LOGIN={LOGIN} VERTEXKIT_PASSWORD={LOGIN}",
        "",
        f"There are {dialogs} dialogs, for login {LOGIN} and password {LOGIN}. To list some:",
        "",
        f"  curl -s -u {LOGIN}:{LOGIN} '{base}{BASE_PATH}/v2/conversations?BotID=698&PageCount=5'",
        "",
        f"All fifteen methods are described at {base}{DESCRIPTION_PATH}",
        "",
        f"Each GET {base}{TOKEN_PATH} gives a new token. Call a block with one:",
        "",
        f"  {CURL.format(base=base)}",
        "",
    ]
    for line in lines:
        typer.echo(line, err=as_json)


class _Printer:
    """A line for each request, as it is answered."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False)

    def __call__(self, entry: Entry) -> None:
        name = entry.method if entry.method != "unknown" else f"{entry.verb} {entry.path}"
        line = Text(time.strftime("%H:%M:%S  "), "dim")
        line.append(f"{name:<13}", "cyan")
        line.append(f" {entry.status or 'no answer'}  ", "green" if entry.processed else "red")
        if entry.token is not None:
            line.append(f"{fingerprint(entry.token)}  ", "dim")
        line.append(_content(entry))
        self._console.print(line, soft_wrap=True)
        for sentence in entry.violations:
            self._console.print(Text(f"{'':10}{sentence}", "red"), soft_wrap=True)
        if entry.status == OVER and entry.activation is not None:
            hint = f"this activation has ended; GET {TOKEN_PATH} returns a token for a new one"
            self._console.print(Text(f"{'':10}{hint}", "dim"), soft_wrap=True)


def _content(entry: Entry) -> str:
    content = entry.json
    if entry.method in DIALOG_METHODS:
        query = f"?{unquote_plus(entry.query)}" if entry.query else ""
        said = "" if content is None else f"  {json.dumps(content, ensure_ascii=False)}"
        return f"{entry.path.removeprefix(BASE_PATH)}{query}{said}"
    if not isinstance(content, dict):
        return f"{len(entry.body)} bytes"
    if entry.method == "send_message":
        typing = "" if content.get("typing") else "  (no typing)"
        return f"{json.dumps(content.get('text'), ensure_ascii=False)}{typing}"
    shown = {name: value for name, value in content.items() if name != "token"}
    return json.dumps(shown.get("data", shown), ensure_ascii=False)


def _print_json(entry: Entry) -> None:
    content = entry.json
    if isinstance(content, dict):
        content.pop("token", None)
    line = {
        "number": entry.number,
        "method": entry.method,
        "path": entry.path,
        "query": entry.query,
        "token": None if entry.token is None else fingerprint(entry.token),
        "activation": entry.activation,
        "body": content,
        "status": entry.status,
        "processed": entry.processed,
        "violations": entry.violations,
    }
    print(json.dumps(line, ensure_ascii=False), flush=True)
