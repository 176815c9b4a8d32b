"""Names that are not used, because they do not say what they name."""

import ast
from collections.abc import Iterable, Iterator

NAMES = {
    "House", "Backstage", "Facts", "Terms", "Active", "Book", "Turns", "Door", "Keeper", "Spool",
    "Shelf", "Wish", "Told", "Cutter", "Bots", "Switch", "Teller", "Wanted", "Diary", "Owner",
    "Peer", "Frames", "Gate", "Refusals", "Asked", "Archive", "Visit", "Said", "Moment",
    "hurry", "bury", "tell", "strike", "whose",
}  # fmt: skip
"""Names of classes, functions and methods that are not used, a leading underscore or not."""
MODULES = {
    "backstage", "active", "book", "calls", "orders", "questions", "place", "frames", "readings",
    "store", "tables", "turns", "door", "figures", "exposition", "bots", "keeper", "serving",
    "spool", "shown", "managed", "wanted", "rows", "sheets", "fault", "mask", "reach", "visits",
    "asked", "archive", "answers", "cutter", "units", "sentence", "chunks", "plain", "house",
    "shelf", "gate", "edge", "utils", "helpers", "common", "misc", "types",
}  # fmt: skip
"""Names of modules that are not used."""
BOTS = "vertexkit/testing/platform/bots.py"
"""The platform's bots: here the word is the platform's."""
VARIABLES = {"said", "told", "tell", "whose", "of", "each", "lines_up", "wish"}
"""Names of variables and parameters that do not say what the value is."""


def riddles(file: str, nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Names of a Python file that do not say what they name.

    Args:
        file: its path in the project.
        nodes: of its syntax tree.
    """
    module = file.rpartition("/")[2].removesuffix(".py")
    if module in MODULES and file != BOTS:
        yield f"{file}: module {module}"
    for node in nodes:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.name.strip("_") in NAMES:
                yield f"{file}:{node.lineno}: {node.name}"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            if node.id.strip("_") in VARIABLES:
                yield f"{file}:{node.lineno}: {node.id}"
        elif isinstance(node, ast.arg) and node.arg.strip("_") in VARIABLES:
            yield f"{file}:{node.lineno}: {node.arg}"
