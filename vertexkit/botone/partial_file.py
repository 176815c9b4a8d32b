"""A file that is being received, under another name next to its own.

It is temporary, or it is kept if the download fails, so that the next one resumes it. What version of
the platform's file it is the beginning of is then in a second file, `.8.part.json` beside `.8.part`.
"""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from vertexkit.system.file_lock import try_lock
from vertexkit.system.private_files import append_private_binary, create_private_text

IS_WINDOWS = os.name == "nt"
"""Windows neither renames nor removes an open file."""
MAX_NAME_CHARACTERS = 40
"""Characters of a file's name that are in the name of its temporary file."""


class FileVersion(BaseModel):
    """A version of a file of the platform."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    url: str
    """Where it is downloaded from."""
    etag: str
    """Its strong ETag: the same one means the same bytes."""
    total: int
    """Its size in bytes."""


class PartialFile:
    """The beginning of a file.

    Args:
        file: the file.
        kept_as: the path under which it is kept if the download fails; None for a temporary file.

    Attributes:
        file: the file; what is received is written to it.
        version: the version whose beginning an earlier download has left in it; None if none has.
        size: bytes that the earlier download has left.
    """

    def __init__(self, file: IO[bytes], kept_as: Path | None = None) -> None:
        self.file: IO[bytes] = file
        self.version: FileVersion | None = None
        self.size: int = 0
        self._kept_as = kept_as

    @classmethod
    def temporary(cls, folder: Path, name: str) -> Self:
        """Create a file that `close` removes.

        Args:
            folder: where it is created.
            name: the name of the whole file.
        """
        file = NamedTemporaryFile(  # noqa: SIM115 - closed in `close` or `rename`
            prefix=f".{name[:MAX_NAME_CHARACTERS]}.", suffix=".part", dir=folder, delete=False
        )
        return cls(file)

    @classmethod
    def kept(cls, path: Path) -> Self:
        """Open or create a file that stays if the download fails.

        Args:
            path: the file.

        Raises:
            BlockingIOError: another download uses it.
        """
        file = append_private_binary(path)
        if not try_lock(file) or not _is_at(file, path):
            file.close()
            raise BlockingIOError(f"another download uses {path}")
        partial = cls(file, path)
        with suppress(OSError, ValidationError):
            version = FileVersion.model_validate_json(partial._version_path.read_bytes())
            size = file.seek(0, os.SEEK_END)
            if 0 < size < version.total:
                partial.version, partial.size = version, size
        return partial

    @property
    def _version_path(self) -> Path:
        path = self._kept_as or Path(self.file.name)
        return path.with_name(f"{path.name}.json")

    def start_over(self, version: FileVersion | None) -> None:
        """Discard the content, before the first byte of a version is written.

        Args:
            version: the version; None if what is received of it cannot be resumed later.
        """
        self.file.seek(0)
        self.file.truncate()
        self.version, self.size = version, 0
        if self._kept_as is None:
            return
        with suppress(FileNotFoundError):
            self._version_path.unlink()
        if version is not None:
            with create_private_text(self._version_path) as file:
                file.write(version.model_dump_json())

    def rename(self, path: Path) -> None:
        """Give the complete file its name, and replace a file that has it."""
        if IS_WINDOWS:
            self.file.close()
        # Elsewhere the lock is held meanwhile, so that no other download writes to the file.
        os.replace(self.file.name, path)  # noqa: PTH105 - replaces a file atomically
        self.file.close()
        if self._kept_as is not None:
            with suppress(FileNotFoundError):
                self._version_path.unlink()

    def close(self, *, keep: bool) -> None:
        """Close the file, and remove it unless it can be resumed.

        Args:
            keep: whether to keep the file, if it is not temporary.
        """
        if self.file.closed:
            return
        with suppress(OSError):  # the disk is full: what was written before counts
            self.file.flush()
        removes = not (keep and self._is_resumable)
        if removes and not IS_WINDOWS:  # before the lock is released by closing the file
            self._remove()
        with suppress(OSError):
            self.file.close()
        if removes and IS_WINDOWS:
            self._remove()

    @property
    def _is_resumable(self) -> bool:
        if self._kept_as is None or self.version is None:
            return False
        return self.file.seek(0, os.SEEK_END) > 0

    def _remove(self) -> None:
        for path in (Path(self.file.name), *([self._version_path] if self._kept_as else [])):
            with suppress(OSError):
                path.unlink()


def _is_at(file: IO[Any], path: Path) -> bool:
    """Whether an open file still has its path: another download may have completed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
