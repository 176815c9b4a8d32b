"""The pages of settings list what there is."""

import json
import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from vertexkit.settings import PREFIX, Settings

DOCS = Path(__file__).parents[2] / "docs"
ROW = re.compile(rf"^\| `{PREFIX}(\w+)` \| (.*?) \| (.+?) \|$", re.MULTILINE)


def shown(value: object) -> str:
    """A default as a person writes it."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, str) or value in {(), None}:
        return str(value or "")
    return json.dumps(value).removesuffix(".0")


@pytest.mark.parametrize("page", ["settings.md", "settings.ru.md"])
def test_every_setting_is_listed_with_its_default(page: str) -> None:
    """Name and default of each, in the order of the code; nothing that is not there."""
    rows = ROW.findall(
        (DOCS / page).read_text(encoding="utf-8").replace("| | |", "|  | |").replace("| |", "|  |")
    )
    listed = [(name.lower(), default.strip()) for name, default, _ in rows]
    assert listed == [(n, shown(field.default)) for n, field in Settings.model_fields.items()]
