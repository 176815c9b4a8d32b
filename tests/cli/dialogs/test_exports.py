"""`vertexkit dialogs export` against an independent server with the quirks of live platforms."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryFile
from typing import Any

import pytest

from tests import forked
from tests.botone.quirky_server import QuirkyServer, raw_answer, raw_dialog
from tests.cli.dialogs.xlsx import read_xlsx
from tests.cli.shell import Shell
from tests.testing.platform_server import served_in_thread
from vertexkit.system.file_lock import try_lock

Vertexkit = Callable[..., CompletedProcess[str]]
COUNT = 30


@pytest.fixture
def server() -> QuirkyServer:
    """Thirty dialogs with two answers each, in the zones of two platforms."""
    made = QuirkyServer(
        [
            raw_dialog(
                number,
                updated=f"2023-05-01T22:{number:02}:00{'-03:00' if number % 2 else '+03:00'}",
                location="Perm" if number % 3 else None,
                name=f"#{number} {'Perm' if number % 3 else 'Unknown'}",
                status="Оператор" if number % 5 == 0 else "completed",
                source="telegram" if number % 2 else "web",
                tags=["vip"],
            )
            for number in range(COUNT, 0, -1)
        ]
    )
    for dialog in made.dialogs:
        made.data[dialog["id"]] = [
            raw_answer("Как вас зовут?", f"Имя {dialog['name']}", variable="name"),
            raw_answer("Что нужно?", ["справка", "счёт"], score=5),
            raw_answer("Что нужно?", "другое"),
            raw_answer("status", "=1+1", variable="status"),
        ]
    return made


@pytest.fixture
def export(shell: Shell, server: QuirkyServer) -> Iterator[Vertexkit]:
    """Runs `vertexkit dialogs export` with the server's address."""
    with served_in_thread(server) as base:

        def run(*arguments: str, **settings: str) -> CompletedProcess[str]:
            known = {"platform_url": f"{base}/api", "login": "demo", "password": "demo"}
            return shell.run("dialogs", "export", "-o", *arguments, **(known | settings))

        yield run


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def id_of(server: QuirkyServer, index: int) -> str:
    key: str = server.dialogs[index]["id"]
    return key


@pytest.mark.unmeasured
def test_times_are_utc_in_each_kind_of_rows(export: Vertexkit, shell: Shell) -> None:
    """Whatever offsets the platform writes, files and standard output have the same UTC times."""
    for kind in ("dialogs", "answers", "wide", "whole"):
        done = export(f"{kind}.jsonl", "--rows", kind)
        assert done.returncode == 0, done.stderr
        rows = rows_in(shell.folder / f"{kind}.jsonl")
        assert {row["updated"][-6:] for row in rows} == {"+00:00"}
    printed = [json.loads(line) for line in export("-").stdout.splitlines()]
    assert printed == rows_in(shell.folder / "dialogs.jsonl")
    assert printed[0]["updated"] == "2023-05-01T19:30:00+00:00"
    assert printed[1]["updated"] == "2023-05-02T01:29:00+00:00"


def test_a_wide_table_has_a_column_for_each_question(export: Vertexkit, shell: Shell) -> None:
    """One row for each dialog; a variable, else the question, names the column."""
    done = export("a.xlsx", "--rows", "wide")
    assert done.stdout == "Wrote 30 rows to a.xlsx.\n"
    first = read_xlsx(shell.folder / "a.xlsx")[0]
    assert first["name"] == "Имя #30 Unknown"
    assert first["Что нужно?"] == "справка; счёт; другое"
    assert first["status (answer)"] == "=1+1"
    assert (first["status"], first["city"], first["number"]) == ("Оператор", None, "30")
    refused = export("-", "--rows", "wide")
    assert refused.returncode == 2
    assert "needs a file" in refused.stderr


def test_whole_rows_have_all_members(export: Vertexkit, shell: Shell, server: QuirkyServer) -> None:
    """Documented or not, readable or not: what the platform sent is in the file."""
    server.dialogs[0]["duration"] = "00:01:03"
    assert export("a.jsonl", "--rows", "whole").returncode == 0
    first = rows_in(shell.folder / "a.jsonl")[0]
    assert first["name"] == "#30 Unknown"
    assert (first["location"], first["city"]) == (None, None)
    assert first["other"] == {"tags": ["vip"], "duration": "00:01:03"}
    assert first["data"][1]["score"] == 5
    export("b.jsonl", "--rows", "answers")
    assert rows_in(shell.folder / "b.jsonl")[1]["other"] == {"score": 5}


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "filters, count",
    [
        (["--status", "operator"], 6),
        (["--status", "ОПЕРАТОР", "--status", "interrupted"], 6),
        (["--source", "Telegram"], 15),
        (["--city", "perm", "--source", "web"], 10),
        (["--variable", "name=имя #7 perm"], 1),
        (["--variable", "name=unknown"], 0),
    ],
)
def test_filters_that_the_platform_does_not_have(
    filters: list[str], count: int, export: Vertexkit, shell: Shell, server: QuirkyServer
) -> None:
    """By status in either language, by source, city and variable; without data if possible."""
    done = export("a.jsonl", *filters)
    assert done.returncode == 0, done.stderr
    assert len(rows_in(shell.folder / "a.jsonl")) == count
    assert bool(server.shown) == ("--variable" in filters)


