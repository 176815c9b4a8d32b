"""A wheel of the vertexkit that is running, for projects that cannot install it from an index."""

import base64
import hashlib
import zipfile
from importlib import metadata
from pathlib import Path

import vertexkit

DISTRIBUTION_FILES = ("METADATA", "WHEEL", "entry_points.txt")
"""Files of `vertexkit-VERSION.dist-info` that a wheel has; an installer writes the others."""
BUILT = (1980, 1, 1, 0, 0, 0)
"""Time of all files in the wheel, so that the same version gives the same bytes."""


def wheel_name() -> str:
    """Return the file name of the wheel."""
    return f"vertexkit-{metadata.version('vertexkit')}-py3-none-any.whl"


def write_wheel(path: Path) -> None:
    """Write the wheel: the installed package with its metadata.

    Args:
        path: The file to write; its name is that of `wheel_name`.
    """
    contents = _package_files() | _distribution_files()
    folder = next(name for name in contents if name.endswith("/METADATA")).partition("/")[0]
    record = f"{folder}/RECORD"
    lines = [
        f"{name},sha256={_digest(content)},{len(content)}" for name, content in contents.items()
    ]
    contents[record] = "".join(f"{line}\n" for line in [*lines, f"{record},,"]).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name, BUILT), content, zipfile.ZIP_DEFLATED)


def _package_files() -> dict[str, bytes]:
    package = Path(vertexkit.__file__).parent
    return {
        f"vertexkit/{file.relative_to(package).as_posix()}": file.read_bytes()
        for file in sorted(package.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }


def _distribution_files() -> dict[str, bytes]:
    return {
        file.as_posix(): Path(str(file.locate())).read_bytes()
        for file in metadata.files("vertexkit") or ()
        if file.parts[0].endswith(".dist-info")
        and (file.name in DISTRIBUTION_FILES or file.parts[1] == "licenses")
    }


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
