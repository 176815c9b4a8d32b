"""Columns in the terminal, as wide as their widest text.

Widths are counted in cells of the terminal: a character can take two of them, or none.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Table:
    """The layout of a table.

    Attributes:
        columns: The names of the columns.
        coloured: The column whose cells are coloured.
        styles: The style of each value of that column.
        right: The columns that are aligned to the right.
    """

    columns: tuple[str, ...]
    coloured: str
    styles: Mapping[str, str]
    right: Collection[str] = field(default=frozenset())

    def lines(self, rows: Sequence[tuple[str, ...]]) -> tuple[Text, list[Text]]:
        """Format rows: the header line, and a line for each row."""
        widths = [max(map(cell_len, column)) for column in zip(self.columns, *rows, strict=True)]
        head = Text("  ".join(map(ljust, self.columns, widths)).rstrip(), "dim")
        return head, [self._line(row, widths) for row in rows]

    def _line(self, row: tuple[str, ...], widths: list[int]) -> Text:
        line = Text()
        for column, cell, width in zip(self.columns, row, widths, strict=True):
            style = self.styles.get(cell, "default") if column == self.coloured else "default"
            padded = rjust(cell, width) if column in self.right else ljust(cell, width)
            line.append(f"{padded}  ", style)
        line.rstrip()
        return line


def ljust(text: str, cells: int) -> str:
    """Add spaces after a text, up to a number of cells."""
    return text + " " * (cells - cell_len(text))


def rjust(text: str, cells: int) -> str:
    """Add spaces before a text, up to a number of cells."""
    return " " * (cells - cell_len(text)) + text
