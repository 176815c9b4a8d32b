"""What each command does before its own work."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from vertexkit.cli.translation import translate, translate_sentence
from vertexkit.references import COMMAND_LINE_REFERENCE
from vertexkit.text import replace_surrogates

WITHOUT_WARNINGS = {"capture", "check", "doctor", "new", "platform", "run"}
"""Commands that use no settings, or that report the warnings about them in their own way."""


class Group(TyperGroup):
    """A command that has commands."""

    def get_params(self, ctx: Any) -> Any:
        """Return the options."""
        return _without_flag_types(super().get_params(ctx))


class RootGroup(Group):
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
        message = f"{translate_sentence(error.format_message())} [{COMMAND_LINE_REFERENCE}]"
        error.format_message = lambda: message  # pyrefly: ignore[method-assign]
        raise


class Command(TyperCommand):
    """A command whose texts UTF-8 can encode, and that warns of settings which have no effect.

    An argument whose bytes are not UTF-8 reaches Python with lone surrogates, which no journal, no
    platform and no terminal takes; they become U+FFFD.
    """

    def get_params(self, ctx: Any) -> Any:
        """Return the options and arguments."""
        return _without_flag_types(super().get_params(ctx))

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        for name, value in ctx.params.items():
            ctx.params[name] = _repaired(value)
        if self.name not in WITHOUT_WARNINGS:
            _print_warnings()
        return super().invoke(ctx)


def use_command_class(group: typer.Typer) -> None:
    """Make each command of a group, and of the groups in it, a `Command`; and these groups a `Group`."""
    for command in _commands(group):
        command.cls = Command
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            inner.typer_instance.info.cls = Group


def narrowed(group: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """Return the group with only the command that the words begin with, if they name one.

    typer examines the functions of all commands whenever it starts, which takes most of the time
    until a command runs. A help text or an error about the group needs all of them.

    Args:
        group: is not changed.
        words: of the command line, without the program.
    """
    kept = _named(group, words)
    return group if kept is None else kept


def _named(group: typer.Typer, words: Sequence[str]) -> typer.Typer | None:
    if not words:
        return None
    found = copy.copy(group)
    commands = [one for one in group.registered_commands if _command_name(one) == words[0]]
    if commands:
        found.registered_commands, found.registered_groups = commands, []
        return found
    for info in group.registered_groups:
        inner = info.typer_instance
        if inner is None:
            continue
        if not isinstance(inner.info.name, str):  # its commands are those of the group
            kept = _named(inner, words)
        else:
            kept = narrowed(inner, words[1:]) if inner.info.name == words[0] else None
        if kept is not None:
            only = copy.copy(info)
            only.typer_instance = kept
            found.registered_commands, found.registered_groups = [], [only]
            return found
    return None


def _command_name(command: Any) -> str:
    return command.name or typer.main.get_command_name(command.callback.__name__)


def _commands(group: typer.Typer) -> Iterator[Any]:
    yield from group.registered_commands
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            yield from _commands(inner.typer_instance)


def _without_flag_types(params: list[Any]) -> list[Any]:
    """Let the help show no type for flags: they take no value."""
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
    return params


def _repaired(value: Any) -> Any:
    """Repair a text or each text of a repeatable option. A path is used unchanged."""
    if isinstance(value, (list, tuple)):
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
