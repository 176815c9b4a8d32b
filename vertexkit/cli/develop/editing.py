"""Inputs of a block, edited as JSON in the user's editor."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, cast

import click
import typer

from vertexkit.cli import output
from vertexkit.cli.check.example_inputs import example_inputs
from vertexkit.cli.translation import translate, translate_sentence
from vertexkit.errors import SettingsError
from vertexkit.text import decode_file, encodable


def prefilled_inputs(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs that an editor shows first, in the order of the schema.

    Args:
        schema: The JSON Schema of the block's inputs. An input that is not given has its example,
            or else its default.
        given: Inputs of the command line.
    """
    fields = schema.get("properties", {})
    defaults = {name: field["default"] for name, field in fields.items() if "default" in field}
    values = defaults | example_inputs(schema) | dict(given)
    return {name: values[name] for name in fields if name in values} | values


def edit_inputs(
    inputs: Mapping[str, Any], find_problems: Callable[[dict[str, Any]], list[str]]
) -> dict[str, Any]:
    """Let the user edit inputs until they are valid.

    The editor is the program in VISUAL or EDITOR, or one that the system has. Whatever is wrong with
    the text is printed to standard error, and the editor can be opened again with the same text.

    Args:
        inputs: Shown first.
        find_problems: Returns a sentence for each thing that is wrong with inputs.

    Returns:
        The edited inputs. A file that is closed unchanged has those that were shown.

    Raises:
        SettingsError: There is no terminal or no editor, the file was emptied, or the user does not
            correct the inputs.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise SettingsError(
            "--edit opens an editor in the terminal, but standard input or output is not a terminal. "
            "In a script, use vertexkit trigger with -i or --file"
        )
    content = json.dumps(inputs, ensure_ascii=False, indent=2).encode() + b"\n"
    while True:
        content = _open_editor(content)
        if not content.strip():
            raise SettingsError("the editor saved an empty file, so the block was not run")
        edited, problems = _parse(content)
        problems = problems or find_problems(edited)
        if not problems:
            return edited
        for problem in problems:
            output.echo(f"  {translate_sentence(problem)}", err=True)
        if not asks_to_edit_again():
            raise SettingsError("the inputs are invalid, so the block was not run")


def asks_to_edit_again() -> bool:
    """Ask whether the editor is to be opened again."""
    return typer.confirm(translate("Open the editor again?"), default=True, err=True)


def _open_editor(content: bytes) -> bytes:
    try:
        edited = click.edit(content, extension=".json", require_save=False)
    except (click.ClickException, ValueError) as error:  # ValueError: quotes that are not closed
        reason = error.message if isinstance(error, click.ClickException) else str(error)
        raise SettingsError(
            f"the inputs cannot be edited: {reason}. Set EDITOR to an editor that runs until the file "
            "is closed, for example EDITOR=nano or EDITOR='code --wait'"
        ) from None
    return cast("bytes", edited)


def _parse(content: bytes) -> tuple[dict[str, Any], list[str]]:
    """Return the inputs in a file, and what is wrong with it."""
    try:
        inputs = json.loads(decode_file(content))
    except UnicodeDecodeError:
        return {}, ["the file is not UTF-8. Save it as UTF-8"]
    except ValueError as error:
        return {}, [f"the file is not valid JSON: {error}"]
    if not isinstance(inputs, dict):
        return {}, ['the file must contain a JSON object, for example {"name": "Anna"}']
    return dict(encodable(inputs)), []
