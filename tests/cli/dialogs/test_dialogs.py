"""`vertexkit dialogs`, run as a process against a fake platform server."""

import csv
import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from pyarrow import parquet

from tests.cli.dialogs.xlsx import read_xlsx
from tests.cli.shell import Shell
from tests.testing.platform_server import served_in_thread
from vertexkit.testing import FakePlatform

Vertexkit = Callable[..., CompletedProcess[str]]


@pytest.fixture
def dialogs(shell: Shell) -> Iterator[Vertexkit]:
    """Runs the command with the login of the fake platform."""
    with served_in_thread(FakePlatform()) as base:

        def run(*arguments: str, stdin: str = "", **settings: str) -> CompletedProcess[str]:
            known = {"platform_url": f"{base}/api", "login": "demo", "password": "demo"}
            return shell.run("dialogs", *arguments, stdin=stdin, **(known | settings))

        yield run


def read_csv(path: Path) -> list[dict[str, str]]:
    text = path.read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(StringIO(text)))


def test_list_and_show(dialogs: Vertexkit) -> None:
    """`list` prints a table or JSON, and `show` prints a dialog with its answers."""
    listed = dialogs("list", "--bot", "698", "--limit", "3")
    assert listed.returncode == 0, listed.stderr
    head, *rows, foot = listed.stdout.splitlines()
    assert head.split() == ["id", "number", "city", "status", "source", "updated", "duration"]
    assert len(rows) == 3
    assert foot.endswith("Use --limit to show more.")
    found = [
        json.loads(line) for line in dialogs("list", "--json", "--limit", "200").stdout.splitlines()
    ]
    assert len(found) == 200
    completed = next(dialog for dialog in found if dialog["status"] == "completed")
    shown = dialogs("show", completed["id"])
    by_number = dialogs("show", completed["name"].partition(" ")[0])
    assert by_number.stdout == shown.stdout
    assert completed["name"] in shown.stdout
    whole = json.loads(dialogs("show", completed["id"], "--json").stdout)
    assert whole["data"][0]["question"].strip() in shown.stdout
    may = dialogs("list", "--created", "2023-05-01..2023-05-31", "--json", "--limit", "500")
    assert 0 < len(may.stdout.splitlines()) < 200
    assert [
        json.loads(one)["id"]
        for one in dialogs("list", "--api", "1", "--json", "--limit", "2").stdout.splitlines()
    ] == [222, 221]


def test_a_dialog_is_created_and_managed(dialogs: Vertexkit) -> None:
    """Each command changes the dialog and prints a confirmation."""
    created = json.loads(dialogs("create", "698", "-v", "name=Аня", "--start", "--json").stdout)
    uuid = created["dialog_uuid"]
    assert dialogs("stop", uuid).stdout.startswith("The bot has stopped")
    assert json.loads(dialogs("show", uuid, "--json").stdout)["status"] == "operator"
    assert dialogs("send", uuid, "-", stdin="Здравствуйте!\n").stdout == "The message was sent.\n"
    assert dialogs("start", uuid).stdout == "The bot continues the dialog.\n"
    assert dialogs("goto", uuid, "1446").stdout == "The dialog was moved to bot 1446.\n"
    assert (
        json.loads(dialogs("show", str(created["dialog_id"]), "--json").stdout)["status"]
        == "in-process"
    )
    waiting = dialogs("create", "698", "--api", "1")
    assert len(waiting.stdout.strip()) == 36
    assert "not started" in waiting.stderr