def test_a_dialog_that_fails_is_listed_and_tried_again_last(
    export: Vertexkit, shell: Shell, server: QuirkyServer
) -> None:
    """The others are exported; a second run requests only what is missing, and completes the file."""
    bad = id_of(server, 3)
    server.answers[bad] = [500] * 10
    server.answers[id_of(server, 5)] = [404]
    done = export("a.jsonl", "--rows", "whole")
    assert done.returncode == 1
    assert f"the data of dialog {bad} could not be read: GET" in done.stderr
    assert "1 dialogs were deleted" in done.stderr
    assert "Rerun the command to request only what is missing" in done.stderr
    assert len(rows_in(shell.folder / "a.jsonl")) == COUNT
    server.shown.clear()
    again = export("a.jsonl", "--rows", "whole")
    assert again.returncode == 1
    assert set(server.shown) == {bad}
    server.answers.clear()
    server.shown.clear()
    final = export("a.jsonl", "--rows", "whole")
    assert final.returncode == 0, final.stderr
    assert server.shown == [bad]
    rows = {row["id"]: row for row in rows_in(shell.folder / "a.jsonl")}
    assert len(rows) == COUNT
    assert len(rows[bad]["data"]) == 4
    assert not list(shell.folder.glob("*.part"))


def interrupted(
    export: Vertexkit, server: QuirkyServer, shell: Shell, *arguments: str
) -> CompletedProcess[str]:
    """Export until the platform answers 401."""
    server.answers[id_of(server, 20)] = [401] * 9
    done = export("a.jsonl", "--rows", "whole", *arguments)
    assert done.returncode == 1
    assert (shell.folder / "a.jsonl.part").is_file()
    server.answers.clear()
    server.shown.clear()
    return done


@pytest.mark.unmeasured
def test_a_resumed_export_has_the_newer_version(
    export: Vertexkit, shell: Shell, server: QuirkyServer
) -> None:
    """A dialog that continued meanwhile is requested again; the others are not."""
    interrupted(export, server, shell)
    server.dialogs[2]["status"] = "interrupted"
    server.data[id_of(server, 2)] = [raw_answer("new", "answer")]
    done = export("a.jsonl", "--rows", "whole")
    assert done.returncode == 0, done.stderr
    assert "Resuming after the" in done.stderr
    assert id_of(server, 2) in server.shown
    assert id_of(server, 1) not in server.shown
    rows = {row["id"]: row for row in rows_in(shell.folder / "a.jsonl")}
    assert len(rows) == len(rows_in(shell.folder / "a.jsonl")) == COUNT
    assert rows[id_of(server, 2)]["status"] == "interrupted"
    assert rows[id_of(server, 2)]["data"][0]["question"] == "new"


def test_a_list_is_resumed_where_it_was_interrupted(
    export: Vertexkit, shell: Shell, server: QuirkyServer
) -> None:
    """Pages that were read are not requested again, but what was updated since; not after an hour."""
    server.page_limit = 5
    server.page_answers[5] = [401] * 9
    assert export("a.jsonl").returncode == 1
    part = shell.folder / "a.jsonl.part"
    content = part.read_bytes()
    server.page_answers.clear()
    server.grow()
    server.dialogs[3]["status"] = "interrupted"
    for age, pages in ((0, ["1", "4", "5", "6", "7"]), (3601, list("1234567"))):
        since = json.loads(content.splitlines()[1])["list"]["since"]
        part.write_bytes(content.replace(b"%r" % since, b"%r" % (since - age)))
        server.queries.clear()
        done = export("a.jsonl")
        assert (done.returncode, done.stdout) == (0, "Wrote 31 rows to a.jsonl.\n"), done.stderr
        assert "Resuming after the 20 dialogs" in done.stderr
        listed = [query for query in server.queries if "UpdatedFrom" not in query]
        # Pages are requested ahead, may arrive in any order, and even from the run that has ended.
        assert sorted({query["PageNumber"] for query in listed}) == pages
        assert (len(listed) < len(server.queries)) == (age == 0)
        rows = {row["id"]: row["status"] for row in rows_in(shell.folder / "a.jsonl")}
        assert rows[server.dialogs[3]["id"]] == "interrupted"
        assert len(rows) == 31


