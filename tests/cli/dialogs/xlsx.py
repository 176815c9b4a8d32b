"""Reads a workbook with the standard library only, and so independently of what wrote it."""

from pathlib import Path
from xml.etree import ElementTree as ET
from zipfile import ZipFile

SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_xlsx(path: Path, sheet: int = 1) -> list[dict[str, str | None]]:
    """The rows of a worksheet, by the names in its first row; None for an empty cell."""
    with ZipFile(path) as book:
        root = ET.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    rows = [
        {cell.get("r", "").rstrip("0123456789"): "".join(cell.itertext()) for cell in row}
        for row in root.iter(f"{SPACE}row")
    ]
    head = rows[0]
    return [{name: row.get(letters) for letters, name in head.items()} for row in rows[1:]]
