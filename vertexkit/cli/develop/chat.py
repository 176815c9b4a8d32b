"""`vertexkit chat`: run the blocks of an app many times in a row in the terminal."""

import asyncio
import math
import sys
from collections.abc import Mapping
from typing import Any

import structlog

from vertexkit.app import App
from vertexkit.blocks.registry import Block
from vertexkit.cli import output
from vertexkit.cli.develop.inputs import parse_value
from vertexkit.cli.develop.transcript import Transcript
from vertexkit.cli.develop.trigger import PATIENCE_SECONDS, TYPING_SECONDS
from vertexkit.cli.develop.waits import TerminalWaits
from vertexkit.cli.handler_runner import handler_runner
from vertexkit.cli.handler_settings import handler_settings
from vertexkit.cli.translation import translate, translate_sentence
from vertexkit.errors import SettingsError
from vertexkit.loading import find_app, find_block, suggestion
from vertexkit.playground.faults import DUPLICATE, FAULT_PRESETS, preset_rules, run_faults
from vertexkit.recordings.generated_test import CRASH
from vertexkit.telemetry import logs
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.dialog import FakeDialog
from vertexkit.testing.paced_clock import PacedClock
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.run import Run

COMMANDS = {
    "/again": "run the block again with the same inputs",
    "/block NAME": "choose another block",
    "/fault NAME": "simulate a fault in the next runs: {0}",
    "/help": "list these commands",
    "/quit": "end; so does Ctrl+D",
}
"""What can be typed instead of an input; {0} stands for the names of the faults."""
NO_FAULT = "none"


class Quit(Exception):
    """The user ends the chat."""


