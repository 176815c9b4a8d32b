"""`vertexkit dev`: the author's app with reload, the fake platform, and the playground."""

import asyncio
import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from rich.console import Console
from rich.text import Text

from vertexkit.cli import output
from vertexkit.cli.browser import open_in_browser
from vertexkit.cli.translation import translate, translate_sentence
from vertexkit.loading import default_target
from vertexkit.playground.dev_journal import move_old_journal
from vertexkit.playground.playground import Playground
from vertexkit.playground.server import PlaygroundServer
from vertexkit.server.listen import base_url, bind, local_config

LABEL_COLUMNS = 9
FOR_BOTONE = "To serve the blocks to Bot.one, use vertexkit run; docs/public-url.md shows how it reaches this machine."


@dataclass(frozen=True, slots=True)
class DevOptions:
    """The options of `vertexkit dev`."""

    target: str | None
    host: str
    port: int
    typing: float
    """Seconds of simulated typing before each message."""
    seed: int
    open_browser: bool


def serve_playground(options: DevOptions) -> None:
    """Serve the playground until Ctrl+C.

    Raises:
        SettingsError: There is no app, or the address cannot be listened on.
    """
    target = options.target or default_target()
    with suppress(KeyboardInterrupt), bind(options.host, options.port) as listener:
        asyncio.run(_serve(options, target, listener))


async def _serve(options: DevOptions, target: str, listener: socket.socket) -> None:
    base = base_url(listener, options.host)
    console = output.console()
    playground = Playground(target, Path.cwd(), base, typing=options.typing, seed=options.seed)
    server = uvicorn.Server(local_config(PlaygroundServer(playground).app(options.host), 1))
    playground.subscribe(PlaygroundPrinter(console, base))
    console.print(
        Text("vertexkit dev", "bold").append(
            f"  {translate('Nothing is sent outside this machine. Press Ctrl+C to stop.')}", "dim"
        )
    )
    _line(console, "page", f"{base}/", "bold cyan")
    _line(console, "watching", str(Path.cwd()), "dim")
    _line(console, "", translate(FOR_BOTONE), "dim")
    if moved := move_old_journal():
        text = translate(
            "written by another version of vertexkit, moved to {0}; a new one is started", moved
        )
        _line(console, "journal", text, "yellow")
    async with playground.serving():
        if options.open_browser:
            open_in_browser(f"{base}/")
        await server.serve(sockets=[listener])


def _line(console: Console, label: str, text: str, style: str = "default") -> None:
    line = Text(f"  {label:<{LABEL_COLUMNS}}  ", "dim").append(text, style)
    console.print(line, soft_wrap=True)


class PlaygroundPrinter:
    """Prints in the terminal what the playground's page shows.

    Args:
        console: The console to print to.
        base: The playground's URL.
    """

    def __init__(self, console: Console, base: str) -> None:
        self._console = console
        self._base = base

    def __call__(self, message: dict[str, Any]) -> None:
        match message["kind"]:
            case "state":
                self._state(message)
            case "line":
                self._run(message["line"])
            case "log" if message["line"].get("level") not in {"debug", "info"}:
                self._log(message["line"])

    def _state(self, state: dict[str, Any]) -> None:
        match state["phase"]:
            case "ready":
                for block in state["blocks"]:
                    url = f"{self._base}{block['path']}"
                    _line(self._console, "block", f"{url}  {block['title']}".rstrip())
            case "starting" if state.get("changed"):
                _line(self._console, "changed", ", ".join(state["changed"]), "dim")
            case "crashed":
                _line(
                    self._console, "crashed", translate("the app process died; restarting"), "red"
                )
            case "broken":
                problem = state["problem"]
                _line(self._console, "broken", translate_sentence(problem["error"]), "bold red")
                for text in (problem.get("source"), problem.get("traceback")):
                    if text:
                        self._console.print(Text(str(text), "red"), soft_wrap=True)
                _line(
                    self._console,
                    "",
                    translate("Fix and save the file; the app reloads by itself."),
                    "dim",
                )

    def _run(self, line: dict[str, Any]) -> None:
        match line["kind"]:
            case "run":
                inputs = " ".join(f"{name}={_json(v)}" for name, v in line["inputs"].items())
                _line(self._console, "run", f"{line['block']} {inputs}".rstrip(), "cyan")
            case "event" if line["name"] == "handler_raised":
                self._error(line["fields"]["error"])
            case "event" if line["name"] == "waiting" and line["fields"]["event"]:
                _line(
                    self._console,
                    "wait",
                    translate("for the event {0}", repr(line["fields"]["event"])),
                    "yellow",
                )
            case "request" if line["method"] == "send_message" and line["processed"]:
                _line(self._console, "bot", str(line["request"]["text"]), "green")
            case "request" if line["method"] == "complete" and line["processed"]:
                _line(self._console, "done", _json(line["request"].get("data")), "bold")
            case "end" if line["code"] != "ok":
                detail = line.get("answer", {}).get("detail", "")
                _line(self._console, "fail", f"{line['code']} {detail}".rstrip(), "red")

    def _error(self, error: dict[str, Any]) -> None:
        """Print an error of the author's code with the author's own frames."""
        _line(self._console, "error", f"{error['type']}: {error['message']}", "bold red")
        if error["hint"]:
            _line(self._console, "", translate_sentence(error["hint"]))
        for frame in reversed(error["frames"]):
            _line(self._console, "", f"{frame['file']}:{frame['line']}    {frame['code']}")

    def _log(self, line: dict[str, Any]) -> None:
        if line.get("event") == "loop_blocked":
            text = translate(
                "{0} blocks the event loop: {1}",
                line.get("block") or translate("the app"),
                line.get("at"),
            )
            _line(self._console, "blocked", text, "bold red")
            return
        if line.get("event") == "handler_failed":  # printed as an error already
            return
        trace = line.get("exception")
        _line(self._console, "log", f"{line.get('level')} {line.get('event')}", "yellow")
        if trace:
            self._console.print(Text(str(trace), "dim"), soft_wrap=True)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
