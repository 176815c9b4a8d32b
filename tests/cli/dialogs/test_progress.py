"""The progress bars of `dialogs export`, `files` and `report`."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.text import Text

from tests.botone.quirky_server import QuirkyServer, RawFile, raw_answer, raw_dialog
from tests.testing.platform_server import served_in_thread
from vertexkit.cli.dialogs.download import DownloadOptions, download_files
from vertexkit.cli.dialogs.export import ExportOptions, export_dialogs
from vertexkit.cli.dialogs.filters import DialogFilters
from vertexkit.cli.dialogs.options import ReportOptions
from vertexkit.cli.dialogs.progress import dialog_progress
from vertexkit.cli.dialogs.report import report_dialogs

COUNT = 30


class Terminal(io.StringIO):
    """Standard error of a terminal, once a test attaches it: pytest replaces it before each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._monkeypatch = monkeypatch

    def attach(self) -> None:
        """Let standard error be this terminal, with an empty screen."""
        self.seek(0)
        self.truncate()
        self._monkeypatch.setattr(sys, "stderr", self)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        """What was shown, without colours."""
        return Text.from_ansi(self.getvalue()).plain


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    """A terminal in an empty folder, outside of CI."""
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("TERM", "xterm-256color"), ("COLUMNS", "100"), ("LC_ALL", "C.UTF-8")):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch)


@pytest.fixture(scope="module")
def server() -> QuirkyServer:
    """Thirty dialogs; each has a file."""
    made = QuirkyServer([raw_dialog(number) for number in range(COUNT, 0, -1)])
    for number, dialog in enumerate(made.dialogs, 1):
        made.data[dialog["id"]] = [raw_answer("File", f"https://demo.bot.one/web/file/{number}")]
        made.files[number] = RawFile(b"x")
    return made


@pytest.fixture
def platform(server: QuirkyServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings of a client of the server."""
    with served_in_thread(server) as base:
        monkeypatch.setenv("VERTEXKIT_PLATFORM_URL", f"{base}/api")
        monkeypatch.setenv("VERTEXKIT_LOGIN", "demo")
        monkeypatch.setenv("VERTEXKIT_PASSWORD", "demo")
        yield


def export(output: str, *, quiet: bool = False, filters: DialogFilters | None = None) -> int:
    options = ExportOptions(
        filters or DialogFilters(), Path(output), "dialogs", None, False, False, quiet
    )
    return export_dialogs(options)


def test_a_bar_has_the_count_and_the_total(terminal: Terminal) -> None:
    """It starts with what an earlier run has done, and disappears at the end."""
    terminal.attach()
    with dialog_progress(10, lambda: 40) as advance:
        for _ in range(20):
            advance(1)
    assert "dialogs" in terminal.text()
    assert "30/40" in terminal.text()
    assert terminal.getvalue().endswith("\x1b[2K")


@pytest.mark.unmeasured
@pytest.mark.usefixtures("platform")
def test_an_export_shows_a_bar_on_standard_error(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    """The total comes from the platform; filters that it does not have leave it open."""
    terminal.attach()
    assert export("a.csv") == 0
    assert f"{COUNT}/{COUNT}" in terminal.text()
    assert capsys.readouterr().out == "Wrote 30 rows to a.csv.\n"
    terminal.attach()
    assert export("b.csv", filters=DialogFilters(cities=("nowhere",))) == 0
    assert "0/?" in terminal.text()


@pytest.mark.usefixtures("platform")
def test_rows_in_a_pipe_have_a_bar_and_rows_in_a_terminal_none(
    terminal: Terminal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar among the rows would be unreadable."""
    terminal.attach()
    assert export("-") == 0
    assert f"{COUNT}/{COUNT}" in terminal.text()
    terminal.attach()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert export("-") == 0
    assert terminal.getvalue() == ""
    assert len(capsys.readouterr().out.splitlines()) == 2 * COUNT


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize(
    "name, value", [("CI", "true"), ("TERM", "dumb"), ("quiet", ""), ("pipe", "")]
)
def test_nothing_is_shown_where_nobody_looks(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """In CI, in a terminal without control codes, in a pipe, and with --quiet."""
    terminal.attach()
    if name == "pipe":
        monkeypatch.setattr(terminal, "isatty", lambda: False)
        monkeypatch.setenv("FORCE_COLOR", "1")  # CI systems set it for coloured logs
    elif value:
        monkeypatch.setenv(name, value)
    assert export("a.csv", quiet=name == "quiet") == 0
    assert terminal.getvalue() == ""


@pytest.mark.usefixtures("platform")
def test_downloads_have_a_bar_for_dialogs_and_one_for_files(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json there is none."""
    terminal.attach()
    assert download_files(DownloadOptions(DialogFilters(), (), Path("got"), 1, 4)) == 0
    lines = [line.split() for line in terminal.text().splitlines()]
    for name in ("dialogs", "files"):
        assert any(line[0] == name and f"{COUNT}/{COUNT}" in line for line in lines if line)
    assert "Downloaded 30 files" in capsys.readouterr().out
    terminal.attach()
    options = DownloadOptions(DialogFilters(), (), Path("got"), 1, 4, as_json=True)
    assert download_files(options) == 0
    assert terminal.getvalue() == ""


@pytest.mark.usefixtures("platform")
def test_a_report_shows_a_bar(terminal: Terminal) -> None:
    """It counts dialogs by pages. With --json there is none."""
    terminal.attach()
    assert report_dialogs(DialogFilters(), ReportOptions(output=Path("report.html"))) == 0
    assert f"{COUNT}/{COUNT}" in terminal.text()
    terminal.attach()
    assert report_dialogs(DialogFilters(), ReportOptions(as_json=True)) == 0
    assert terminal.getvalue() == ""
