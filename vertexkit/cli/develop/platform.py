"""`vertexkit platform`: the fake platform as a server, for blocks in any language."""

import json
import time
from urllib.parse import unquote_plus

import uvicorn
from rich.text import Text
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from vertexkit.cli import output
from vertexkit.cli.develop.platform_options import PlatformOptions
from vertexkit.cli.serve.run import ServiceFailed
from vertexkit.cli.translation import translate, translate_sentence
from vertexkit.server.listen import base_url, bind, local_config
from vertexkit.server.local_guard import LocalGuard
from vertexkit.testing.platform.app import (
    BASE_PATH,
    DEFAULT_LOGIN,
    DEFAULT_PASSWORD,
    FakePlatform,
)
from vertexkit.testing.platform.ledger import Entry
from vertexkit.testing.platform.methods import DIALOG_METHODS
from vertexkit.testing.platform.openapi import openapi_document
from vertexkit.testing.platform.tokens import fingerprint

TOKEN_PATH = "/token"  # noqa: S105 - a path, not a password
DESCRIPTION_PATH = "/openapi.json"
ACTIVATION_ENDED_STATUS = 403
CURL = (
    "curl -s http://127.0.0.1:8000/blocks/NAME -H 'content-type: application/json' "
    '-d "{{\\"token\\": \\"$(curl -s {base}/token)\\", \\"name\\": \\"value\\"}}"'
)


class PlatformServer:
    """The fake platform with two additional pages.

    One issues tokens, because the fake platform does not know the blocks' URLs and calls none;
    the other is an OpenAPI description of the fifteen methods.
    """

    def __init__(self, platform: FakePlatform) -> None:
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == TOKEN_PATH:
            block = Request(scope).query_params.get("block", "block")
            response = PlainTextResponse(self._platform.issue(block))
            await response(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == DESCRIPTION_PATH:
            await JSONResponse(openapi_document(BASE_PATH))(scope, receive, send)
        else:
            await self._platform(scope, receive, send)


def serve_platform(host: str, port: int, options: PlatformOptions) -> None:
    """Serve the fake platform until Ctrl+C.

    Args:
        host: The address to listen on.
        port: The port to listen on; 0 selects a free port.
        options: How the platform behaves, and what it prints.

    Raises:
        SettingsError: The address cannot be listened on.
        ServiceFailed: The server could not start.
    """
    platform = FakePlatform(
        seed=options.seed,
        tokens=options.tokens.value,
        typing_seconds=options.typing,
        dialogs=options.dialogs,
        updated_by=options.updated_by.value,
    )
    if not options.quiet:
        platform.subscribe(_print_json if options.as_json else _RequestPrinter())
    with bind(host, port) as listener:
        base = base_url(listener, host)
        _print_instructions(base, options.dialogs, as_json=options.as_json)
        server = uvicorn.Server(local_config(LocalGuard(PlatformServer(platform), host), 1))
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn raises the signal again when it has shut down
            return
        except SystemExit as error:
            raise ServiceFailed("the fake platform could not start") from error


def _print_instructions(base: str, dialogs: int, *, as_json: bool) -> None:
    credentials = f"{DEFAULT_LOGIN}:{DEFAULT_PASSWORD}"
    lines = [
        translate(
            "Fake Bot.one platform. Nothing is sent outside this machine. Press Ctrl+C to stop."
        ),
        "",
        f"  export VERTEXKIT_PLATFORM_URL={base}{BASE_PATH}",
        f"  export VERTEXKIT_LOGIN={DEFAULT_LOGIN} VERTEXKIT_PASSWORD={DEFAULT_PASSWORD}",
        "",
        translate("It has {0} dialogs. To list five of them:", dialogs),
        "",
        f"  curl -s -u {credentials} '{base}{BASE_PATH}/v2/conversations?BotID=698&PageCount=5'",
        "",
        translate("OpenAPI description of all fifteen methods: {0}{1}", base, DESCRIPTION_PATH),
        "",
        translate("GET {0}{1} issues a new token. To call a block with one:", base, TOKEN_PATH),
        "",
        f"  {CURL.format(base=base)}",
        "",
    ]
    for line in lines:
        output.echo(line, err=as_json)


class _RequestPrinter:
    """Prints a line for each request when it is answered."""

    def __init__(self) -> None:
        self._console = output.console()

    def __call__(self, entry: Entry) -> None:
        name = entry.method if entry.method != "unknown" else f"{entry.verb} {entry.path}"
        line = Text(time.strftime("%H:%M:%S  "), "dim")
        line.append(f"{name:<13}", "cyan")
        line.append(
            f" {entry.status or translate('no answer')}  ", "green" if entry.processed else "red"
        )
        if entry.token is not None:
            line.append(f"{fingerprint(entry.token)}  ", "dim")
        line.append(_content(entry))
        self._console.print(line, soft_wrap=True)
        for violation in entry.violations:
            self._console.print(
                Text(f"{'':10}{translate_sentence(violation)}", "red"), soft_wrap=True
            )
        if entry.status == ACTIVATION_ENDED_STATUS and entry.activation is not None:
            hint = translate(
                "this activation has ended; GET {0} issues a token for a new one", TOKEN_PATH
            )
            self._console.print(Text(f"{'':10}{hint}", "dim"), soft_wrap=True)


def _content(entry: Entry) -> str:
    content = entry.json
    if entry.method in DIALOG_METHODS:
        query = f"?{unquote_plus(entry.query)}" if entry.query else ""
        body = "" if content is None else f"  {json.dumps(content, ensure_ascii=False)}"
        return f"{entry.path.removeprefix(BASE_PATH)}{query}{body}"
    if not isinstance(content, dict):
        return f"{len(entry.body)} bytes"
    if entry.method == "send_message":
        typing = "" if content.get("typing") else f"  {translate('(no typing)')}"
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
    output.print_json(line, flush=True)
