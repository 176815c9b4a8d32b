"""`vertexkit capture`: record the calls a platform sends, and show how vertexkit reads them."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import uvicorn
from pydantic_core import from_json
from rich.text import Text
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vertexkit.cli import output
from vertexkit.cli.develop.anonymise import claim_types, mask_path, mask_text, mask_value
from vertexkit.cli.serve.run import ServiceFailed
from vertexkit.cli.translation import translate, translate_sentence
from vertexkit.errors import CallError
from vertexkit.ingress.request import RawCall, read_call
from vertexkit.server.config import ServedApp, ServerConfig
from vertexkit.server.listen import base_url, bind
from vertexkit.settings import ServerSettings
from vertexkit.system.private_files import create_private_text, make_private_folder
from vertexkit.text import mask
from vertexkit.token import JWT_IN_TEXT

FORMAT_VERSION = 1
"""Version of the recording's file format."""
RECORDED_BYTES = 1024 * 1024
"""Bytes of a body that are recorded; the rest is discarded."""
PRINTED_CHARACTERS = 2000
"""Characters of a body that are printed; the recording holds more."""
READER_TEMPLATE = '''"""Reads this platform's calls. Use it as App(read_call=read_call)."""

from pydantic_core import from_json
from vertexkit import Call, CallError, RawCall


def read_call(raw: RawCall) -> Call:
    """Read a call like the recorded one.

    vertexkit rejects it: {reason}.
    """
    body = from_json(raw.body)
    try:
        token = {token}
    except (KeyError, IndexError, TypeError):
        raise CallError(400, "missing_token", "The call has no token.") from None
    return Call(token, {inputs})
'''


class CallRecorder:
    """An ASGI app that records and prints every request, and sends the same response to each.

    Args:
        folder: The folder for the recordings. It is created with the first one.
        status: The HTTP status of every response.
        body: The body of every response.
    """

    def __init__(self, folder: Path, status: int, body: str) -> None:
        self._folder = folder
        self._status = status
        self._body = body
        self._number = 0
        self._console = output.console()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk[: RECORDED_BYTES - len(body)]
        self._number += 1
        self._record(request, bytes(body))
        media_type = "application/json" if self._body else None
        await Response(self._body, self._status, media_type=media_type)(scope, receive, send)

    def _record(self, request: Request, body: bytes) -> None:
        headers = [(name.decode(), value.decode("latin-1")) for name, value in request.headers.raw]
        query = request.url.query
        raw = RawCall(request.url.path, body, dict(headers), query)
        reading = read_summary(raw)
        recording = {
            "version": FORMAT_VERSION,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "method": request.method,
            "path": mask_path(request.url.path),
            "query": mask_query(query),
            "headers": [[name, mask_value(name, value)] for name, value in headers],
            "body": mask_body(body),
            "claims": claim_types(f"{headers} {query} {body.decode(errors='replace')}"),
            "reading": reading,
        }
        make_private_folder(self._folder)
        stamp = time.strftime("%Y%m%d-%H%M%S")
        while (path := self._folder / f"{stamp}-{self._number}.json").exists():
            self._number += 1  # another process records in this folder
        with create_private_text(path) as file:
            file.write(output.to_json_text(recording, file, indent=2))
        self._print(recording, path)
        if "rejected" in reading and (code := generate_reader(raw, reading["rejected"])):
            reader = path.with_suffix(".py")
            with create_private_text(reader) as file:
                file.write(code)
            self._line("", translate("generated a read_call for it: {0}", reader), "bold")

    def _print(self, recording: dict[str, Any], path: Path) -> None:
        query = f"?{recording['query']}" if recording["query"] else ""
        self._line("call", f"{recording['method']} {recording['path']}{query}", "cyan")
        for name, value in recording["headers"]:
            self._line("", f"{name}: {value}", "dim")
        shown = recording["body"][:PRINTED_CHARACTERS]
        more = len(recording["body"]) - len(shown)
        self._line(
            "body",
            (shown or translate("none"))
            + (translate("… and {0} more characters", more) if more else ""),
        )
        if recording["claims"]:
            claims = ", ".join(f"{name} ({kind})" for name, kind in recording["claims"].items())
            self._line("", translate("claims of the token: {0}", claims), "dim")
        reading = recording["reading"]
        if "rejected" in reading:
            self._line(
                "fail",
                translate(
                    "vertexkit rejects this call: {0}", translate_sentence(reading["rejected"])
                ),
                "bold red",
            )
        else:
            inputs = ", ".join(
                f"{n} ({kind})" for n, kind in reading["inputs"].items()
            ) or translate("none")
            self._line(
                "read",
                translate("token of {0} characters; inputs: {1}", reading["token"], inputs),
                "green",
            )
        self._line("", translate("saved to {0}", path), "dim")

    def _line(self, label: str, text: str, style: str = "default") -> None:
        line = Text(f"  {label:<4}  ", style)
        line.append(text, style if not label or style == "bold red" else "default")
        self._console.print(line, soft_wrap=True)