@pytest.mark.unmeasured
def test_export_writes_each_kind_of_file(dialogs: Vertexkit, shell: Shell) -> None:
    """JSON lines, CSV, Parquet and XLSX contain the same answers with correct Cyrillic."""
    chosen = ("--bot", "1446", "--created", "2023-05")
    for suffix in ("jsonl", "csv", "parquet", "xlsx"):
        done = dialogs("export", "-o", f"out.{suffix}", *chosen, "--rows", "answers")
        assert done.returncode == 0, done.stderr
    lines = (shell.folder / "out.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert any(row["question"] == "Как вас зовут?" for row in rows)
    table = parquet.read_table(shell.folder / "out.parquet").to_pylist()
    assert [row["dialog"] for row in table] == [row["dialog"] for row in rows]
    assert [row["question"] for row in read_xlsx(shell.folder / "out.xlsx")] == [
        row["question"] for row in rows
    ]
    csv_rows = read_csv(shell.folder / "out.csv")
    assert [row["question"] for row in csv_rows] == [row["question"] for row in rows]
    assert not list(shell.folder.glob("*.part"))
    whole = dialogs("export", "-o", "-", *chosen, "--rows", "whole")
    assert {row["dialog"] for row in rows} <= {
        json.loads(line)["id"] for line in whole.stdout.splitlines()
    }


@pytest.mark.unmeasured
def test_files_are_downloaded_once(dialogs: Vertexkit, shell: Shell) -> None:
    """Each file is in its dialog's folder; a second run downloads only missing files."""
    first = dialogs("files", "--bot", "1502", "-o", "got")
    assert first.returncode == 0, first.stdout + first.stderr
    downloaded = sorted(path for path in (shell.folder / "got").rglob("*") if path.is_file())
    assert downloaded
    assert first.stdout.startswith(f"Downloaded {len(downloaded)} files")
    downloaded[0].unlink()
    again = dialogs("files", "--bot", "1502", "-o", "got")
    assert again.stdout.startswith("Downloaded 1 file (")
    assert f"Skipped {len(downloaded) - 1} files" in again.stdout


def test_report_in_the_terminal_as_json_and_as_a_page(dialogs: Vertexkit, shell: Shell) -> None:
    """All three formats have the same figures."""
    figures = json.loads(
        dialogs(
            "report", "--bot", "698", "--bot", "1446", "--json", "--zone", "Europe/Moscow"
        ).stdout
    )
    assert {bot["name"] for bot in figures["bots"]["items"]} == {"698", "1446"}
    shown = dialogs("report", "--bot", "698", "--bot", "1446", "--lang", "en").stdout
    assert f"Dialogs {figures['dialogs']}" in shown
    page = dialogs("report", "--answers", "-o", "r.html", "--lang", "ru")
    assert page.stdout == "Wrote a report about 200 dialogs to r.html.\n"
    assert "Как вас зовут?" in (shell.folder / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["list", "--created", "May"], 2, "--created must be a date or a date with a time"),
        (["show", "abc"], 2, "is not a valid dialog ID"),
        (["show", "#9999"], 2, "no dialog that you can read has the number 9999"),
        (["show", "#abc"], 2, "or the number in the dialog's name as '#319'"),
        (["show", "99999999"], 1, "answered 404"),
        (["stop", "30"], 2, "is not a valid UUID"),
        (["create", "698", "-v", "name"], 2, "NAME=VALUE"),
        (["export", "-o", "a.doc"], 2, ".xlsx, .csv, .tsv, .jsonl"),
        (["export", "-o", "no/such/a.csv"], 2, "there is no folder"),
        (["report", "--zone", "Mars"], 2, "Europe/Moscow"),
    ],
)
def test_an_error_is_one_line_with_its_fix(
    arguments: list[str], code: int, message: str, dialogs: Vertexkit
) -> None:
    """The error is printed to stderr, and the exit code is 2 or 1."""
    done = dialogs(*arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_password_and_a_missing_one(dialogs: Vertexkit) -> None:
    """A wrong password is rejected by the platform; without one the error names the setting."""
    wrong = dialogs("list", password="let-me-in")
    assert wrong.returncode == 1
    assert "401" in wrong.stderr
    assert "let-me-in" not in wrong.stderr + wrong.stdout
    missing = dialogs("list", password="")
    assert missing.returncode == 2
    assert "VERTEXKIT_PASSWORD" in missing.stderr
