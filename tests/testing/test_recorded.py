"""Tests that are generated from recordings: pytest can run them in any layout of a project."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vertexkit.recordings import Recording
from vertexkit.recordings.generated_test import generate_test, generated_test_name

BLOCK = """
from vertexkit import App, Context

class Holder:
    pass

app = holder = App()
holder = Holder()
holder.app = app

@app.block("hello")
async def hello(ctx: Context, name: str = "you") -> dict[str, str]:
    await ctx.send_message(f"Hello, {name}!")
    await ctx.step("count", lambda: 1)
    return {"greeted": name}

@app.block("nothing")
async def nothing(ctx: Context) -> None:
    pass
"""
SCHEMA: dict[str, Any] = {"properties": {"name": {}}}


def recording(target: str, *lines: dict[str, Any], **header: Any) -> Recording:
    """Return a recording of `hello`, with lines in addition to the usual ones."""
    inputs = header.setdefault("inputs", {"name": "Anna"})
    name = inputs.get("name", "you")
    fields = {"block": "hello", "started": "2026-01-02T03:04:05Z", "by": "dev"} | header
    first = {"kind": "run", "version": 1, "id": "20260102-030405-abc", "target": target} | fields
    message = {"text": f"Hello, {name}!", "typing": True}
    usual: list[dict[str, Any]] = [
        {"kind": "event", "name": "claimed", "fields": {}},
        {"kind": "request", "method": "send_message", "request": message, "status": 200},
        {"kind": "request", "method": "complete", "request": {"data": {"greeted": name}}},
    ]
    usual[1]["processed"] = usual[2]["processed"] = True
    usual[2]["status"] = 204
    end = {"kind": "end", "outcome": "completed", "code": "ok"}
    return Recording.parse([json.dumps(line) for line in (first, *lines, *usual, end)])


LAYOUTS = {
    "module beside tests": ("one.py", "one:app", "tests/test_saved.py", ""),
    "test beside module": ("two.py", "two:app", "test_saved.py", ""),
    "module in the folder of the test": ("checks/three.py", "checks.three:app", "checks/test_saved.py", ""),
    "package": ("four/blocks.py", "four.blocks:app", "tests/unit/test_saved.py", "four/__init__.py"),
    "package without __init__": ("five/blocks.py", "five.blocks:app", "tests/test_saved.py", ""),
    "package that is the module": ("six/__init__.py", "six:app", "tests/test_saved.py", ""),
    "tests are a package": ("seven.py", "seven:app", "tests/test_saved.py", "tests/__init__.py"),
    "src by its path": ("src/eight/blocks.py", "src.eight.blocks:app", "tests/test_saved.py", ""),
    "src on the path": ("src/nine/blocks.py", "nine.blocks:app", "tests/test_saved.py", "src/nine/__init__.py"),
    "attribute of an attribute": ("ten.py", "ten:holder.app", "tests/test_saved.py", ""),
    "name with a hyphen": ("my-blocks.py", "my-blocks:app", "tests/test_saved.py", ""),
}  # fmt: skip


@pytest.mark.unmeasured
def test_a_saved_test_runs_in_any_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain `pytest`, started elsewhere and without configuration, passes the tests of all layouts."""
    tests = []
    for number, (module, target, test, marker) in enumerate(LAYOUTS.values()):
        project = tmp_path / f"project{number}"
        for name, content in ((marker, ""), (module, BLOCK)):
            if name:
                (project / name).parent.mkdir(parents=True, exist_ok=True)
                (project / name).write_text(content)
        saved = project / test.replace("saved", f"saved_{number}")
        saved.parent.mkdir(parents=True, exist_ok=True)
        with monkeypatch.context() as patch:
            patch.chdir(project)
            patch.syspath_prepend(project / "src")
            saved.write_text(generate_test(recording(target), Path(test), SCHEMA))
        tests.append(saved)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        [Path(sys.executable).with_name("pytest"), "-q", "-p", "no:cacheprovider", *tests],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(LAYOUTS)} passed" in done.stdout


def code(found: Recording, schema: dict[str, Any] | None = SCHEMA) -> str:
    """Generate a test and check that it is valid Python."""
    generated = generate_test(found, Path("tests/test_x.py"), schema)
    compile(generated, "test_x.py", "exec")
    return generated


def test_an_installed_app_needs_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pytest can import it from anywhere."""
    packages = tmp_path / "site-packages"
    (packages / "installed").mkdir(parents=True)
    (packages / "installed" / "__init__.py").write_text(BLOCK)
    monkeypatch.syspath_prepend(packages)
    generated = code(recording("installed:app"))
    assert "sys.path" not in generated
    assert "import pytest\n\nfrom installed import app\n" in generated


def test_an_app_in_another_folder_is_found(tmp_path: Path) -> None:
    """`vertexkit dev elsewhere/other.py` imports a file that is not in the working folder."""
    (tmp_path / "other.py").write_text(BLOCK)
    generated = generate_test(recording("other:app"), Path("test_x.py"), SCHEMA, [tmp_path])
    assert tmp_path.name in generated


@pytest.mark.parametrize(
    "inputs, schema, call",
    [
        ({"name": "Anna"}, SCHEMA, 'fake_dialog.run("hello", name="Anna")'),
        ({"name": "Anna", "x": 1}, SCHEMA, 'fake_dialog.call("hello", {"name": "Anna", "x": 1})'),
        ({"name": "Anna"}, None, 'fake_dialog.call("hello", {"name": "Anna"})'),
        ({"class": 1}, {"properties": {"class": {}}}, 'fake_dialog.call("hello", {"class": 1})'),
        (
            {"crash_after": 1},
            {"properties": {"crash_after": {}}},
            'fake_dialog.call("hello", {"crash_after": 1})',
        ),
    ],
)
def test_inputs_are_arguments_if_the_block_has_them(
    inputs: dict[str, Any], schema: dict[str, Any] | None, call: str
) -> None:
    """`run` would reject other names, which the platform had sent."""
    assert call in code(recording("block:app", inputs=inputs), schema)


def test_a_crash_is_repeated() -> None:
    """The crash of a recorded run happens again, after the same effect."""
    first_run = [
        {"kind": "event", "name": "claimed", "fields": {}},
        {"kind": "event", "name": "step_completed", "fields": {}},
    ]
    generated = code(recording("block:app", *first_run, fault="crash"))
    assert 'fake_dialog.run("hello", crash_after=1, name="Anna")' in generated
    assert "crash_after" not in code(recording("block:app", *first_run))


def test_no_result_is_compared_with_is() -> None:
    """As linters ask for."""
    lines: list[dict[str, Any]] = [
        {"kind": "run", "version": 1, "id": "1", "block": "b", "target": "b:app", "started": ""}
    ]
    lines[0]["inputs"] = {}
    lines.append({"kind": "end", "outcome": "gone", "code": "gone"})
    found = Recording.parse([json.dumps(line) for line in lines])
    assert "assert run.data is None" in code(found)
    assert generated_test_name(found)
