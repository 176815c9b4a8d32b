"""Downloads of files."""

import asyncio
import os
import re
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.botone.fake_api import client_of, platform_of, requested_methods
from tests.testing.platform_server import served
from vertexkit import BotOne
from vertexkit.botone.filenames import filename_in, sanitized_filename
from vertexkit.errors import FileTooLarge, NotFound, SendOutcomeUnknown

MEGABYTE = 1024 * 1024


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@asynccontextmanager
async def serving(serve: Any) -> AsyncIterator[BotOne]:
    """Return the client of a platform with one test's files, over a socket."""
    app: Any = Starlette(routes=[Route("/v1/file/{key}", serve)])
    async with served(app) as url, BotOne(url, "a", "b") as bot:
        yield bot


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_file_comes_to_disk_under_its_name(version: str, tmp_path: Path) -> None:
    """Methods 4 and 13: the target is a folder, for id and name, or the path of the file."""
    platform = platform_of()
    file = platform.conversations.add_file("паспорт.png", b"\x89PNG", "image/png")
    async with client_of(platform) as bot:
        part = getattr(bot, version)
        there = await part.download(file.id, tmp_path)
        assert there == tmp_path / f"{file.id}-паспорт.png"
        assert there.read_bytes() == b"\x89PNG"
        named = await part.download(file.id, tmp_path / "copy.png")
        assert named.read_bytes() == b"\x89PNG"
        with pytest.raises(NotFound):
            await part.download(999_999_999, tmp_path)
    assert listed(tmp_path) == [there.name, "copy.png"]
    platform.check()


async def test_an_incomplete_file_is_downloaded_again(tmp_path: Path) -> None:
    """After an incomplete response the file is requested again, and no part is left."""
    platform = platform_of()
    file = platform.conversations.add_file("a.bin", b"x" * 100_000)
    platform.fail("v2.download", kind="half", times=2)
    platform.fail("v2.download", status=503)
    async with client_of(platform) as bot:
        there = await bot.v2.download(file.id, tmp_path)
        assert there.stat().st_size == 100_000
        platform.fail("v2.download", kind="half", times=5)
        with pytest.raises(SendOutcomeUnknown):
            await bot.v2.download(file.id, tmp_path / "b.bin")
    assert listed(tmp_path) == [there.name]
    assert requested_methods(platform) == ["v2.download"] * 9


@pytest.mark.parametrize("announced", [True, False])
async def test_a_file_above_the_limit_leaves_nothing(announced: bool, tmp_path: Path) -> None:
    """The existing file is kept, whether the platform announces the size or not."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536
            await asyncio.sleep(
                0
            )  # without this, uvicorn's send never yields after the client has left

    async def serve(request: Request) -> Response:
        return Response(b"x" * 2000) if announced else StreamingResponse(endless())

    (tmp_path / "kept").write_text("before")
    async with serving(serve) as bot:
        with pytest.raises(FileTooLarge, match="1,000 bytes"):
            await bot.v1.download(1, tmp_path / "kept", limit=1000)
    assert listed(tmp_path) == ["kept"]
    assert (tmp_path / "kept").read_text() == "before"


@pytest.mark.unmeasured
async def test_a_large_file_needs_little_memory(tmp_path: Path) -> None:
    """A file of 64 MB is written in parts."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield bytes(MEGABYTE)

    async def serve(request: Request) -> Response:
        return StreamingResponse(pieces())

    async with serving(serve) as bot:
        tracemalloc.start()
        try:
            there = await bot.v1.download(1, tmp_path)
            assert tracemalloc.get_traced_memory()[1] < 16 * MEGABYTE
        finally:
            tracemalloc.stop()
    assert there.name == "1-file"
    assert there.stat().st_size == 64 * MEGABYTE


async def test_a_cancelled_download_leaves_nothing(tmp_path: Path) -> None:
    """A download that is cancelled in the middle leaves neither a part nor an open file."""
    arrived, never = asyncio.Event(), asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * MEGABYTE
        arrived.set()
        await never.wait()

    async def serve(request: Request) -> Response:
        return StreamingResponse(pieces())

    (tmp_path / "kept").write_text("before")
    async with serving(serve) as bot:
        downloading = asyncio.create_task(bot.v1.download(1, tmp_path / "kept"))
        await arrived.wait()
        async with asyncio.timeout(60):
            while len(listed(tmp_path)) == 1:  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.001)
        downloading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await downloading
        assert listed(tmp_path) == ["kept"]
        assert (tmp_path / "kept").read_text() == "before"
        never.set()


