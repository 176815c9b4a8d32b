"""A bank statement: reads a file that the user has uploaded, and sums up its rows."""

import csv
from decimal import Decimal, InvalidOperation
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, Field

from vertexkit import App, BlockFailed, SyncContext

app = App()

MAX_FILE_BYTES = 5_000_000


class Statement(BaseModel):
    lines: int = Field(title="Строк")
    total: Decimal = Field(title="Сумма")


@app.block("document", title="Прочитать выписку", timeout=60)
def document(ctx: SyncContext) -> Statement:
    """Read a statement. A plain function runs in a thread, so it may block on a file."""
    files = ctx.dialog.conversation().files
    if not files:
        raise BlockFailed("no_file", "Пришлите выписку файлом CSV.")
    ctx.send_message("Читаю выписку…")
    with TemporaryDirectory() as folder:
        statement = read(ctx.dialog.download(files[-1], folder, limit=MAX_FILE_BYTES))
    ctx.send_message(f"Строк: {statement.lines}, сумма: {statement.total} ₽")
    return statement


def read(path: Path) -> Statement:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            column = [row["Сумма"] for row in csv.DictReader(file, delimiter=";")]
        amounts = [Decimal(amount.replace(",", ".")) for amount in column]
    except (UnicodeDecodeError, csv.Error, KeyError, InvalidOperation, AttributeError):
        raise BlockFailed(
            "not_readable", "Не удалось прочитать выписку: нужен файл CSV со столбцом «Сумма»."
        ) from None
    return Statement(lines=len(amounts), total=sum(amounts, Decimal()))
