"""A document that the user has uploaded is read: how many lines it has, and what they sum up to."""

import csv
from decimal import Decimal, InvalidOperation
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, Field

from vertexkit import App, BlockFailed, SyncContext

app = App()

LARGEST = 5_000_000
"""Bytes: nobody types that many expenses."""


class Statement(BaseModel):
    lines: int = Field(title="Строк")
    total: Decimal = Field(title="Сумма")


@app.block("document", title="Прочитать выписку", timeout=60)
def document(ctx: SyncContext) -> Statement:
    """A plain function: reading a file blocks, and so it has a thread of its own."""
    files = ctx.dialog.conversation().files
    if not files:
        raise BlockFailed("no_file", "Пришлите выписку файлом CSV.")
    ctx.send_message("Читаю выписку…")
    with TemporaryDirectory() as folder:
        statement = read(ctx.dialog.download(files[-1], folder, limit=LARGEST))
    ctx.send_message(f"Строк: {statement.lines}, сумма: {statement.total} ₽")
    return statement


def read(path: Path) -> Statement:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            sums = [row["Сумма"] for row in csv.DictReader(file, delimiter=";")]
        amounts = [Decimal(each.replace(",", ".")) for each in sums]
    except (UnicodeDecodeError, csv.Error, KeyError, InvalidOperation, AttributeError):
        raise BlockFailed(
            "not_readable", "Это не выписка: нужен CSV со столбцом «Сумма»."
        ) from None
    return Statement(lines=len(amounts), total=sum(amounts, Decimal()))
