"""`--edit`: inputs are edited as JSON in the user's editor before a block is called."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from tests.cli.develop.editor import Editor
from vertexkit import App, Context
from vertexkit.cli.develop.call_options import CallOptions
from vertexkit.cli.develop.editing import edit_inputs, prefilled_inputs
from vertexkit.cli.develop.replay import replay_run
from vertexkit.cli.develop.replay_options import ReplayOptions
from vertexkit.cli.develop.trigger import TriggerOptions, run_block
from vertexkit.errors import SettingsError
from vertexkit.recordings import RecordingsFolder

app = App()
THIS = "tests.cli.develop.test_editing:app"


class Loan(BaseModel):
    city: str
    amount: int = Field(gt=0, examples=[100_000])
    months: int = 12


@app.block("loan", title="Loan")
async def loan(ctx: Context, request: Loan) -> dict[str, int]:
    await ctx.send_message(f"{request.city}: {request.amount}")
    return {"monthly": request.amount // request.months}


def trigger(*inputs: str, **options: Any) -> int:
    """Run `vertexkit trigger --edit`."""
    call = CallOptions(inputs=list(inputs), edit=True, fast=True, **options)
    return run_block(TriggerOptions.of(call, THIS, "loan", debug=False))


def test_the_editor_shows_what_is_given_and_examples_and_defaults(
    editor: Editor, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`-i` overrides the file, which overrides examples and defaults; the block gets the edited JSON."""
    (tmp_path / "case.json").write_text('{"city": "Omsk", "months": 10}')
    editor.save('{"city": "Tomsk", "amount": 500, "months": 5}')
    assert trigger("months=20", file=tmp_path / "case.json") == 0
    shown = json.loads(editor.shown(0))
    assert shown == {"city": "Omsk", "amount": 100_000, "months": 20}
    printed = capsys.readouterr().out
    assert 'loan city="Tomsk" amount=500 months=5' in printed
    assert 'done  {"monthly": 100}' in printed


def test_a_file_that_is_closed_unchanged_is_used(
    editor: Editor, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing has to be saved: what the editor shows is what the block gets."""
    editor.save()
    assert trigger("city=Пермь") == 0
    assert "bot   Пермь: 100000" in capsys.readouterr().out


def test_what_is_wrong_is_explained_and_can_be_corrected(
    editor: Editor, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The editor opens again with the same text after invalid JSON and after invalid inputs."""
    editor.save(
        '{"city": "Omsk",',
        "[]",
        '{"city": "Омск"}'.encode("cp1251"),
        '{"city": "Omsk", "amount": -1}',
        '{"city": "Omsk", "amount": 24}',
        typed="y\n\ny\ny\n",
    )
    assert trigger() == 0
    printed = capsys.readouterr()
    assert "the file is not valid JSON: Expecting property name" in printed.err
    assert "the file must contain a JSON object" in printed.err
    assert "the file is not UTF-8. Save it as UTF-8" in printed.err
    assert "amount: Input should be greater than 0" in printed.err
    assert "done" in printed.out
    assert editor.shown(1) == '{"city": "Omsk",'
    assert json.loads(editor.shown(4))["amount"] == -1


def test_inputs_that_stay_invalid_are_not_sent(
    editor: Editor, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with an error if the user does not correct them, or empties the file."""
    editor.save("{", typed="n\n")
    with pytest.raises(SettingsError, match="the inputs are invalid, so the block was not run"):
        trigger()
    Path("saved-1").write_text("\n")
    with pytest.raises(SettingsError, match="saved an empty file, so the block was not run"):
        trigger()
    assert "you" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["no-such-editor", "false", "'"])
def test_an_editor_that_fails_is_an_error(
    editor: Editor, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The error says which variable selects another one; VISUAL is used before EDITOR."""
    editor.save()
    monkeypatch.setenv("VISUAL", name)
    with pytest.raises(SettingsError, match="Set EDITOR to an editor that runs until the file"):
        trigger()


def test_without_a_terminal_nothing_is_edited() -> None:
    """In a pipe the command ends with an error, and starts no editor."""
    with pytest.raises(SettingsError, match="standard input or output is not a terminal"):
        edit_inputs({}, lambda _: [])


def test_inputs_that_the_schema_does_not_name_are_kept() -> None:
    """They come after the others."""
    schema = {"properties": {"b": {"default": None}, "a": {"type": "string"}}, "required": ["a"]}
    assert list(prefilled_inputs(schema, {"c": 1, "a": "x"}).items()) == [
        ("b", None),
        ("a", "x"),
        ("c", 1),
    ]


def test_recorded_inputs_are_edited_before_a_replay(
    editor: Editor, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The run has the edited inputs, the difference is shown, and the recording stays as it is."""
    editor.save('{"city": "Omsk", "amount": 24}', '{"city": "Omsk", "amount": 48}')
    trigger()
    [file] = (tmp_path / ".vertexkit" / "runs").glob("*.jsonl")
    recorded = file.read_bytes()
    capsys.readouterr()
    assert replay_run("last", None, ReplayOptions(edit=True)) == 0
    assert json.loads(editor.shown(1)) == {"city": "Omsk", "amount": 24}
    printed = capsys.readouterr().out
    assert "bot   Omsk: 48" in printed
    assert '-    "Omsk: 24"' in printed
    assert [file.read_bytes() for file in RecordingsFolder().files()] == [recorded]


@pytest.mark.parametrize(
    "target, options, message",
    [
        (None, ReplayOptions(edit=True, save_test=True), "--save-test and --edit exclude"),
        (None, ReplayOptions(url="http://x", must_match=True), "--url and --assert exclude"),
        (THIS, ReplayOptions(url="http://x"), "--url and MODULE:APP exclude each other"),
    ],
)
def test_options_of_a_replay_that_exclude_each_other(
    target: str | None, options: ReplayOptions, message: str
) -> None:
    """The error names both, before anything is read."""
    with pytest.raises(SettingsError, match=message):
        replay_run("last", target, options)
