"""Files that were uploaded in dialogs, brought to disk."""

import os
import warnings
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import anyio.to_thread
from aiohttp import (
    BadContentDispositionHeader,
    BadContentDispositionParam,
    content_disposition_filename,
    parse_content_disposition,
)
from pathvalidate import sanitize_filename

from vertexkit.botone.http import HttpError, Reply
from vertexkit.botone.session import TRIES, Session, may_repeat
from vertexkit.errors import FileTooLarge, PlatformError, SendOutcomeUnknown
from vertexkit.text import plain

BLOCK = 1024 * 1024
"""Bytes that are written at once."""
LIMIT = 1024 * 1024 * 1024
LONGEST_NAME = 200
"""Bytes in UTF-8: with its number before it, a name fits into every file system."""
LONGEST_SUFFIX = 16
MANY = 1000
"""Characters of a name that are looked at."""


async def download(session: Session, path: str, file_id: int, to: Path, limit: int | None) -> Path:
    """Bring a file to disk; it is there under its name only when it is whole.

    Args:
        session: asks.
        path: of the file, under the platform's address.
        file_id: its id.
        to: a folder that exists, for `{file_id}-{the platform's name, made safe}`; or the file.
        limit: bytes; None takes all.

    Raises:
        FileTooLarge: it is larger than the limit.
        OSError: it cannot be written.
        PlatformError: as `BotOne` says.
    """
    failures = 0
    while True:
        try:
            async with session.streamed(path) as reply:
                return await _store(reply, path, _aim(reply, file_id, to), limit)
        except HttpError as error:
            said = str(error) or type(error).__name__
            failure: PlatformError = SendOutcomeUnknown("GET", path, reason=f"it broke off: {said}")
        except FileTooLarge:
            raise
        except PlatformError as error:
            failure = error
        failures += 1
        if failures == TRIES or not may_repeat(failure, safe=True):
            raise failure
        await session.pause(failures, failure)


def _aim(reply: Reply, file_id: int, to: Path) -> Path:
    return to / f"{file_id}-{safe_name(reply)}" if to.is_dir() else to


async def _store(reply: Reply, path: str, aim: Path, limit: int | None) -> Path:
    announced = reply.headers.get("content-length", "")
    if limit is not None and announced.isdecimal() and int(announced) > limit:
        raise FileTooLarge("GET", path, status=200, reason=_too_large(limit))
    part = NamedTemporaryFile(  # noqa: SIM115 - it is closed, and renamed or removed, below
        prefix=f".{aim.name[:40]}.", suffix=".part", dir=aim.parent, delete=False
    )
    try:
        with part:
            await _fill(part, reply, path, limit)
            await anyio.to_thread.run_sync(_settle, part)
        os.replace(part.name, aim)  # noqa: PTH105 - over whatever is there, at once
    except BaseException:
        with suppress(OSError):
            os.unlink(part.name)  # noqa: PTH108
        raise
    return aim


async def _fill(part: IO[bytes], reply: Reply, path: str, limit: int | None) -> None:
    size = 0
    async for chunk in reply.aiter_raw(BLOCK):
        size += len(chunk)
        if limit is not None and size > limit:
            raise FileTooLarge("GET", path, status=200, reason=_too_large(limit))
        await anyio.to_thread.run_sync(part.write, chunk)


def _settle(part: IO[bytes]) -> None:
    part.flush()
    os.fsync(part.fileno())
    umask = os.umask(0)
    os.umask(umask)
    os.fchmod(part.fileno(), 0o666 & ~umask)


def _too_large(limit: int) -> str:
    return f"the file has more than {limit:,} bytes; `limit=` says how many are taken"


def safe_name(reply: Reply) -> str:
    """The name that the platform gave a file, without what could lead astray."""
    raw = next((v for k, v in reply.headers.raw if k.lower() == b"content-disposition"), b"")
    with warnings.catch_warnings():
        # A header that is no good names no file: nobody has to be warned of it.
        warnings.simplefilter("ignore", BadContentDispositionHeader)
        warnings.simplefilter("ignore", BadContentDispositionParam)
        _, parameters = parse_content_disposition(raw.decode(errors="replace"))
        return tidy(content_disposition_filename(parameters) or "")


def tidy(name: str) -> str:
    """A name that every system takes, of one that anybody may have made up."""
    last = plain(name.replace("\\", "/").rpartition("/")[2], MANY).strip(" .")
    if len(last.encode()) > LONGEST_NAME:
        stem, dot, suffix = last.rpartition(".")
        tail = dot + suffix if len(suffix.encode()) <= LONGEST_SUFFIX else ""
        room = LONGEST_NAME - len(tail.encode())
        last = (stem if tail else last).encode()[:room].decode(errors="ignore") + tail
    return str(sanitize_filename(last)).strip(" .") or "file"
