"""Named inputs of blocks, kept in files beside the app: `inputs/BLOCK/NAME.json`."""

import json
import re
from pathlib import Path
from typing import Any

from vertexkit.errors import SettingsError

DEFAULT_FOLDER = Path("inputs")
NAME_PATTERN = re.compile(r"\w[\w .-]{0,59}")
RESERVED_NAMES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
"""Names of devices, which Windows does not accept for files."""


class InputPresets:
    """A folder of JSON files, which `vertexkit trigger --file` reads too.

    Args:
        folder: has a folder for each block.
    """

    def __init__(self, folder: Path = DEFAULT_FOLDER) -> None:
        self._folder = folder

    def list(self, block: str) -> dict[str, dict[str, Any]]:
        """Return the named inputs of a block; files that have no JSON object are left out.

        Raises:
            SettingsError: the block's name cannot be that of a folder.
        """
        presets = {}
        for file in sorted((self._folder / _checked(block)).glob("*.json")):
            try:
                inputs = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if isinstance(inputs, dict):
                presets[file.stem] = inputs
        return presets

    def save(self, block: str, name: str, inputs: dict[str, Any]) -> Path:
        """Write named inputs; the same name replaces them.

        Returns:
            The file.

        Raises:
            SettingsError: the name cannot be that of a file, or the file cannot be written.
        """
        file = self._folder / _checked(block) / f"{_checked(name)}.json"
        text = json.dumps(inputs, ensure_ascii=False, indent=2)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"cannot write {file}: {error.strerror}") from error
        return file

    def delete(self, block: str, name: str) -> None:
        """Delete named inputs; no effect if they do not exist.

        Raises:
            SettingsError: the name cannot be that of a file.
        """
        (self._folder / _checked(block) / f"{_checked(name)}.json").unlink(missing_ok=True)


def _checked(name: str) -> str:
    if not NAME_PATTERN.fullmatch(name) or RESERVED_NAMES.fullmatch(name) or name[-1] in " .":
        raise SettingsError(
            f"{name[:60]!r} cannot be the name of a file: use letters, digits, spaces, `.`, `_` "
            "and `-`, at most 60"
        )
    return name