def read_summary(raw: RawCall) -> dict[str, Any]:
    """Read a call as vertexkit does, and summarise the outcome without the call's values.

    Returns:
        `token` (its length) and `inputs` (the type of each, by name), or `rejected` (the reason).
    """
    try:
        token, inputs = read_call(raw)
    except CallError as error:
        return {"rejected": str(error)}
    return {
        "token": len(token),
        "inputs": {name: type(value).__name__ for name, value in inputs.items()},
    }


def mask_query(query: str) -> str:
    """Mask the secrets of a query string."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(mask_text(name), mask_value(name, value)) for name, value in pairs])


def mask_body(body: bytes) -> str:
    """Decode a body and mask its secrets; JSON keeps its fields and their order."""
    try:
        return json.dumps(mask_value("", from_json(body)), ensure_ascii=False)
    except ValueError:
        pass
    text = body.decode(errors="replace")
    return mask_query(text) if "=" in text and " " not in text else mask_text(text)


def generate_reader(raw: RawCall, reason: str) -> str:
    """Generate a `read_call` function for a call that the default one rejects.

    Args:
        raw: The call.
        reason: Why it is rejected.

    Returns:
        Python code; empty if no token is found in the call.
    """
    try:
        body = from_json(raw.body)
    except ValueError:
        body = None
    for expression, name, value in [*_texts(body, "body", ""), *_texts_outside_body(raw)]:
        if JWT_IN_TEXT.fullmatch(value) or "token" in name.lower():
            inputs = "body if isinstance(body, dict) else {}"
            return READER_TEMPLATE.format(
                reason=reason.replace('"', "'").rstrip("."), token=expression, inputs=inputs
            )
    return ""


def _texts(value: Any, expression: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Each string in a JSON value: the Python expression that returns it, its name, and itself."""
    if isinstance(value, str):
        yield expression, name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{expression}[{_literal(key)}]", key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{expression}[{index}]", name)


def _texts_outside_body(raw: RawCall) -> Iterator[tuple[str, str, str]]:
    """Each string in the query and the headers, as `_texts` yields them."""
    for name, value in raw.query.items():
        yield f"raw.query[{_literal(name)}]", name, value
    for name, value in raw.headers.items():
        header = f"raw.headers[{_literal(name)}]"
        if value.startswith("Bearer "):
            yield f'{header}.removeprefix("Bearer ")', name, value.removeprefix("Bearer ")
        else:
            yield header, name, value


def _literal(name: str) -> str:
    """A name that a caller has chosen, as a literal of Python."""
    text = repr(name)
    return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text else text


def record_calls(host: str, port: int, folder: Path, status: int, body: str) -> None:
    """Record calls until Ctrl+C.

    Args:
        host: The address to listen on.
        port: The port to listen on; 0 selects a free port.
        folder: The folder for the recordings.
        status: The HTTP status of every response.
        body: The body of every response.

    Raises:
        SettingsError: The address cannot be listened on.
        ServiceFailed: The server could not start.
    """
    with bind(host, port) as listener:
        base = base_url(listener, host)
        output.echo(
            translate(
                "Recording all calls to {0} (any path); every response has status {1}. Press Ctrl+C to stop.",
                base,
                status,
            )
        )
        output.echo(
            translate(
                "On the platform, set the block's URL to this service's public address, and\nrun the bot. Recordings are saved to {0}.\nTokens are masked, for example as {1}.\n",
                folder,
                mask("eyJhbG.x9"),
            )
        )
        # A larger body is accepted too, because every call must get the chosen response; only its
        # first megabyte is recorded.
        settings = ServerSettings(body_limit=sys.maxsize)
        recorder = CallRecorder(folder, status, body)
        config = ServerConfig(
            lambda: ServedApp(recorder),
            settings,
            settings.clients,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn raises the signal again when it has shut down
            return
        except SystemExit as error:
            raise ServiceFailed("the recorder could not start") from error
