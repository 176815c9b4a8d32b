"""Downloads of files that users uploaded in dialogs (methods 4 and 13)."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

import anyio.to_thread

from vertexkit.botone.dialog_requests import DialogRequests
from vertexkit.botone.failures import from_incomplete_response
from vertexkit.botone.filenames import filename_in
from vertexkit.botone.http_client import HttpError, HttpResponse
from vertexkit.errors import BadRequest, FileTooLarge, PlatformError

CHUNK_BYTES = 1024 * 1024
"""Bytes that are written at once."""
DOWNLOAD_LIMIT_BYTES = 1024 * 1024 * 1024
"""The default size limit of a file."""
MAX_RESUMES = 100
"""How often a download that is making progress is resumed."""
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


async def download(
    requests: DialogRequests, path: str, file_id: int, target: Path, limit: int | None
) -> Path:
    """Download a file. It appears under its name only when it is complete.

    If the connection breaks, the download is resumed where it ended, if the platform supports it.

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
    part = _Part(path, file_id, target, limit)
    failures = resumes = 0
    try:
        while True:
            size_before = part.size
            try:
                async with requests.stream(path, part.resume_headers()) as response:
                    if part.is_of_another_version(response):
                        part.start_over()
                        continue
                    await part.receive(response)
                await part.flush()
                return part.complete()
            except HttpError as http_error:
                error: PlatformError = from_incomplete_response("GET", path, http_error)
            except FileTooLarge:
                raise
            except BadRequest as bad_request:
                if bad_request.status != RANGE_NOT_SATISFIABLE or not part.size:
                    raise
                part.start_over()
                continue
            except PlatformError as platform_error:
                error = platform_error
            resumes += 1
            made_progress = part.size > size_before and resumes < MAX_RESUMES
            failures = 1 if made_progress else failures + 1
            await requests.pause_before_retry(failures, error, idempotent=True)
    finally:
        part.discard()


class _Part:
    """A file whose download is in progress, under a temporary name next to its own.

    Args:
        path: the file's path below the platform's base URL.
        file_id: the file's id.
        target: see `download`.
        limit: bytes; None for no limit.

    Attributes:
        size: bytes that were received and can be resumed from.
    """

    def __init__(self, path: str, file_id: int, target: Path, limit: int | None) -> None:
        self.size: int = 0
        self._path = path
        self._file_id = file_id
        self._target = target
        self._limit = limit
        self._file: IO[bytes] | None = None
        self._name = target
        self._total: int | None = None
        """Bytes of the whole file; None if the platform does not say."""
        self._validator = ""
        """The ETag or the date of the version that is being received."""

    def resume_headers(self) -> Mapping[str, str]:
        """Return the headers that ask for the rest of the file; none if there is no beginning."""
        if not self.size or self._total is None:
            return {}
        headers = {"Range": f"bytes={self.size}-"}
        if self._validator:
            headers["If-Range"] = self._validator
        return headers

    async def receive(self, response: HttpResponse) -> None:
        """Write the body of a response, after what was received before if it is the rest."""
        file = self._file
        if file is None or not self._is_rest(response):
            file = self._begin(response)
        received = bytearray()
        try:
            async for chunk in response.aiter_raw():
                received += chunk
                if self._limit is not None and self.size + len(received) > self._limit:
                    raise self._too_large(self._limit)
                if len(received) >= CHUNK_BYTES:
                    await self._write(file, received)
        except HttpError:  # what has arrived by then is not requested again
            await self._write(file, received)
            raise
        await self._write(file, received)

    async def _write(self, file: IO[bytes], received: bytearray) -> None:
        await anyio.to_thread.run_sync(file.write, bytes(received))
        self.size += len(received)
        received.clear()

    def start_over(self) -> None:
        """Discard what was received."""
        self.size, self._total = 0, None

    def is_of_another_version(self, response: HttpResponse) -> bool:
        """Whether a response is a part of the file that does not continue what was received."""
        return response.status_code == PARTIAL_CONTENT and not self._is_rest(response)

    def _is_rest(self, response: HttpResponse) -> bool:
        found = CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        return (
            response.status_code == PARTIAL_CONTENT
            and self._file is not None
            and found is not None
            and (int(found[1]), int(found[2])) == (self.size, self._total)
        )

    def _begin(self, response: HttpResponse) -> IO[bytes]:
        """Start with the first byte of a version of the file."""
        headers = response.headers
        length = headers.get("content-length", "")
        self._total = int(length) if length.isdecimal() else None
        if self._limit is not None and self._total is not None and self._total > self._limit:
            raise self._too_large(self._limit)
        etag = headers.get("etag", "")
        self._validator = etag if etag and not etag.startswith("W/") else ""
        self._name = _file_path(response, self._file_id, self._target)
        if self._file is None:
            self._file = NamedTemporaryFile(  # noqa: SIM115 - closed in `complete` or `discard`
                prefix=f".{self._name.name[:40]}.",
                suffix=".part",
                dir=self._name.parent,
                delete=False,
            )
        self._file.seek(0)
        self._file.truncate()
        self.size = 0
        return self._file

    async def flush(self) -> None:
        """Write the file to the disk."""
        if self._file is not None:
            await anyio.to_thread.run_sync(_flush_to_disk, self._file)

    def complete(self) -> Path:
        """Give the file its name."""
        if self._file is not None:
            self._file.close()
            os.replace(self._file.name, self._name)  # noqa: PTH105 - replaces a file atomically
            self._file = None
        return self._name

    def discard(self) -> None:
        """Remove the temporary file; no effect if the file is complete."""
        if self._file is not None:
            self._file.close()
            with suppress(OSError):
                os.unlink(self._file.name)  # noqa: PTH108

    def _too_large(self, limit: int) -> FileTooLarge:
        reason = f"the file is larger than the limit of {limit:,} bytes; to raise it, pass `limit=`"
        return FileTooLarge("GET", self._path, status=200, reason=reason)


def _file_path(response: HttpResponse, file_id: int, target: Path) -> Path:
    if not target.is_dir():
        return target
    headers = response.headers.raw
    header = next((value for name, value in headers if name.lower() == b"content-disposition"), b"")
    return target / f"{file_id}-{filename_in(header)}"


def _flush_to_disk(part: IO[Any]) -> None:
    part.flush()
    os.fsync(part.fileno())
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(part.name, 0o666 & ~umask)  # noqa: PTH101 - Windows has no os.fchmod
