"""Downloads from an independent server: broken connections, ranges, limits, several at a time."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.botone.quirky_server import QuirkyServer, RawFile, raw_answer, raw_dialog
from tests.cli.shell import Shell
from tests.testing.platform_server import served, served_in_thread
from vertexkit import BotOne, FileTooLarge, NotFound
from vertexkit.botone.partial_file import PartialFile
from vertexkit.cli.dialogs.download import DownloadOptions, FileDownload
from vertexkit.cli.dialogs.filters import DialogFilters
from vertexkit.errors import PlatformError
from vertexkit.testing import VirtualClock

CONTENT = bytes(range(256)) * 1024
CUTS = [100_000, 80_000, 50_000, 30_000, 1000, 500]


@pytest.fixture
def server() -> QuirkyServer:
    return QuirkyServer()


@pytest.fixture
async def bot(server: QuirkyServer) -> AsyncIterator[BotOne]:
    async with (
        served(server) as url,
        BotOne(f"{url}/api", "a", "b", clock=VirtualClock()) as made,
    ):
        yield made


def names_in(folder: Path) -> list[str]:
    return [found.name for found in folder.iterdir()]


@pytest.mark.parametrize("etag", ['"v1"', None])
async def test_a_broken_download_is_resumed(
    etag: str | None, server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """Each attempt asks for the rest, more often than a request without progress is retried."""
    server.files[8] = RawFile(CONTENT, etag=etag, cuts=list(CUTS))
    path = await bot.v2.download(8, tmp_path)
    assert path.read_bytes() == CONTENT
    assert [path.name] == names_in(tmp_path)
    starts = [0 if asked is None else int(asked[6:-1]) for asked in server.downloads]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert len(starts) == len(CUTS) + 1


async def test_a_platform_without_ranges_sends_the_whole_file(
    server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """The file is started over, and is not a mixture."""
    server.files[8] = RawFile(CONTENT, cuts=[100_000, 5], takes_ranges=False)
    assert (await bot.v2.download(8, tmp_path)).read_bytes() == CONTENT


async def test_a_file_that_changed_is_started_over(
    server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """A version of another ETag or length is never appended to the beginning of the old one."""
    for old, new in (('"v1"', '"v2"'), (None, None)):
        second = RawFile(CONTENT[:200_000][::-1], etag=new)
        server.files[8] = RawFile(CONTENT, etag=old, cuts=[100_000], next_version=second)
        path = await bot.v2.download(8, tmp_path / "file")
        assert path.read_bytes() == second.content
    assert len(server.downloads) == 5


async def test_without_progress_a_download_ends(
    server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """After five attempts that bring nothing, the error is raised, and no file is left."""
    server.files[8] = RawFile(CONTENT, cuts=[0] * 99)
    with pytest.raises(PlatformError, match="incomplete"):
        await bot.v2.download(8, tmp_path)
    assert len(server.downloads) == 5
    assert names_in(tmp_path) == []


async def test_the_limit_also_counts_what_was_resumed(
    server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """A file without a length that grows over the limit is not kept."""
    server.files[8] = RawFile(CONTENT)
    with pytest.raises(FileTooLarge, match=r"larger than the limit of 1,000 bytes"):
        await bot.v2.download(8, tmp_path, limit=1000)
    assert names_in(tmp_path) == []


NO_PROGRESS = [0] * 4


async def failing(bot: BotOne, folder: Path) -> None:
    with pytest.raises(PlatformError, match="incomplete"):
        await bot.v2.download(8, folder, resume=True)


async def test_a_download_is_resumed_by_the_next_one(
    server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """What was received is kept with its ETag; the next download asks for the rest alone."""
    server.files[8] = RawFile(CONTENT, etag='"v1"', cuts=[100_000, *NO_PROGRESS])
    await failing(bot, tmp_path)
    assert sorted(names_in(tmp_path)) == [".8.part", ".8.part.json"]
    received = (tmp_path / ".8.part").read_bytes()
    assert CONTENT.startswith(received)
    assert len(received) == 100_000
    server.downloads.clear()
    path = await bot.v2.download(8, tmp_path, resume=True)
    assert path.read_bytes() == CONTENT
    assert server.downloads == ["bytes=100000-"]
    assert names_in(tmp_path) == [path.name] == ["8-a.txt"]
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


async def test_a_killed_download_is_resumed(
    server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """Nothing has to be written at the end: the version is on the disk before the first byte."""
    server.files[8] = RawFile(CONTENT, etag='"v1"', cuts=[100_000, *NO_PROGRESS])
    await failing(bot, tmp_path)
    with (tmp_path / ".8.part").open("r+b") as part:  # less of it had reached the disk
        part.truncate(70_001)
    server.downloads.clear()
    assert (await bot.v2.download(8, tmp_path, resume=True)).read_bytes() == CONTENT
    assert server.downloads == ["bytes=70001-"]


@pytest.mark.parametrize(
    "second",
    [
        RawFile(CONTENT[::-1], etag='"v2"'),
        RawFile(CONTENT[:50_000], etag='"v2"'),
        RawFile(CONTENT[::-1], etag=None),
        RawFile(CONTENT[::-1], etag='"v1"', takes_ranges=False),
    ],
    ids=["another version", "a shorter one", "without an ETag", "without ranges"],
)
async def test_another_version_is_not_appended(
    second: RawFile, server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """The next download starts over if the file has changed, or if the platform knows no ranges."""
    server.files[8] = RawFile(CONTENT, etag='"v1"', cuts=[100_000, *NO_PROGRESS])
    await failing(bot, tmp_path)
    server.files[8] = second
    path = await bot.v2.download(8, tmp_path, resume=True)
    assert path.read_bytes() == second.content
    assert names_in(tmp_path) == [path.name]


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
async def test_without_a_strong_etag_nothing_is_kept(
    etag: str | None, server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """Whether the rest belongs to what was received could not be known."""
    server.files[8] = RawFile(CONTENT, etag=etag, cuts=[100_000, *NO_PROGRESS])
    await failing(bot, tmp_path)
    assert names_in(tmp_path) == []


async def test_what_another_platform_has_sent_is_not_resumed(
    server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """Two platforms may have a file of this number with the same ETag."""
    server.files[8] = RawFile(CONTENT, etag='"v1"', cuts=[100_000, *NO_PROGRESS])
    await failing(bot, tmp_path)
    version = tmp_path / ".8.part.json"
    version.write_text(version.read_text().replace("127.0.0.1", "other.bot.one"))
    server.downloads.clear()
    assert (await bot.v2.download(8, tmp_path, resume=True)).read_bytes() == CONTENT
    assert server.downloads == [None]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"url": 1', "\0"])
async def test_a_damaged_version_is_no_obstacle(
    content: str, server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """The file is requested whole."""
    server.files[8] = RawFile(CONTENT, etag='"v1"')
    (tmp_path / ".8.part").write_bytes(b"something")
    (tmp_path / ".8.part.json").write_text(content)
    assert (await bot.v2.download(8, tmp_path, resume=True)).read_bytes() == CONTENT
    assert names_in(tmp_path) == ["8-a.txt"]


async def test_a_file_that_is_gone_leaves_nothing(
    server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """Its beginning is of no use any more."""
    server.files[8] = RawFile(CONTENT, etag='"v1"', cuts=[100_000, *NO_PROGRESS])
    await failing(bot, tmp_path)
    del server.files[8]
    with pytest.raises(NotFound):
        await bot.v2.download(8, tmp_path, resume=True)
    assert names_in(tmp_path) == []


async def test_two_downloads_do_not_write_to_one_file(
    server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """The second one is refused while the first one runs."""
    server.files[8] = RawFile(CONTENT, etag='"v1"', cuts=[100_000, *NO_PROGRESS])
    await failing(bot, tmp_path)
    other = PartialFile.kept(tmp_path / ".8.part")
    assert (other.size, other.version is not None) == (100_000, True)
    with pytest.raises(BlockingIOError, match=r"another download uses .*\.8\.part"):
        await bot.v2.download(8, tmp_path, resume=True)
    other.close(keep=True)
    assert (await bot.v2.download(8, tmp_path, resume=True)).read_bytes() == CONTENT


@pytest.mark.parametrize("resume", [False, True])
async def test_windows_renames_and_removes_closed_files(
    resume: bool,
    server: QuirkyServer,
    bot: BotOne,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It refuses both while a file is open."""
    opened: list[PartialFile] = []
    replace, unlink = os.replace, Path.unlink
    prepare = PartialFile.__init__

    def noted(self: PartialFile, *args: Any) -> None:
        opened.append(self)
        prepare(self, *args)

    def replaced(source: Any, target: Any) -> None:
        assert opened[-1].file.closed
        replace(source, target)

    def unlinked(path: Path, missing_ok: bool = False) -> None:
        assert path.suffix == ".json" or opened[-1].file.closed
        unlink(path, missing_ok)

    monkeypatch.setattr("vertexkit.botone.partial_file.IS_WINDOWS", True)
    monkeypatch.setattr(PartialFile, "__init__", noted)
    monkeypatch.setattr(os, "replace", replaced)
    monkeypatch.setattr(Path, "unlink", unlinked)
    server.files[8] = RawFile(CONTENT, etag='"v1"', cuts=[100_000, *NO_PROGRESS])
    with pytest.raises(PlatformError, match="incomplete"):
        await bot.v2.download(8, tmp_path, resume=resume)
    assert (tmp_path / ".8.part").exists() == resume
    assert (await bot.v2.download(8, tmp_path, resume=resume)).read_bytes() == CONTENT
    assert names_in(tmp_path) == ["8-a.txt"]
    assert len(opened) == 2


