"""Downloads of files that users uploaded in dialogs (methods 4 and 13)."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import anyio.to_thread

from vertexkit.botone.dialog_requests import DialogRequests
from vertexkit.botone.failures import from_incomplete_response
from vertexkit.botone.filenames import filename_in
from vertexkit.botone.http_client import HttpError, HttpResponse
from vertexkit.errors import FileTooLarge, PlatformError

CHUNK_BYTES = 1024 * 1024
"""Bytes that are written at once."""
DOWNLOAD_LIMIT_BYTES = 1024 * 1024 * 1024
"""The default size limit of a file."""


async def download(
    requests: DialogRequests, path: str, file_id: int, target: Path, limit: int | None
) -> Path:
    """Download a file. It appears under its name only when it is complete.

    Args:
        requests: sends the requests.
        path: the file's path below the platform's base URL.
        file_id: the file's id.
        target: an existing folder, for a file `{file_id}-{the platform's name, sanitised}`; or the
            path of the file.
        limit: bytes; None for no limit.

    Returns:
        The path of the file.

    Raises:
        FileTooLarge: the file is larger than the limit.
        OSError: the file cannot be written.
        PlatformError: see `BotOne`.
    """
    failures = 0
    while True:
        try:
            async with requests.stream(path) as response:
                file = _file_path(response, file_id, target)
                return await _save(response, path, file, limit)
        except HttpError as http_error:
            error: PlatformError = from_incomplete_response("GET", path, http_error)
        except FileTooLarge:
            raise
        except PlatformError as platform_error:
            error = platform_error
        failures += 1
        await requests.pause_before_retry(failures, error, idempotent=True)


def _file_path(response: HttpResponse, file_id: int, target: Path) -> Path:
    if not target.is_dir():
        return target
    headers = response.headers.raw
    header = next((value for name, value in headers if name.lower() == b"content-disposition"), b"")
    return target / f"{file_id}-{filename_in(header)}"


async def _save(response: HttpResponse, path: str, file: Path, limit: int | None) -> Path:
    """Write the body to a temporary file, then rename it."""
    length = response.headers.get("content-length", "")
    if limit is not None and length.isdecimal() and int(length) > limit:
        raise _too_large(path, limit)
    part = NamedTemporaryFile(  # noqa: SIM115 - it is closed, and renamed or removed, below
        prefix=f".{file.name[:40]}.", suffix=".part", dir=file.parent, delete=False
    )
    try:
        with part:
            await _write_body(part, response, path, limit)
            await anyio.to_thread.run_sync(_flush_to_disk, part)
        os.replace(part.name, file)  # noqa: PTH105 - replaces an existing file atomically
    except BaseException:
        with suppress(OSError):
            os.unlink(part.name)  # noqa: PTH108
        raise
    return file


async def _write_body(
    part: IO[bytes], response: HttpResponse, path: str, limit: int | None
) -> None:
    size = 0
    async for chunk in response.aiter_raw(CHUNK_BYTES):
        size += len(chunk)
        if limit is not None and size > limit:
            raise _too_large(path, limit)
        await anyio.to_thread.run_sync(part.write, chunk)


def _flush_to_disk(part: IO[bytes]) -> None:
    part.flush()
    os.fsync(part.fileno())
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(part.name, 0o666 & ~umask)  # noqa: PTH101 - Windows has no os.fchmod


def _too_large(path: str, limit: int) -> FileTooLarge:
    reason = f"the file is larger than the limit of {limit:,} bytes; to raise it, pass `limit=`"
    return FileTooLarge("GET", path, status=200, reason=reason)
