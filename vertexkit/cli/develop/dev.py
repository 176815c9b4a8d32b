"""`vertexkit dev`: the author's app with reload, the fake platform, and the playground."""

import asyncio
import json
import os
import socket
import sys
import webbrowser
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from rich.console import Console
from rich.text import Text

from vertexkit.cli.serve.run import address, bind, for_this_machine
from vertexkit.errors import SettingsError
from vertexkit.playground.playground import Playground
from vertexkit.playground.server import Pages
from vertexkit.settings import Settings

CANDIDATES = ("block.py", "app.py", "main.py", "hello.py")
"""Files that are looked for where nobody says which app."""
GREY = "dim"
LABEL = 9


@dataclass(frozen=True, slots=True)
class Wish:
    """How it is served."""

    target: str | None
    host: str
    port: int
    typing: float
    seed: int
    open_browser: bool


def play(wish: Wish) -> None:
    """Serve until Ctrl+C.

    Raises:
        SettingsError: no app, or the port is taken; says the mend.
    """
    target = wish.target or Settings.load().server.app or _found()
    with suppress(KeyboardInterrupt), bind(wish.host, wish.port) as listener:
        asyncio.run(_serve(wish, target, listener))


def _found() -> str:
    there = [name for name in CANDIDATES if Path(name).is_file()]
    if not there:
        raise SettingsError(
            "say which app: vertexkit dev MODULE:APP, for example hello:app; or begin with "
            "vertexkit new hello"
        )
    return there[0]


async def _serve(wish: Wish, target: str, listener: socket.socket) -> None:
    base = address(listener, wish.host)
    console = Console(highlight=False, markup=False, emoji=False)
    playground = Playground(target, Path.cwd(), base, typing=wish.typing, seed=wish.seed)
    server = uvicorn.Server(for_this_machine(Pages(playground).app(wish.host), 1))
    playground.listen(Diary(console, base))
    console.print(
        Text("vertexkit dev", "bold").append("  nothing leaves this machine; Ctrl+C ends it", GREY)
    )
    _line(console, "page", f"{base}/", "bold cyan")
    _line(console, "watching", str(Path.cwd()), GREY)
    async with playground.at_work():
        if wish.open_browser and _has_display():
            webbrowser.open(f"{base}/")
        await server.serve(sockets=[listener])


def _has_display() -> bool:
    if not sys.stdout.isatty():
        return False
    return sys.platform in {"darwin", "win32"} or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _line(console: Console, label: str, text: str, style: str = "default") -> None:
    line = Text(f"  {label:<{LABEL}}  ", GREY).append(text, style)
    console.print(line, soft_wrap=True)


class Diary:
    """Says in the terminal what the page shows.

    Args:
        console: where to.
        base: the playground's URL.
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
                _line(self._console, "changed", ", ".join(state["changed"]), GREY)
            case "crashed":
                _line(self._console, "crashed", "the process was killed; it starts again", "red")
            case "broken":
                problem = state["problem"]
                _line(self._console, "broken", problem["error"], "bold red")
                for text in (problem.get("source"), problem.get("traceback")):
                    if text:
                        self._console.print(Text(str(text), "red"), soft_wrap=True)
                _line(self._console, "", "save the file when it is mended", GREY)

    def _run(self, line: dict[str, Any]) -> None:
        match line["kind"]:
            case "run":
                given = " ".join(f"{name}={_json(value)}" for name, value in line["inputs"].items())
                _line(self._console, "run", f"{line['block']} {given}".rstrip(), "cyan")
            case "request" if line["method"] == "send_message" and line["processed"]:
                _line(self._console, "bot", str(line["request"]["text"]), "green")
            case "request" if line["method"] == "complete" and line["processed"]:
                _line(self._console, "done", _json(line["request"].get("data")), "bold")
            case "end" if line["code"] != "ok":
                said = line.get("answer", {}).get("detail", "")
                _line(self._console, "fail", f"{line['code']} {said}".rstrip(), "red")

    def _log(self, line: dict[str, Any]) -> None:
        trace = line.get("exception")
        _line(self._console, "log", f"{line.get('level')} {line.get('event')}", "yellow")
        if trace:
            self._console.print(Text(str(trace), GREY), soft_wrap=True)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