async def test_the_command_resumes_between_runs(
    server: QuirkyServer, bot: BotOne, tmp_path: Path
) -> None:
    """A failed file is reported, and the next run of `dialogs files` requests its rest alone."""
    server.dialogs = [raw_dialog(8)]
    key = server.dialogs[0]["id"]
    server.data[key] = [raw_answer("File", "https://demo.bot.one/web/file/8")]
    server.files[8] = RawFile(CONTENT, etag='"v1"', cuts=[100_000, *NO_PROGRESS])
    options = DownloadOptions(DialogFilters(), (), tmp_path, 1024, 4)
    first = FileDownload(options)
    await first.run(bot)
    assert (first.downloaded, len(first.failures)) == (0, 1)
    server.downloads.clear()
    second = FileDownload(options)
    await second.run(bot)
    assert (second.downloaded, second.failures) == (1, [])
    assert server.downloads == ["bytes=100000-"]
    assert (tmp_path / key / "8-a.txt").read_bytes() == CONTENT


@pytest.fixture
def files(server: QuirkyServer) -> Iterator[str]:
    """Six dialogs with a file each; the third file does not exist."""
    server.dialogs = [raw_dialog(number) for number in range(1, 7)]
    for number, dialog in enumerate(server.dialogs, 1):
        link = f"https://demo.bot.one/web/file/{number}"
        server.data[dialog["id"]] = [raw_answer("File", link)]
        if number != 3:
            server.files[number] = RawFile(b"x" * 1000)
    with served_in_thread(server) as base:
        yield f"{base}/api"