async def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power loss after the download does not leave an empty file: its content is synced first."""
    synced: list[tuple[int, bool]] = []
    sync = os.fsync

    def watched(descriptor: int) -> None:
        sync(descriptor)
        synced.append((os.fstat(descriptor).st_size, (tmp_path / "a.bin").exists()))

    monkeypatch.setattr(os, "fsync", watched)
    platform = platform_of()
    file = platform.conversations.add_file("a.bin", b"x" * 100_000)
    async with client_of(platform) as bot:
        await bot.v2.download(file.id, tmp_path / "a.bin")
    assert synced == [(100_000, False)]


async def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """The operating system's error names the path."""
    platform = platform_of()
    file = platform.conversations.add_file("a", b"")
    async with client_of(platform) as bot:
        with pytest.raises(FileNotFoundError, match="missing"):
            await bot.v1.download(file.id, tmp_path / "missing" / "a")


@pytest.mark.parametrize(
    "name, safe",
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\a\\отчёт.pdf", "отчёт.pdf"),
        ("..", "file"),
        ("", "file"),
        ("CON", "CON_"),
        ('a"b<c>|?*.txt', "abc.txt"),
        ("a\u202egpj.exe", "a gpj.exe"),
        ("line\nfeed.txt", "line feed.txt"),
        (".bashrc", "bashrc"),
        ("name. ", "name"),
        ("ж" * 300 + ".pdf", "ж" * 98 + ".pdf"),
        ("x" * 300, "x" * 200),
    ],
)
def test_file_names_are_sanitised(name: str, safe: str) -> None:
    """A name has no folders, control characters or leading dots, and is not too long."""
    assert sanitized_filename(name) == safe
    assert len(f"{10**18}-{safe}".encode()) < 255


WINDOWS_DEVICES = re.compile(
    r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|con(in|out)\$)", re.IGNORECASE
)
"""Names that Windows does not give to files, with or without an ending."""
HOSTILE_CHARACTERS = st.sampled_from('.\\/:*?"<>|\0\x1f\u202e aяЖ😀\ud800 \t\n%~$')
"""Those with a meaning for some file system or terminal."""
DEVICE_NAMES = st.sampled_from(["CON", "nul", "Com1", "LPT9", "COM¹", "AUX", "prn", "CONIN$"])


@pytest.mark.unmeasured
@given(
    st.lists(HOSTILE_CHARACTERS | DEVICE_NAMES | st.characters(), max_size=12).map("".join)
    | st.tuples(DEVICE_NAMES, st.sampled_from(["", ".txt", ".tar.gz", " .txt", ". ", ":a"])).map(
        "".join
    )
)
@settings(max_examples=150)
def test_a_name_is_safe_on_windows_too(name: str) -> None:
    """No device, no stream, no folder, no character or end that Windows forbids."""
    safe = sanitized_filename(name)
    for folder in (PureWindowsPath("C:/files"), PurePosixPath("/files")):
        assert (folder / safe).parent == folder
        assert (folder / safe).name == safe
    assert not set(safe) & set('<>:"/\\|?*')
    assert all(character >= " " for character in safe)
    assert safe[-1] not in ". "
    assert not WINDOWS_DEVICES.fullmatch(safe.partition(".")[0].strip())


@pytest.mark.parametrize(
    "header, name",
    [
        ("attachment; filename*=UTF-8''%D0%BE%D1%82%D1%87.pdf", "отч.pdf"),
        ("attachment; filename=\"___.pdf\"; filename*=UTF-8''%D0%BE%D1%82%D1%87.pdf", "отч.pdf"),
        ('attachment; filename="a b.txt"', "a b.txt"),
        ('inline; filename="отчёт.txt"', "отчёт.txt"),
        ("attachment; filename*=UTF-8''..%2F..%2Fx", "x"),
        ("attachment", "file"),
        ("attachment; filename*=KOI-99''%FF", "file"),
        ('attachment; filename="=?utf-8?b?0Y4=?="', "ю"),
        ("", "file"),
    ],
)
async def test_a_name_is_read_from_the_header(header: str, name: str, tmp_path: Path) -> None:
    """All forms of RFC 6266, raw UTF-8 and invalid headers result in a safe name."""

    async def serve(request: Request) -> Response:
        answer = Response(b"")
        answer.raw_headers.append((b"content-disposition", header.encode()))
        return answer

    async with serving(serve) as bot:
        there = await bot.v1.download(7, tmp_path)
    assert there.parent == tmp_path
    assert there.name == f"7-{name}"
    assert re.fullmatch(r"7-[^/\\\x00-\x1f]+", there.name)


