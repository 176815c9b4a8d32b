"""Downloads of files that users uploaded in dialogs (methods 4 and 13)."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import IO, Any

import anyio.to_thread

from vertexkit.botone.dialog_requests import DialogRequests
from vertexkit.botone.failures import from_incomplete_response
from vertexkit.botone.filenames import filename_in
from vertexkit.botone.http_client import HttpError, HttpResponse
from vertexkit.botone.partial_file import FileVersion, PartialFile
from vertexkit.errors import BadRequest, FileTooLarge, Forbidden, NotFound, PlatformError

CHUNK_BYTES = 1024 * 1024
"""Bytes that are written at once."""
DOWNLOAD_LIMIT_BYTES = 1024 * 1024 * 1024
"""The default size limit of a file."""
MAX_RESUMES = 100
"""How often a download that is making progress is resumed."""
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416
PRIVATE_UMASK = 0o077
_UMASK = Lock()
"""The umask can only be read by setting it, for the whole process: two threads that did this at once
would leave the wrong one, and a file that another thread creates meanwhile must not be writable for
all users."""
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


async def download(
    requests: DialogRequests,
    path: str,
    file_id: int,
    target: Path,
    *,
    limit: int | None,
    resume: bool,
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
        resume: whether to keep what was received if the download fails, and to resume it the next
            time, if the platform names the file's version with an ETag.

    Returns:
        The path of the file.

    Raises:
        FileTooLarge: the file is larger than the limit.
        BlockingIOError: another download that can be resumed receives the file.
        OSError: the file cannot be written.
        PlatformError: see `BotOne`.
    """
    part = _Download(path, requests.url_of(path), file_id, target, limit, resume=resume)
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
                return await part.complete()
            except HttpError as http_error:
                error: PlatformError = from_incomplete_response("GET", path, http_error)
            except BadRequest as bad_request:
                if bad_request.status != RANGE_NOT_SATISFIABLE or not part.size:
                    raise
                part.start_over()
                continue
            except (FileTooLarge, NotFound, Forbidden):
                part.discard()
                raise
            except PlatformError as platform_error:
                error = platform_error
            resumes += 1
            made_progress = part.size > size_before and resumes < MAX_RESUMES
            failures = 1 if made_progress else failures + 1
            await requests.pause_before_retry(failures, error, idempotent=True)
    finally:
        part.close()


class _Download:
    """A download in progress.

    Args:
        path: the file's path below the platform's base URL.
        url: the file's whole address.
        file_id: the file's id.
        target: see `download`.
        limit: bytes; None for no limit.
        resume: see `download`.

    Attributes:
        size: bytes that were received and can be resumed from.
    """

    def __init__(
        self, path: str, url: str, file_id: int, target: Path, limit: int | None, *, resume: bool
    ) -> None:
        self.size: int = 0
        self._path = path
        self._url = url
        self._file_id = file_id
        self._target = target
        self._limit = limit
        self._resumes = resume
        self._partial: PartialFile | None = None
        self._name = target
        self._total: int | None = None
        """Bytes of the whole file; None if the platform does not say."""
        self._etag = ""
        """The strong ETag of the version that is being received; empty if it has none."""
        kept_as = self._kept_as
        if resume and kept_as.exists():
            self._resume(PartialFile.kept(kept_as))

    @property
    def _kept_as(self) -> Path:
        folder = self._target if self._target.is_dir() else self._target.parent
        return folder / f".{self._file_id}.part"

    def _resume(self, partial: PartialFile) -> None:
        """Take over what an earlier download has left."""
        self._partial = partial
        version = partial.version
        if version is not None and version.url == self._url:
            self.size, self._total, self._etag = partial.size, version.total, version.etag

    def resume_headers(self) -> Mapping[str, str]:
        """Return the headers that ask for the rest of the file; none if there is no beginning."""
        if not self.size or self._total is None:
            return {}
        headers = {"Range": f"bytes={self.size}-"}
        if self._etag:
            headers["If-Range"] = self._etag
        return headers

    async def receive(self, response: HttpResponse) -> None:
        """Write the body of a response, after what was received before if it is the rest."""
        self._name = _file_path(response, self._file_id, self._target)
        if self._partial is None or not self._is_rest(response):
            self._begin(response)
        self._check_limit(self._total or 0)
        received = bytearray()
        try:
            async for chunk in response.aiter_raw():
                received += chunk
                self._check_limit(self.size + len(received))
                if len(received) >= CHUNK_BYTES:
                    await self._write(received)
        except HttpError:  # what has arrived by then is not requested again
            await self._write(received)
            raise
        await self._write(received)

    async def _write(self, received: bytearray) -> None:
        if self._partial is not None:
            await anyio.to_thread.run_sync(self._partial.file.write, bytes(received))
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
            and self._partial is not None
            and found is not None
            and (int(found[1]), int(found[2])) == (self.size, self._total)
        )

    def _begin(self, response: HttpResponse) -> None:
        """Start with the first byte of a version of the file."""
        length = response.headers.get("content-length", "")
        self._total = int(length) if length.isdecimal() else None
        etag = response.headers.get("etag", "")
        self._etag = "" if etag.startswith("W/") else etag
        if self._partial is None:
            self._partial = (
                PartialFile.kept(self._kept_as)
                if self._resumes
                else PartialFile.temporary(self._name.parent, self._name.name)
            )
        can_resume = self._etag and self._total is not None
        self._partial.start_over(
            FileVersion(url=self._url, etag=self._etag, total=self._total or 0)
            if can_resume
            else None
        )
        self.size = 0

    async def complete(self) -> Path:
        """Write the file to the disk, and give it its name."""
        if self._partial is not None:
            await anyio.to_thread.run_sync(_flush_to_disk, self._partial.file)
            self._partial.rename(self._name)
            self._partial = None
        return self._name

    def discard(self) -> None:
        """Remove what was received, because it is of no use."""
        if self._partial is not None:
            self._partial.close(keep=False)
            self._partial = None

    def close(self) -> None:
        """Keep what was received for the next time, or remove it; no effect after `complete`."""
        if self._partial is not None:
            self._partial.close(keep=self._resumes)

    def _check_limit(self, size: int) -> None:
        if self._limit is not None and size > self._limit:
            reason = (
                f"the file is larger than the limit of {self._limit:,} bytes; to raise it, pass "
                "`limit=`"
            )
            raise FileTooLarge("GET", self._path, status=200, reason=reason)


def _file_path(response: HttpResponse, file_id: int, target: Path) -> Path:
    if not target.is_dir():
        return target
    headers = response.headers.raw
    header = next((value for name, value in headers if name.lower() == b"content-disposition"), b"")
    return target / f"{file_id}-{filename_in(header)}"


def _flush_to_disk(part: IO[Any]) -> None:
    part.flush()
    os.fsync(part.fileno())
    with _UMASK:
        umask = os.umask(PRIVATE_UMASK)
        os.umask(umask)
    os.chmod(part.name, 0o666 & ~umask)  # noqa: PTH101 - Windows has no os.fchmod