@pytest.mark.unmeasured
def test_files_are_downloaded_at_the_same_time(
    files: str, server: QuirkyServer, shell: Shell
) -> None:
    """No more than the option allows; a file that the platform no longer has does not fail the run."""
    server.hold_downloads = 2
    known = {"platform_url": files, "login": "demo", "password": "demo"}
    for word in ("Downloaded 5 files", "Skipped 5 files"):
        done = shell.run("dialogs", "files", "--at-once", "2", "-o", "got", **known)
        assert done.returncode == 0, done.stdout + done.stderr
        assert word in done.stdout
        assert "1 file no longer on the platform" in done.stdout
    assert server.most_in_flight == 2


def test_the_limit_of_the_command(files: str, server: QuirkyServer, shell: Shell) -> None:
    """A larger file is a failure that names the option; 0 means unlimited."""
    server.files[1] = RawFile(b"x" * 2 * 1024 * 1024)
    known = {"platform_url": files, "login": "demo", "password": "demo"}
    done = shell.run("dialogs", "files", "--limit", "1", "-o", "got", **known)
    assert done.returncode == 1
    assert "it is larger than 1 MiB. To raise the limit, pass --limit" in done.stdout
    again = shell.run("dialogs", "files", "--limit", "0", "-o", "got", **known)
    assert again.returncode == 0
    assert again.stdout.startswith("Downloaded 1 file (2.1 MB)")