class Chat:
    """A chat with the blocks of an app.

    Args:
        app: has the blocks.
        block: is run first.
        transcript: prints the dialogs.
        fast: skip the time for typing, pauses and waits.
    """

    def __init__(self, app: App[Any], block: Block, transcript: Transcript, *, fast: bool) -> None:
        self.app = app
        self.block: Block = block
        self.transcript = transcript
        self.fast = fast
        self.fault: str = ""
        """Is simulated in the next runs; an empty text for none."""
        self.inputs: dict[str, Any] | None = None
        """Of the last run."""

    def loop(self) -> None:
        """Ask for inputs and run the block, until the user ends the chat."""
        clock = VirtualClock() if self.fast else PacedClock(max_pause=math.inf)
        platform = FakePlatform(clock=clock, typing_seconds=0.0 if self.fast else TYPING_SECONDS)
        platform.subscribe(self.transcript.request, arrivals=True)
        dialog = FakeDialog(
            self.app,
            platform,
            patience=PATIENCE_SECONDS,
            virtual_sleep=False,
            **handler_settings(),
        )
        with handler_runner() as runner:
            runner.run(dialog.__aenter__())
            try:
                runner.run(self._subscribe(dialog))
                while True:
                    inputs = self._ask_inputs()
                    if inputs is not None:
                        runner.run(self._run(dialog, inputs))
            except (Quit, EOFError):
                output.echo("")
            finally:
                self.transcript.stop_typing()
                runner.run(dialog.__aexit__(None, None, None))

    async def _subscribe(self, dialog: FakeDialog) -> None:
        dialog.subscribe(self.transcript.event)

    def _ask_inputs(self) -> dict[str, Any] | None:
        """Ask for each input; None if a command was typed that runs nothing."""
        schema = self.block.signature.input_schema()
        inputs: dict[str, Any] = {}
        fields: Mapping[str, Any] = schema.get("properties", {})
        if not fields:
            text = self._ask(translate("{0}, press Enter", self.block.name))
            if text.startswith("/"):
                return self._command(text)
        for name, description in fields.items():
            required = name in schema.get("required", [])
            text = self._ask(_prompt(name, description, required=required))
            if text.startswith("/"):
                return self._command(text)
            if text or required:
                inputs[name] = parse_value(text, schema, name)
        return inputs

    def _ask(self, prompt: str) -> str:
        fault = f" [{self.fault}]" if self.fault else ""
        return input(f"{self.block.name}{fault}  {prompt}> ").strip()

    def _command(self, text: str) -> dict[str, Any] | None:
        """Do what a command says; return inputs if the block is to be run."""
        name, _, argument = text.partition(" ")
        argument = argument.strip()
        match name:
            case "/quit":
                raise Quit
            case "/again" if self.inputs is not None:
                return self.inputs
            case "/again":
                output.echo(f"  {translate('there was no run yet')}")
            case "/block":
                self._choose_block(argument)
            case "/fault":
                self._choose_fault(argument)
            case "/help":
                faults = ", ".join([*FAULT_PRESETS, NO_FAULT])
                for command, meaning in COMMANDS.items():
                    output.echo(f"  {command:<13}{translate(meaning, faults)}")
            case _:
                known = [command.partition(" ")[0] for command in COMMANDS]
                output.echo(
                    f"  {translate('{0} is not a command.{1} See /help', name, suggestion(name, known))}"
                )
        return None

    def _choose_block(self, name: str) -> None:
        try:
            self.block = find_block(self.app, name)
        except SettingsError as error:
            output.echo(f"  {translate_sentence(str(error))}")
        else:
            self.inputs = None

    def _choose_fault(self, name: str) -> None:
        if name == NO_FAULT:
            self.fault = ""
        elif name in FAULT_PRESETS:
            self.fault = name
        else:
            close = suggestion(name, FAULT_PRESETS)
            faults = ", ".join([*FAULT_PRESETS, NO_FAULT])
            output.echo(
                f"  {translate('{0} is not a fault.{1} Choose one of: {2}', repr(name), close, faults)}"
            )

    async def _run(self, dialog: FakeDialog, inputs: dict[str, Any]) -> None:
        """Run the block once and print the dialog."""
        self.inputs = inputs
        block, platform = self.block, dialog.platform
        token = platform.issue(block.name)
        faults = run_faults(preset_rules(self.fault, 1))
        if faults.platform:
            platform.plan_faults(token, faults.platform)
        self.transcript.call(block.name, inputs)
        reader = None if self.fast or not sys.stdin.isatty() else _read_event
        started, known = dialog.clock.now(), len(platform.violations)
        async with TerminalWaits(dialog, (block.name, token), {}, self.transcript, reader):
            calls = [
                dialog.call(
                    block.name,
                    inputs,
                    token,
                    crash_after=1 if self.fault == CRASH else None,
                )
            ]
            if self.fault == DUPLICATE:
                calls.append(dialog.call(block.name, inputs, token))
            run = await self._first(calls)
        if run is not None:
            if run.error is not None:
                self.transcript.error(run.error)
            self.transcript.end(run, dialog.clock.now() - started)
        for sentence in platform.violations[known:]:
            self.transcript.violation(sentence)

    async def _first(self, calls: list[Any]) -> Run | None:
        """Wait for all calls; return the record of the first one."""
        try:
            runs = await asyncio.gather(*calls)
        except AssertionError as error:  # the ordered crash did not happen
            self.transcript.violation(str(error))
            return None
        first: Run = runs[0]
        return first


def _read_event(event: str) -> str:
    return input(f"        {event or 'time'}> ")


def _prompt(name: str, description: Mapping[str, Any], *, required: bool) -> str:
    kind = description.get("type", "")
    shown = f"{name} ({kind})" if isinstance(kind, str) and kind else name
    if required:
        return shown
    default = description.get("default")
    return f"{shown} = {output.to_json_text(default, sys.stdout)}"


def run_chat(target: str | None, block: str | None, *, fast: bool, debug: bool = False) -> None:
    """Run blocks until the user ends the chat.

    Args:
        target: The app, as `find_app` takes it.
        block: The first block; by default the app's first one.
        fast: Skip the time for typing, pauses and waits.
        debug: Print full tracebacks.

    Raises:
        SettingsError: The app or the block cannot be found.
    """
    if not structlog.is_configured():
        logs.configure("console", "info", sys.stderr.buffer, ("vertexkit",), bare=True)
    name, app = find_app(target)
    if not app.blocks:
        find_block(app, None)
    first = find_block(app, block or next(iter(app.blocks)))
    output.echo(
        translate("{0}: {1}. Ctrl+D ends, /help lists the commands.", name, ", ".join(app.blocks))
    )
    Chat(app, first, Transcript(output.console(), debug=debug), fast=fast).loop()
