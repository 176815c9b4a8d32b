"""Pages that are generated from the code: the command line and the public names of Python."""

import inspect
from collections.abc import Iterator
from typing import Any

import typer

import vertexkit
import vertexkit.models
import vertexkit.testing
from vertexkit.cli.main import cli

TITLES = {
    "en": {
        "cli": "Command line",
        "cli_text": "`vertexkit COMMAND --help` prints the same. Exit codes: 0 success, 1 the command "
        "failed, 2 options, settings or inputs are wrong.",
        "option": "Option",
        "meaning": "Meaning",
        "api": "Python reference",
        "api_text": "Everything that can be imported from `vertexkit`, `vertexkit.models` and "
        "`vertexkit.testing`.",
        "errors": "Errors",
        "models": "Language models",
        "testing": "The testing kit",
        "functions": "Functions and classes",
        "types": "Types",
    },
    "ru": {
        "cli": "Командная строка",
        "cli_text": "То же самое печатает `vertexkit КОМАНДА --help`. Коды выхода: 0 — успех, 1 — "
        "команда завершилась неудачей, 2 — неверны параметры, настройки или входные данные. Тексты "
        "справки — на английском языке, как в программе.",
        "option": "Параметр",
        "meaning": "Значение",
        "api": "Справочник Python",
        "api_text": "Всё, что импортируется из `vertexkit`, `vertexkit.models` и "
        "`vertexkit.testing`. Описания — на английском языке, как в коде.",
        "errors": "Ошибки",
        "models": "Языковые модели",
        "testing": "Инструменты тестирования",
        "functions": "Функции и классы",
        "types": "Типы",
    },
}
"""The texts of the generated pages, by language."""


def command_line(language: str) -> str:
    """Return the page of all commands, as Markdown."""
    titles = TITLES[language]
    root = typer.main.get_command(cli)
    lines = [f"# {titles['cli']}", "", titles["cli_text"], ""]
    for name, command in _commands(root, "vertexkit"):
        context = command.make_context(name, [], resilient_parsing=True)
        lines += [f"## {name}", "", _plain(command.help), "", "```text"]
        lines += [f"{name} {' '.join(command.collect_usage_pieces(context))}", "```", ""]
        rows = list(_rows(command, context))
        if rows:
            lines += [f"| {titles['option']} | {titles['meaning']} |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for key, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{name} {key}")
        elif not command.hidden:
            yield f"{name} {key}", command


def _rows(command: Any, context: Any) -> Iterator[str]:
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None:
            option, meaning = (" ".join(text.split()).replace("|", "\\|") for text in record)
            yield f"| `{option}` | {meaning.replace('<', '&lt;')} |"


def _plain(text: str | None) -> str:
    return inspect.cleandoc(text or "").partition("\f")[0]


def python_names(language: str) -> str:
    """Return the page of all public names, as Markdown with directives of autodoc."""
    titles = TITLES[language]
    public = {name: getattr(vertexkit, name) for name in vertexkit.__all__}
    errors = [n for n, v in public.items() if inspect.isclass(v) and issubclass(v, BaseException)]
    documented = [n for n, v in public.items() if inspect.isclass(v) or inspect.isfunction(v)]
    others = [n for n in public if n not in documented]
    groups = {
        titles["functions"]: [n for n in documented if n not in errors],
        titles["types"]: others,
        titles["errors"]: errors,
    }
    lines = [f"# {titles['api']}", "", titles["api_text"], ""]
    for heading, names in groups.items():
        lines += [f"## {heading}", ""]
        for name in names:
            lines += _directive("vertexkit", name, public[name])
    for heading, module in (("models", vertexkit.models), ("testing", vertexkit.testing)):
        lines += [f"## {titles[heading]}", ""]
        for name in module.__all__:
            lines += _directive(module.__name__, name, getattr(module, name))
    return "\n".join(lines)


def _directive(module: str, name: str, value: Any) -> list[str]:
    lines = [f"### {name}", "", "```{eval-rst}"]
    if inspect.isclass(value):
        lines += [f".. autoclass:: {module}.{name}", "   :members:", "   :no-index-entry:"]
        lines += ["   :exclude-members: model_config"]
    elif inspect.isfunction(value):
        lines += [f".. autofunction:: {module}.{name}"]
    else:
        lines += [f".. autodata:: {module}.{name}", "   :no-value:"]
    return [*lines, "```", ""]
