"""A block's run printed in the terminal, line by line while it happens."""

import difflib
import io
import json
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from vertexkit.cli.translation import translate, translate_sentence
from vertexkit.context.context import Context
from vertexkit.errors import BlockFailed
from vertexkit.failure import FAILURE_MESSAGES, Failure
from vertexkit.loading import display_path
from vertexkit.telemetry.events import Event
from vertexkit.testing.contents import describe_error
from vertexkit.testing.platform.ledger import Entry
from vertexkit.testing.run import Run
from vertexkit.worker.policy import OnFailure

STYLES = {
    "you": "cyan",
    "bot": "green",
    "done": "bold green",
    "fail": "bold red",
    "rule": "red",
    "wait": "yellow",
    "slow": "red",
}
LABEL_COLUMNS = 4
INDENT = " " * (LABEL_COLUMNS + 4)
RETRY_EVENTS = {
    "retried": "the handler will run again",
    "send_retried": "the message will be sent again",
    "step_retried": "the step will be called again",
    "completion_retried": "the completion will be sent again",
}
"""Events that are shown, each with what happens next."""


class TerminalStream(io.RawIOBase):
    """A binary stream for log lines, which prints them above the typing indicator.

    Args:
        console: The console to print to.
    """

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
    """Prints the call, the bot's messages and the result; shows an indicator while the bot types.

    Args:
        console: The console to print to.
        debug: Print full tracebacks.
    """

    def __init__(self, console: Console, *, debug: bool = False) -> None:
        self._console = console
        self._debug = debug
        self._typing: Live | None = None

    def call(self, block: str, inputs: Mapping[str, Any]) -> None:
        """Print the platform's call of the block."""
        arguments = " ".join(f"{name}={_json(value)}" for name, value in inputs.items())
        self._line("you", f"{block} {arguments}".rstrip())

    def request(self, entry: Entry) -> None:
        """Print a message when the fake platform has accepted it; until then, show the indicator.

        Args:
            entry: A request of the block, once when it arrives and once when it is answered.
        """
        content = entry.json if isinstance(entry.json, dict) else {}
        if entry.method != "send_message":
            return
        if entry.answered_at is None:
            if content.get("typing") and self._console.is_terminal:
                self._start_typing()
            return
        self.stop_typing()
        if entry.processed:
            self.message(str(content.get("text", "")))

    def message(self, text: str, *, recorded: bool = False) -> None:
        """Print a message of the bot.

        Args:
            text: Its text.
            recorded: It was not sent now.
        """
        self._line("bot", text, "dim" if recorded else "")

    def event(self, event: Event) -> None:
        """Print an event of the execution if something is retried."""
        if event.name in RETRY_EVENTS:
            reason = event.fields.get("reason") or ""
            pause = translate("in {0} s", f"{event.fields['seconds']:g}")
            suffix = f": {translate_sentence(str(reason))}" if reason else ""
            self._line("", f"{translate(RETRY_EVENTS[event.name])} {pause}{suffix}", "dim")

    def waiting(self, event: str, seconds: float, *, asks: bool) -> None:
        """Print what the block waits for. See `waits.WaitPrinter`."""
        self.stop_typing()
        until = (_local_time(seconds), _duration(seconds))
        if event:
            line = translate("waiting for the event {0} until {1}, {2}", repr(event), *until)
        else:
            line = translate("waiting until {0}, {1}", *until)
        self._line("wait", line)
        if not asks:
            return
        if event:
            self._line(
                "",
                translate("type the data of the event as JSON, or `skip` to let the time pass"),
                "dim",
            )
        else:
            self._line("", translate("press Enter to let the time pass"), "dim")

    def event_sent(self, name: str, data: Any) -> None:
        """Print that an event was sent."""
        self._line("you", translate("event {0} {1}", name, _json(data)))

    def event_rejected(self, answer: Mapping[str, Any]) -> None:
        """Print why an event was rejected."""
        self._line(
            "", translate_sentence(str(answer.get("detail") or answer.get("title", ""))), "red"
        )
        for error in answer.get("errors", []):
            self._line(
                "",
                f"{'.'.join(map(str, error['loc'])) or 'data'}: {translate_sentence(error['msg'])}",
                "red",
            )

    def time_skipped(self, seconds: float) -> None:
        """Print that time was skipped."""
        self._line("", translate("skipped {0}", _duration(seconds)), "dim")

    def loop_lagged(self, seconds: float) -> None:
        """See `WatchdogObserver`: nothing is printed."""

    def loop_blocked(self, block: str, place: str) -> None:
        """Print that a handler blocks the event loop, and its line."""
        file, _, rest = place.rpartition(":")
        self._line(
            "slow",
            translate(
                "{0} blocks the event loop: {1}:{2}",
                block or translate("the app"),
                display_path(file),
                rest,
            ),
        )
        self._line("", translate("await what takes time, or declare the handler with `def`"), "dim")

    def end(self, run: Run, seconds: float | None = None) -> None:
        """Print the result of the run, and its duration if it is known."""
        self.stop_typing()
        if run.outcome is None:
            self.rejected(run.status, run.answer)
            return
        tail = "" if seconds is None else f"  {seconds:.1f} s"
        if run.ok:
            self._line("done", _json(run.data), tail=tail)
        elif run.outcome.reason:
            self._line("", f"{run.outcome.status}: {translate_sentence(run.outcome.reason)}", "dim")
        if not run.ok:
            self._line("done", _json(run.data), "dim", tail=tail, label_style="red")

    def completed(self, data: Any) -> None:
        """Print the data that the block was completed with."""
        self.stop_typing()
        failed = isinstance(data, dict) and data.get("ok") is False
        self._line("fail" if failed else "done", _json(data))

    def recorded(self, run_id: str) -> None:
        """In a terminal, print the command that replays the run."""
        if self._console.is_terminal:
            self._line("", translate("to run it again: vertexkit replay {0}", run_id), "dim")

    def failure(self, failure: Failure) -> None:
        """Print why the block failed and the line of the author's code that raised the error."""
        self.stop_typing()
        error = failure.error
        if error is None or isinstance(error, BlockFailed):
            message = failure.message or translate(FAILURE_MESSAGES.get(failure.code, ""))
            self._line("fail", f"{failure.code}: {message}" if message else failure.code)
            return
        self.error(error, failure.code)

    def error(self, error: BaseException, code: str = "internal") -> None:
        """Print what the author's code raised, and its line.

        Args:
            error: The exception.
            code: With which the block failed.
        """
        self._line("fail", f"{code}: {type(error).__name__}: {error}")
        if self._debug:
            self._console.print("".join(traceback.format_exception(error)), style="dim")
            return
        described = describe_error(error)
        if described["hint"]:
            self._line("", translate_sentence(described["hint"]))
        for number, frame in enumerate(reversed(described["frames"])):
            line = f"{frame['file']}:{frame['line']}    {frame['code']}"
            self._line("", line, "dim" if number else "")
        self._line("", translate("use --debug for the full traceback"), "dim")

    def violation(self, sentence: str) -> None:
        """Print a violation of the platform's rules."""
        self._line("rule", translate_sentence(sentence))

    def stop_typing(self) -> None:
        """Remove the typing indicator."""
        if self._typing is not None:
            self._typing.stop()
            self._typing = None

    def expected_inputs(self, schema: Mapping[str, Any]) -> None:
        """Print the names, types and defaults of the block's inputs."""
        required = schema.get("required", [])
        inputs = []
        for name, field in schema.get("properties", {}).items():
            kind = field.get("type", "")
            default = "" if name in required else f" = {_json(field.get('default'))}"
            inputs.append(f"{name}{f': {kind}' if isinstance(kind, str) and kind else ''}{default}")
        self._line("", translate("expected: {0}", ", ".join(inputs) or translate("none")), "dim")

    def unknown_input(self, name: str, schema: Mapping[str, Any]) -> None:
        """Print that an input is ignored, and the closest name that the block has."""
        close = difflib.get_close_matches(name, schema.get("properties", {}), 1)
        suggestion = translate(" Did you mean {0}?", close[0]) if close else ""
        self._line(
            "",
            translate("{0} is not an input of this block; ignored.{1}", repr(name), suggestion),
            "dim",
        )

    def rejected(self, status: int, answer: Mapping[str, Any]) -> None:
        """Print why a call was rejected: the status and the content of the response."""
        detail = str(answer.get("detail") or answer.get("title", "")).partition(";")[0].rstrip(".")
        self._line("fail", f"{status} {translate_sentence(f'{detail}.').rstrip('.')}")
        for error in answer.get("errors", []):
            field = ".".join(map(str, error["loc"])) or "inputs"
            self._line("", f"{field}: {translate_sentence(error['msg'])}")

    def _start_typing(self) -> None:
        self.stop_typing()
        row = Table.grid()
        row.add_row(Text(f"  {'bot':{LABEL_COLUMNS}}  ", "green"), Spinner("simpleDots"))
        self._typing = Live(row, console=self._console, transient=True, refresh_per_second=8)
        self._typing.start()

    def _line(
        self, label: str, text: str, style: str = "", tail: str = "", label_style: str = ""
    ) -> None:
        line = Text()
        line.append(f"  {label:{LABEL_COLUMNS}}  ", label_style or STYLES.get(label, ""))
        line.append(text.replace("\n", f"\n{INDENT}"), style)
        line.append(tail, "dim")
        self._console.print(line, soft_wrap=True)


def observed_failures(hook: OnFailure | None, observe: Callable[[Failure], None]) -> OnFailure:
    """Return a hook that passes each failure on before it calls the author's hook.

    Args:
        hook: the author's.
        observe: gets the failures.
    """

    async def pass_on(context: Context, failure: Failure) -> Any:
        observe(failure)
        return None if hook is None else await hook(context, failure)

    return pass_on


def _local_time(seconds: float) -> str:
    """Return the local time in these seconds: `18:30`, and the day if that is another one."""
    now = datetime.now().astimezone()
    due = now + timedelta(seconds=seconds)
    return f"{due:%H:%M}" if due.date() == now.date() else f"{due:%Y-%m-%d %H:%M}"


def _duration(seconds: float) -> str:
    """Return a duration in days, hours, minutes and seconds: the two largest of them."""
    rest, parts = round(seconds), []
    for text, size in (("{0} d", 86_400), ("{0} h", 3600), ("{0} min", 60), ("{0} s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(translate(text, count))
    return " ".join(parts[:2]) or translate("{0} s", 0)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
