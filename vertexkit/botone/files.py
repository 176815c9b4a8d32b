"""Downloads of files that users uploaded in dialogs (methods 4 and 13)."""

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

from vertexkit.botone.dialog_requests import DialogRequests
from vertexkit.botone.failures import from_incomplete_response
from vertexkit.botone.http_client import HttpError, HttpResponse
from vertexkit.errors import FileTooLarge, PlatformError
from vertexkit.text import sanitize

CHUNK_BYTES = 1024 * 1024
"""Bytes that are written at once."""
DOWNLOAD_LIMIT_BYTES = 1024 * 1024 * 1024
"""The default size limit of a file."""
MAX_FILENAME_BYTES = 200
"""Bytes of a name in UTF-8: with the file's id before it, it fits into common file systems."""
MAX_EXTENSION_BYTES = 16
"""A longer extension is not kept when a name is shortened."""
MAX_HEADER_NAME_CHARACTERS = 1000
"""Characters of the platform's name that are read."""


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
    return target / f"{file_id}-{filename_of(response)}" if target.is_dir() else target


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
    os.fchmod(part.fileno(), 0o666 & ~umask)


def _too_large(path: str, limit: int) -> FileTooLarge:
    reason = f"the file is larger than the limit of {limit:,} bytes; to raise it, pass `limit=`"
    return FileTooLarge("GET", path, status=200, reason=reason)


def filename_of(response: HttpResponse) -> str:
    """Return the file's name from `Content-Disposition`, sanitised; `file` if there is none."""
    headers = response.headers.raw
    raw = next((value for name, value in headers if name.lower() == b"content-disposition"), b"")
    with warnings.catch_warnings():
        # An invalid header counts as a missing name and needs no warning.
        warnings.simplefilter("ignore", BadContentDispositionHeader)
        warnings.simplefilter("ignore", BadContentDispositionParam)
        _, parameters = parse_content_disposition(raw.decode(errors="replace"))
        return sanitized_filename(content_disposition_filename(parameters) or "")


def sanitized_filename(name: str) -> str:
    """Return a safe file name that every operating system accepts.

    The name has no folders, no control or reserved characters, no leading dot, and at most
    `MAX_FILENAME_BYTES`.

    Args:
        name: any text; it comes from the user who uploaded the file.
    """
    base = name.replace("\\", "/").rpartition("/")[2]
    base = sanitize(base, MAX_HEADER_NAME_CHARACTERS).strip(" .")
    if len(base.encode()) > MAX_FILENAME_BYTES:
        stem, dot, extension = base.rpartition(".")
        end = dot + extension if len(extension.encode()) <= MAX_EXTENSION_BYTES else ""
        room = MAX_FILENAME_BYTES - len(end.encode())
        base = (stem if end else base).encode()[:room].decode(errors="ignore") + end
    return str(sanitize_filename(base)).strip(" .") or "file"
