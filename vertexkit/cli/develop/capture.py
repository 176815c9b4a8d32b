"""`vertexkit capture`: record what a platform sends to a block's URL, and how it would be read."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import typer
import uvicorn
from pydantic_core import from_json
from rich.console import Console
from rich.text import Text
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vertexkit.cli.develop.anonymise import JWT, claims_of, mask, mask_text, mask_value
from vertexkit.cli.serve.run import ServiceFailed, address, bind
from vertexkit.errors import CallError
from vertexkit.ingress.request import RawCall, read_call
from vertexkit.server.config import EdgeConfig
from vertexkit.server.limits import Limits

VERSION = 1
"""Of the recorded file."""
LIMIT = 1024 * 1024
"""Bytes of a body that are recorded."""
SHOWN = 2000
"""Characters of a body that are printed; all of it is recorded."""
SKELETON = '''"""How this platform's calls are read: App(read_call=read_call)."""

from pydantic_core import from_json
from vertexkit import Call, CallError, RawCall


def read_call(raw: RawCall) -> Call:
    """From the recorded call: {why}."""
    body = from_json(raw.body)
    try:
        token = {token}
    except (KeyError, IndexError, TypeError):
        raise CallError(400, "missing_token", "The call has no token.") from None
    return Call(token, {inputs})
'''


class Recorder:
    """An ASGI app that answers every request alike, writes it down, and says what is in it.

    Args:
        folder: where the recordings go; made when the first one comes.
        status: of every answer.
        body: of every answer.
    """

    def __init__(self, folder: Path, status: int, body: str) -> None:
        self._folder = folder
        self._status = status
        self._body = body
        self._number = 0
        self._console = Console(highlight=False, markup=False, emoji=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk[: LIMIT - len(body)]
        self._number += 1
        self._note(request, bytes(body))
        media_type = "application/json" if self._body else None
        await Response(self._body, self._status, media_type=media_type)(scope, receive, send)

    def _note(self, request: Request, body: bytes) -> None:
        headers = [(name.decode(), value.decode("latin-1")) for name, value in request.headers.raw]
        query = request.url.query
        raw = RawCall(request.url.path, body, dict(headers), query)
        reading = read(raw)
        recording = {
            "version": VERSION,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "method": request.method,
            "path": mask_text(request.url.path),
            "query": masked_query(query),
            "headers": [[name, mask_value(name, value)] for name, value in headers],
            "body": masked_body(body),
            "claims": claims_of(f"{headers} {query} {body.decode(errors='replace')}"),
            "reading": reading,
        }
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{self._number}.json"
        path.write_text(json.dumps(recording, ensure_ascii=False, indent=2), encoding="utf-8")
        self._tell(recording, path)
        if "refused" in reading and (skeleton := make_reader(raw, reading["refused"])):
            place = path.with_suffix(".py")
            place.write_text(skeleton, encoding="utf-8")
            self._line("", f"a reader for it: {place}", "bold")

    def _tell(self, recording: dict[str, Any], path: Path) -> None:
        query = f"?{recording['query']}" if recording["query"] else ""
        self._line("call", f"{recording['method']} {recording['path']}{query}", "cyan")
        for name, value in recording["headers"]:
            self._line("", f"{name}: {value}", "dim")
        shown = recording["body"][:SHOWN]
        more = len(recording["body"]) - len(shown)
        self._line("body", (shown or "none") + (f"… and {more} characters more" if more else ""))
        if recording["claims"]:
            claims = ", ".join(f"{name} ({kind})" for name, kind in recording["claims"].items())
            self._line("", f"its token claims: {claims}", "dim")
        reading = recording["reading"]
        if "refused" in reading:
            self._line("fail", f"vertexkit would refuse it: {reading['refused']}", "bold red")
        else:
            inputs = ", ".join(f"{n} ({kind})" for n, kind in reading["inputs"].items()) or "none"
            self._line("read", f"token of {reading['token']} characters; inputs: {inputs}", "green")
        self._line("", f"written to {path}", "dim")

    def _line(self, label: str, text: str, style: str = "default") -> None:
        line = Text(f"  {label:<4}  ", style)
        line.append(text, style if not label or style == "bold red" else "default")
        self._console.print(line, soft_wrap=True)


def read(raw: RawCall) -> dict[str, Any]:
    """What vertexkit makes of a call, without its values; or why it refuses it."""
    try:
        token, inputs = read_call(raw)
    except CallError as error:
        return {"refused": str(error)}
    return {
        "token": len(token),
        "inputs": {name: type(value).__name__ for name, value in inputs.items()},
    }


def masked_query(query: str) -> str:
    """A query string with its secrets masked."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(mask_text(name), mask_value(name, value)) for name, value in pairs])


def masked_body(body: bytes) -> str:
    """A body as text, with its secrets masked; JSON keeps its members and their order."""
    try:
        return json.dumps(mask_value("", from_json(body)), ensure_ascii=False)
    except ValueError:
        pass
    text = body.decode(errors="replace")
    return masked_query(text) if "=" in text and " " not in text else mask_text(text)


def make_reader(raw: RawCall, why: str) -> str:
    """A `read_call` for a call that the usual one refuses; empty if no token is seen in it."""
    try:
        body = from_json(raw.body)
    except ValueError:
        body = None
    for place, value in [*_texts(body, "body"), *_outside(raw)]:
        last = place.rpartition('["')[2].rstrip('"]').lower()
        if JWT.fullmatch(value) or "token" in last:
            inputs = "body if isinstance(body, dict) else {}"
            return SKELETON.format(why=why.replace('"', "'"), token=place, inputs=inputs)
    return ""


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, with the expression that gets it."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(each, f"{place}[{json.dumps(name, ensure_ascii=False)}]")
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _texts(each, f"{place}[{at}]")


def _outside(raw: RawCall) -> Iterator[tuple[str, str]]:
    """Texts of a call that are not in its body."""
    for name, value in raw.query.items():
        yield f'raw.query["{name}"]', value
    for name, value in raw.headers.items():
        if value.startswith("Bearer "):
            yield f'raw.headers["{name}"].removeprefix("Bearer ")', value.removeprefix("Bearer ")
        else:
            yield f'raw.headers["{name}"]', value


def record(host: str, port: int, folder: Path, status: int, body: str) -> None:
    """Record until Ctrl+C.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    with bind(host, port) as listener:
        base = address(listener, host)
        typer.echo(
            f"Recording every call of {base} (any path), answering {status}. Ctrl+C ends it."
        )
        typer.echo("Give a block of the platform this service's public address, and run the bot.")
        typer.echo(f"Tokens are masked ({mask('eyJhbG.x9')}); recordings go to {folder}.\n")
        # Whatever the size of a body, it is answered as ordered: only the megabyte's end is lost.
        limits = Limits(body=sys.maxsize)
        recorder = Recorder(folder, status, body)
        config = EdgeConfig(recorder, limits, lifespan="off", timeout_graceful_shutdown=1)
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn raises the signal again when all is closed
            return
        except SystemExit as error:
            raise ServiceFailed("the recorder could not start") from error
