"""Named inputs in files beside the app."""

from pathlib import Path

import pytest

from vertexkit.errors import SettingsError
from vertexkit.playground.input_presets import InputPresets


def test_inputs_are_kept_by_block_and_name(tmp_path: Path) -> None:
    """They are listed, replaced and deleted; a file that is not a JSON object is left out."""
    presets = InputPresets(tmp_path / "inputs")
    assert presets.list("loan") == {}
    presets.save("loan", "Аня с картой", {"name": "Аня"})
    presets.save("loan", "b", {"name": 1})
    presets.save("loan", "b", {"name": 2})
    (tmp_path / "inputs" / "loan" / "broken.json").write_text("[", encoding="utf-8")
    assert presets.list("loan") == {"b": {"name": 2}, "Аня с картой": {"name": "Аня"}}
    presets.delete("loan", "b")
    presets.delete("loan", "b")
    assert list(presets.list("loan")) == ["Аня с картой"]


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/b", ".hidden", "con", "x" * 61, "dot.", "a\n"]
)
def test_a_name_cannot_leave_the_folder(name: str, tmp_path: Path) -> None:
    """A name that is not safe as that of a file is rejected everywhere."""
    presets = InputPresets(tmp_path)
    for action in (
        presets.list,
        lambda n: presets.save("b", n, {}),
        lambda n: presets.delete(n, "x"),
    ):
        with pytest.raises(SettingsError, match="cannot be the name of a file"):
            action(name)
    assert not list(tmp_path.iterdir())