@pytest.mark.parametrize(
    "header, name",
    [
        # quoted, as RFC 6266 has it, and broken off
        (rb'attachment; filename="say \"hi\".txt"', "say hi.txt"),
        (rb'attachment; filename="C:\temp\a.txt"', "a.txt"),
        (rb'attachment; filename="not closed.txt', "not closed.txt"),
        (b'attachment; size=3; filename="a;b=c.txt"; x=y', "a;b=c.txt"),
        # unquoted, with spaces and letters
        ("attachment; filename=Заявление на отпуск.pdf".encode(), "Заявление на отпуск.pdf"),
        ("attachment;filename = отчёт.pdf ; x=1".encode(), "отчёт.pdf"),
        (b"ATTACHMENT; FILENAME=a.txt", "a.txt"),
        (b"filename=a.txt", "a.txt"),
        # percent-encoded in the plain parameter
        (b'attachment; filename="%D1%8E%20%D1%8F.pdf"', "ю я.pdf"),
        (b"attachment; filename=%D1%8E.pdf", "ю.pdf"),
        (b'attachment; filename="50% off.pdf"', "50% off.pdf"),
        (b'attachment; filename="100%fe.pdf"', "100%fe.pdf"),
        (b"attachment; filename*=%D1%8E.pdf", "ю.pdf"),
        # words of RFC 2047
        (b'attachment; filename="=?UTF-8?B?0Y4=?= =?UTF-8?Q?=D1=8F.pdf?="', "юя.pdf"),
        (b'attachment; filename="=?koi8-r?B?wMAucGRm?="', "юю.pdf"),
        (b"attachment; filename==?UTF-8?B?0Y4=?=", "ю"),
        (b'attachment; filename="=?KOI-99?B?wMA=?="', "=KOI-99BwMA=="),
        (b'attachment; filename="=?UTF-8?B?A?="', "=UTF-8BA="),
        # other encodings
        ('attachment; filename="Заявление.pdf"'.encode("cp1251"), "Заявление.pdf"),
        (b"attachment; filename*=windows-1251''%FE.pdf; filename=b.pdf", "ю.pdf"),
        (b"attachment; filename*=KOI-99''%FE.pdf; filename=b.pdf", "b.pdf"),
        (b"attachment; filename*=utf-8''%FE.pdf; filename=b.pdf", "b.pdf"),
        # parts of RFC 2231
        (
            b"attachment; filename*0*=UTF-8''%D1%8E; filename*1=\" x\"; filename*2*=%D1%8F.pdf",
            "ю xя.pdf",
        ),
        (b'attachment; filename*1="b.txt"; filename*0="a"', "ab.txt"),
        # nothing, or nothing safe
        (b"attachment; filename=", "file"),
        (b'attachment; filename=""', "file"),
        (b"attachment; filename*=UTF-8''%2E%2E%2F%2E%2E%2Fetc%2Fpasswd", "passwd"),
        (b'attachment; filename="..%2F..%2Fetc%2Fpasswd"', "passwd"),
        (b'attachment; filename="=?UTF-8?B?Li4vLi4vZXRjL3Bhc3N3ZA==?="', "passwd"),
        (b'attachment; filename="a%00%1b[2J.txt"', "a [2J.txt"),
    ],
)
def test_a_name_is_read_as_browsers_read_it(header: bytes, name: str) -> None:
    """Names that are quoted, unquoted, percent-encoded, RFC 2047 words or in old encodings."""
    assert filename_in(header) == name


async def test_a_file_is_downloaded_where_the_system_is_not_posix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows has no `os.fchmod`; the file has the permissions that the umask leaves."""
    monkeypatch.delattr(os, "fchmod", raising=False)
    platform = platform_of()
    file = platform.conversations.add_file("a.txt", b"content")
    async with client_of(platform) as bot:
        there = await bot.v2.download(file.id, tmp_path)
    assert there.read_bytes() == b"content"
    (tmp_path / "plain").touch()
    assert there.stat().st_mode == (tmp_path / "plain").stat().st_mode