@pytest.mark.unmeasured
def test_an_incomplete_line_is_discarded(
    export: Vertexkit, shell: Shell, server: QuirkyServer
) -> None:
    """A process that was killed leaves half of a line: that dialog is requested again."""
    interrupted(export, server, shell)
    part = shell.folder / "a.jsonl.part"
    lines = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(b"".join(lines[:6]) + lines[6][:40])
    done = export("a.jsonl", "--rows", "whole")
    assert done.returncode == 0, done.stderr
    assert "Resuming after the 5 dialogs" in done.stderr
    # A request of the first run, which has ended, may still have arrived: each counts once.
    assert set(server.shown) == {dialog["id"] for dialog in server.dialogs[5:]}
    assert len(rows_in(shell.folder / "a.jsonl")) == COUNT


def test_other_options_are_another_export(
    export: Vertexkit, shell: Shell, server: QuirkyServer
) -> None:
    """The error says so, and --restart starts over; a file of something else is not overwritten."""
    interrupted(export, server, shell)
    other = export("a.jsonl", "--rows", "answers")
    assert other.returncode == 2
    assert "an export with other options" in other.stderr
    assert export("a.jsonl", "--rows", "answers", "--restart").returncode == 0
    (shell.folder / "b.jsonl.part").write_text("something else\n")
    strange = export("b.jsonl")
    assert strange.returncode == 2
    assert "is not an unfinished export" in strange.stderr


@pytest.mark.unmeasured
def test_a_resumed_export_never_mixes_platforms(
    export: Vertexkit, shell: Shell, server: QuirkyServer
) -> None:
    """Another address or another login is another export."""
    interrupted(export, server, shell)
    for settings in ({"login": "other"}, {"platform_url": "http://127.0.0.1:9/api"}):
        done = export("a.jsonl", "--rows", "whole", **settings)
        assert done.returncode == 2
        assert "from another platform" in done.stderr
    assert export("a.jsonl", "--rows", "whole").returncode == 0


def test_two_exports_into_one_file_are_refused(
    export: Vertexkit, shell: Shell, server: QuirkyServer
) -> None:
    """The second one changes nothing and says why."""
    interrupted(export, server, shell)
    part = shell.folder / "a.jsonl.part"
    content = part.read_bytes()
    with part.open("r+b") as held:
        assert try_lock(held)
        done = export("a.jsonl", "--rows", "whole", "--restart")
    assert done.returncode == 2
    assert "another process is exporting to a.jsonl" in done.stderr
    assert part.read_bytes() == content


@pytest.mark.unmeasured
@pytest.mark.parametrize("command", [["export", "-o", "a.jsonl"], ["report", "--json"], ["list"]])
def test_an_incomplete_list_is_said(command: list[str], server: QuirkyServer, shell: Shell) -> None:
    """A page that stays empty is a line on standard error and exit code 1; the rest is there."""
    server.page_limit = 10
    server.empty_pages[2] = 99
    with served_in_thread(server) as base:
        known = {"platform_url": f"{base}/api", "login": "demo", "password": "demo"}
        done = shell.run("dialogs", *command, **known)
    assert done.returncode == 1
    assert "incomplete: the platform reports 30 dialogs, and 20 could be read" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr


def test_a_reader_that_closes_the_pipe(server: QuirkyServer, shell: Shell) -> None:
    """Neither a traceback nor a message about connections is printed."""
    read, write = os.pipe()
    os.close(read)
    with served_in_thread(server) as base:
        settings = {"platform_url": f"{base}/api", "login": "demo", "password": "demo"}
        environment = shell.environment(
            **{f"VERTEXKIT_{k.upper()}": v for k, v in settings.items()}
        )
        done = run_with_stdout(shell.folder, environment, write)
    assert done == (1, "")


def run_with_stdout(folder: Path, environment: dict[str, str], stdout: int) -> tuple[int, str]:
    """Print an export to a file descriptor; return the exit code and the standard error."""
    arguments = ("dialogs", "export", "-o", "-")
    with Path(os.devnull).open("rb") as nothing, TemporaryFile() as errors:
        streams = nothing.fileno(), stdout, errors.fileno()
        process = forked.ForkedProcess("vertexkit", arguments, folder, environment, streams)
        os.close(stdout)
        try:
            code = process.wait(100)
        finally:
            process.close()
        errors.seek(0)
        return code, errors.read().decode()
