"""docs/settings: the table lists every setting with its default."""

import json
import re

import pytest
from pydantic import SecretStr

from tests.docs.reader import DOCS
from vertexkit.settings import FIELDS, PREFIX

ROW = re.compile(rf"^\| `{PREFIX}(\w+)` \| (.*?) \| (.+?) \|$", re.MULTILINE)


def shown(value: object) -> str:
    """Return a default as a person would write it."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, str) or value in {(), None}:
        return str(value or "")
    return json.dumps(value).removesuffix(".0")


@pytest.mark.parametrize("page", ["settings.md", "settings.ru.md"])
def test_every_setting_is_listed_with_its_default(page: str) -> None:
    """The table has the name and default of every setting, in the order of the code, and no others."""
    rows = ROW.findall(
        (DOCS / page).read_text(encoding="utf-8").replace("| | |", "|  | |").replace("| |", "|  |")
    )
    listed = [(name.lower(), default.strip()) for name, default, _ in rows]
    assert listed == [(n, shown(field.default)) for n, field in FIELDS.items()]
