"""What each command does before its own work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from vertexkit.cli.translation import translate, translate_sentence
from vertexkit.references import COMMAND_LINE_REFERENCE
from vertexkit.text import replace_surrogates

WITHOUT_WARNINGS = {"capture", "check", "new", "platform", "run"}
"""Commands that use no settings, or that report the warnings about them in their own way."""


class RootGroup(TyperGroup):
    """The command `vertexkit`. What it prints about a wrong command line ends with a code."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the options before the command."""
        with _with_reference():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Read the options of the command, and run it."""
        with _with_reference():
            return super().invoke(ctx)


@contextmanager
def _with_reference() -> Iterator[None]:
    """End the message of an error of the command line with its code in docs/errors.md."""
    try:
        yield
    except TyperException as error:
        message = f"{error.format_message()} [{COMMAND_LINE_REFERENCE}]"
        error.format_message = lambda: message  # type: ignore[method-assign]
        raise


class Command(TyperCommand):
    """A command whose texts UTF-8 can encode, and that warns of settings which have no effect.

    An argument whose bytes are not UTF-8 reaches Python with lone surrogates, which no journal, no
    platform and no terminal takes; they become U+FFFD.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        for name, value in ctx.params.items():
            ctx.params[name] = _repaired(value)
        if self.name not in WITHOUT_WARNINGS:
            _print_warnings()
        return super().invoke(ctx)


def use_command_class(group: typer.Typer) -> None:
    """Make each command of a group, and of the groups in it, a `Command`."""
    for command in _commands(group):
        command.cls = Command


def _commands(group: typer.Typer) -> Iterator[Any]:
    yield from group.registered_commands
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            yield from _commands(inner.typer_instance)


def _repaired(value: Any) -> Any:
    """Repair a text or each text of a repeatable option. A path is used unchanged."""
    if isinstance(value, list | tuple):
        return [_repaired(item) for item in value]
    return replace_surrogates(value) if isinstance(value, str) else value


def _print_warnings() -> None:
    from vertexkit.errors import SettingsError
    from vertexkit.settings import new_warnings

    try:
        warnings = new_warnings()
    except SettingsError:
        return  # the command itself reads the settings, and raises this error if it needs them
    for sentence in warnings:
        warning = translate_sentence(replace_surrogates(sentence))
        typer.echo(translate("vertexkit: warning: {0}", warning), err=True)
