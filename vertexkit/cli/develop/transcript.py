"""A dialog in the terminal, line by line as it happens."""

import io
import json
import traceback
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from vertexkit.errors import BlockFailed
from vertexkit.failure import CODES, Failure
from vertexkit.loading import error_location
from vertexkit.telemetry.events import Event
from vertexkit.testing.dialog import Run
from vertexkit.testing.platform.ledger import Entry

STYLES = {"you": "cyan", "bot": "green", "done": "bold green", "fail": "bold red", "rule": "red"}
INDENT = " " * 8
LABEL = 4
AGAIN = {
    "retried": "the handler runs again",
    "send_retried": "the message is sent again",
    "complete_retried": "the completion is tried again",
}


class Aside(io.RawIOBase):
    """A binary stream whose lines appear in the terminal above the dots."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def isatty(self) -> bool:
        return self._console.is_terminal

    def write(self, data: Any) -> int:
        text = Text.from_ansi(bytes(data).decode(errors="replace").rstrip("\n"))
        self._console.print(text, soft_wrap=True)
        return len(data)


class Transcript:
    """Prints who says what; while the bot types, dots.

    Args:
        console: where to.
        debug: show whole tracebacks.
    """

    def __init__(self, console: Console, *, debug: bool = False) -> None:
        self._console = console
        self._debug = debug
        self._dots: Live | None = None

    def call(self, block: str, inputs: Mapping[str, Any]) -> None:
        """The platform calls the block."""
        given = " ".join(f"{name}={_json(value)}" for name, value in inputs.items())
        self._line("you", f"{block} {given}".rstrip())

    def request(self, entry: Entry) -> None:
        """What the block asks of the platform, as it comes and as it is answered."""
        content = entry.json if isinstance(entry.json, dict) else {}
        if entry.method != "send_message":
            return
        if entry.answered_at is None:
            if content.get("typing") and self._console.is_terminal:
                self._type()
            return
        self.hush()
        if entry.processed:
            self._line("bot", str(content.get("text", "")))

    def event(self, event: Event) -> None:
        """What happens to the execution, where it is worth a line."""
        if event.name in AGAIN:
            why = event.fields.get("why") or event.fields.get("reason") or ""
            pause = f"in {event.fields['seconds']:g} s"
            self._line("", f"{AGAIN[event.name]} {pause}{f': {why}' if why else ''}", "dim")

    def end(self, run: Run, seconds: float) -> None:
        """What it came to."""
        self.hush()
        if run.outcome is None:
            self._refused(run)
            return
        if run.ok:
            self._line("done", _json(run.data), tail=f"  {seconds:.1f} s")
        elif run.outcome.reason:
            self._line("", f"{run.outcome.ending}: {run.outcome.reason}", "dim")
        if not run.ok:
            self._line("done", _json(run.data), "dim", tail=f"  {seconds:.1f} s")

    def recorded(self, run: str) -> None:
        """Where all of it can be found again; programs need not know."""
        if self._console.is_terminal:
            self._line("", f"recorded: vertexkit replay {run}", "dim")

    def failure(self, failure: Failure) -> None:
        """Why the block failed, and where in the author's code."""
        self.hush()
        error = failure.error
        if error is None or isinstance(error, BlockFailed):
            said = failure.message or CODES.get(failure.code, "")
            self._line("fail", f"{failure.code}: {said}" if said else failure.code)
            return
        self._line("fail", f"{failure.code}: {type(error).__name__}: {error}")
        if self._debug:
            self._console.print("".join(traceback.format_exception(error)), style="dim")
            return
        where, line = error_location(error)
        if where:
            self._line("", f"{where}    {line}")
        self._line("", "the whole traceback: --debug", "dim")

    def violation(self, sentence: str) -> None:
        """A breach of the platform's rules."""
        self._line("rule", sentence)

    def hush(self) -> None:
        """No more dots."""
        if self._dots is not None:
            self._dots.stop()
            self._dots = None

    def takes(self, schema: Mapping[str, Any]) -> None:
        """What the block wants to be given."""
        required = schema.get("required", [])
        wanted = []
        for name, field in schema.get("properties", {}).items():
            kind = field.get("type", "")
            default = "" if name in required else f" = {_json(field.get('default'))}"
            wanted.append(f"{name}{f': {kind}' if isinstance(kind, str) and kind else ''}{default}")
        self._line("", f"it takes {', '.join(wanted) or 'no inputs'}", "dim")

    def stranger(self, name: str) -> None:
        """An input that the block does not know."""
        self._line("", f"{name} is no input of this block: it is ignored", "dim")

    def _refused(self, run: Run) -> None:
        said = run.answer.get("detail") or run.answer.get("title", "")
        self._line("fail", f"{run.status} {said.partition(';')[0].rstrip('.')}")
        for error in run.answer.get("errors", []):
            place = ".".join(map(str, error["loc"])) or "inputs"
            self._line("", f"{place}: {error['msg']}")

    def _type(self) -> None:
        self.hush()
        row = Table.grid()
        row.add_row(Text(f"  {'bot':{LABEL}}  ", "green"), Spinner("simpleDots"))
        self._dots = Live(row, console=self._console, transient=True, refresh_per_second=8)
        self._dots.start()

    def _line(self, label: str, text: str, style: str = "", tail: str = "") -> None:
        line = Text()
        line.append(f"  {label:{LABEL}}  ", STYLES.get(label, ""))
        line.append(text.replace("\n", f"\n{INDENT}"), style)
        line.append(tail, "dim")
        self._console.print(line, soft_wrap=True)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
