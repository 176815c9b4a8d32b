"""`vertexkit trigger`: a run of a block in the terminal."""

import json
import re
from typing import Any

import pytest


def test_the_dialog_is_printed_line_by_line(shell: Any) -> None:
    """The call, the messages and the result are printed; the exit code is 0."""
    done = shell.run("trigger", "hello:app", "-i", "name=Аня", "--fast")
    assert done.returncode == 0
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[:-1] == ['  you   hello name="Аня"', "  bot   Привет, Аня!"]
    assert re.fullmatch(r'  done  {"greeted": "Аня"}  \d+\.\d s', lines[-1])
    assert "greeted" in done.stderr  # the author's own log line
    assert "settled" not in done.stderr  # vertexkit's log lines are not printed


@pytest.mark.unmeasured
def test_a_failure_names_the_line_in_the_authors_file(shell: Any) -> None:
    """The error, its location and the block's result are printed; the exit code is 1."""
    done = shell.run("trigger", "hello:app", "-i", "name=boom", "--fast")
    assert done.returncode == 1
    assert "fail  internal: ValueError: no such thing" in done.stdout
    assert 'hello.py:12    raise ValueError("no such thing")' in done.stdout
    assert '"code": "internal"' in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    done = shell.run("trigger", "hello:app", "-i", "name=boom", "--fast", "--debug")
    assert "Traceback" in done.stdout
    assert "settled" in done.stderr  # with --debug vertexkit's log lines are printed too


def test_a_block_failed_error_is_printed_without_a_location(shell: Any) -> None:
    """`BlockFailed` is not an error in the code, so no file and line are printed."""
    done = shell.run("trigger", "hello:app", "-i", "name=unknown", "--fast")
    assert done.returncode == 1
    assert "fail  no_such_person: There is no such person." in done.stdout
    assert "hello.py" not in done.stdout


def test_a_retry_is_printed(shell: Any) -> None:
    """When and why the handler will run again is printed; with --fast there is no delay."""
    done = shell.run("trigger", "hello:app", "-i", "name=later", "--fast")
    assert done.returncode == 0
    assert "the handler will run again in 30 s: not yet" in done.stdout
    assert done.stdout.count("Привет, later!") == 1  # what was sent is not sent again


def test_invalid_inputs_are_printed_with_the_expected_ones(shell: Any) -> None:
    """Errors, unknown inputs and the expected inputs are printed; the exit code is 2."""
    done = shell.run("trigger", "hello:app", "-i", "nme=x", "-i", "times=many")
    assert done.returncode == 2
    assert "'nme' is not an input of this block; ignored. Did you mean name?" in done.stdout
    assert "name: Field required" in done.stdout
    assert "times: Input should be a valid integer" in done.stdout
    assert "expected: name: string, times: integer = 1" in done.stdout


def test_json_output_has_the_whole_run(shell: Any) -> None:
    """Standard output is one object with messages, data, outcome and timeline."""
    done = shell.run("trigger", "hello:app", "-i", "name=later", "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert report["messages"][0]["text"] == "Привет, later!"
    assert report["messages"][0]["typing"] is True
    assert report["data"] == {"greeted": "later"}
    assert report["outcome"]["status"] == "completed"
    assert (report["attempts"], report["retries"]) == (2, 1)
    assert report["timeline"][0]["event"] == "accepted"
    assert report["timeline"][0]["at"] == 0


def test_inputs_come_from_a_file_or_standard_input(shell: Any) -> None:
    """`-f -` reads standard input; `-i` overrides it."""
    done = shell.run(
        "trigger", "hello.py", "-f", "-", "-i", "name=B", "--fast", stdin='{"times": 2, "name": 1}'
    )
    assert done.stdout.count("Привет, B!") == 2


@pytest.mark.parametrize("arguments", [["hello"], []])
def test_the_app_file_is_found(shell: Any, arguments: list[str]) -> None:
    """Without VERTEXKIT_APP, hello.py in the folder is the app, as for `vertexkit dev`."""
    done = shell.run("trigger", *arguments, "-i", "name=x", "--fast")
    assert done.returncode == 0, done.stderr
    assert "Привет, x!" in done.stdout


def test_a_block_of_the_app_file_can_be_named(shell: Any) -> None:
    """`trigger greet` is a block of main.py if there is no greet.py."""
    text = (shell.folder / "hello.py").read_text(encoding="utf-8")
    text = text.replace('"hello", title', '"greet", title')
    (shell.folder / "hello.py").write_text(text, encoding="utf-8")
    done = shell.run("trigger", "greet", "-i", "name=x", "--fast")
    assert "Привет, x!" in done.stdout


def test_a_rejected_call_is_replayed_as_it_was_printed(shell: Any) -> None:
    """`replay` prints `fail 422`, and not a result, as `trigger` does."""
    triggered = shell.run("trigger", "hello:app", "-i", "times=2", "--fast")
    replayed = shell.run("replay", "last")
    [failed] = [line for line in triggered.stdout.splitlines() if "fail" in line]
    assert failed in replayed.stdout.splitlines()
    assert "422" in failed
    assert "done" not in replayed.stdout


def test_the_author_s_error_is_replayed_as_it_was_printed(shell: Any) -> None:
    """`replay` shows the author's own lines, and no traceback of vertexkit, as `trigger` does."""
    (shell.folder / "boom.py").write_text(
        "from vertexkit import App, Context\napp = App()\n\n@app.block('boom')\n"
        "async def boom(ctx: Context) -> None:\n    raise LookupError('no rate')\n",
        encoding="utf-8",
    )
    shell.run("trigger", "boom", "--fast")
    replayed = shell.run("replay", "last")
    assert "fail  internal: LookupError: no rate" in replayed.stdout
    assert "boom.py:6    raise LookupError('no rate')" in replayed.stdout
    assert "Traceback" not in replayed.stdout + replayed.stderr


@pytest.mark.unmeasured
@pytest.mark.parametrize("arguments", [["hello"], ["hello:app", "hello"], []])
def test_app_and_block_can_be_given_separately(shell: Any, arguments: list[str]) -> None:
    """With VERTEXKIT_APP set, `trigger hello` means the block."""
    done = shell.run("trigger", *arguments, "-i", "name=x", "--fast", app="hello:app")
    assert done.returncode == 0, done.stderr
    assert "Привет, x!" in done.stdout


def test_settings_of_handlers_apply(shell: Any) -> None:
    """VERTEXKIT_TIMEOUT limits a handler in the terminal as in the service."""
    (shell.folder / "slow.py").write_text(
        "import asyncio\nfrom vertexkit import App, Context\napp = App()\n"
        "@app.block('slow')\nasync def slow(ctx: Context) -> None:\n    await asyncio.sleep(3600)\n"
    )
    done = shell.run("trigger", "slow:app", timeout="0.05", cleanup="0.05")
    assert done.returncode == 1
    assert "fail  timeout: The block did not finish in time." in done.stdout


def test_the_on_failure_hook_is_called(shell: Any) -> None:
    """The result of `on_failure` is the result of a failed block."""
    with (shell.folder / "hello.py").open("a", encoding="utf-8") as file:
        file.write(
            "\nasync def sorry(ctx, failure):\n    await ctx.send_message('Увы')\n"
            "    return {'sorry': failure.code}\n\napp.on_failure = sorry\n"
        )
    done = shell.run("trigger", "hello:app", "-i", "name=boom", "--fast")
    assert "bot   Увы" in done.stdout
    assert '{"sorry": "internal"}' in done.stdout
