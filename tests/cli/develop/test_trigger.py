"""`vertexkit trigger`: one run of a block, shown."""

import json
from typing import Any

import pytest


def test_a_dialog_is_shown_line_by_line(shell: Any) -> None:
    """Who says what, and what the block was completed with; exit code 0."""
    done = shell.run("trigger", "hello:app", "-i", "name=Аня", "--fast")
    assert done.returncode == 0
    assert [line.rstrip() for line in done.stdout.splitlines()] == [
        '  you   hello name="Аня"',
        "  bot   Привет, Аня!",
        '  done  {"greeted": "Аня"}  0.7 s',
    ]
    assert "greeted" in done.stderr  # the author's own log line
    assert "settled" not in done.stderr  # vertexkit's is left out


def test_a_failure_is_told_by_its_line_in_the_authors_file(shell: Any) -> None:
    """An exception of a handler is one sentence and the place; the bot's data; exit code 1."""
    done = shell.run("trigger", "hello:app", "-i", "name=boom", "--fast")
    assert done.returncode == 1
    assert "fail  internal: ValueError: no such thing" in done.stdout
    assert 'hello.py:12    raise ValueError("no such thing")' in done.stdout
    assert '"code": "internal"' in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    done = shell.run("trigger", "hello:app", "-i", "name=boom", "--fast", "--debug")
    assert "Traceback" in done.stdout
    assert "settled" in done.stderr  # with --debug vertexkit speaks too


def test_a_failure_that_the_author_declares_is_shown_as_it_is(shell: Any) -> None:
    """`BlockFailed` is no fault of the code: no file, no line."""
    done = shell.run("trigger", "hello:app", "-i", "name=nobody", "--fast")
    assert done.returncode == 1
    assert "fail  no_such_person: We do not know them." in done.stdout
    assert "hello.py" not in done.stdout


def test_a_second_run_is_announced(shell: Any) -> None:
    """`Retry` shows when the handler runs again, and why; with --fast nobody waits."""
    done = shell.run("trigger", "hello:app", "-i", "name=later", "--fast")
    assert done.returncode == 0
    assert "the handler will run again in 30 s: not yet" in done.stdout
    assert done.stdout.count("Привет, later!") == 1  # what was sent is not sent again


def test_inputs_that_do_not_fit_are_told_with_what_would(shell: Any) -> None:
    """Each wrong input with its reason, strangers, and what the block takes; exit code 2."""
    done = shell.run("trigger", "hello:app", "-i", "nme=x", "-i", "times=many")
    assert done.returncode == 2
    assert "'nme' is not an input of this block; ignored. Did you mean name?" in done.stdout
    assert "name: Field required" in done.stdout
    assert "times: Input should be a valid integer" in done.stdout
    assert "expected: name: string, times: integer = 1" in done.stdout


def test_json_is_for_programs(shell: Any) -> None:
    """One object with messages, data, outcome, timeline; nothing else on standard output."""
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
    """`-f -` reads what another program writes; -i wins over it."""
    done = shell.run(
        "trigger", "hello.py", "-f", "-", "-i", "name=B", "--fast", stdin='{"times": 2, "name": 1}'
    )
    assert done.stdout.count("Привет, B!") == 2


@pytest.mark.parametrize("arguments", [["hello"], ["hello:app", "hello"], []])
def test_app_and_block_may_be_named_either_way(shell: Any, arguments: list[str]) -> None:
    """With VERTEXKIT_APP set, `trigger hello` means the block."""
    done = shell.run("trigger", *arguments, "-i", "name=x", "--fast", app="hello:app")
    assert done.returncode == 0, done.stderr
    assert "Привет, x!" in done.stdout


def test_settings_of_the_handler_hold_here_too(shell: Any) -> None:
    """VERTEXKIT_TIMEOUT ends a handler in the terminal as it would in the service."""
    (shell.folder / "slow.py").write_text(
        "import asyncio\nfrom vertexkit import App, Context\napp = App()\n"
        "@app.block('slow')\nasync def slow(ctx: Context) -> None:\n    await asyncio.sleep(3600)\n"
    )
    done = shell.run("trigger", "slow:app", timeout="0.05", cleanup="0.05")
    assert done.returncode == 1
    assert "fail  timeout: The block did not finish in time." in done.stdout


def test_the_authors_last_word_is_heard(shell: Any) -> None:
    """`on_failure` still says what a failed block is completed with."""
    with (shell.folder / "hello.py").open("a", encoding="utf-8") as file:
        file.write(
            "\nasync def sorry(ctx, failure):\n    await ctx.send_message('Увы')\n"
            "    return {'sorry': failure.code}\n\napp.on_failure = sorry\n"
        )
    done = shell.run("trigger", "hello:app", "-i", "name=boom", "--fast")
    assert "bot   Увы" in done.stdout
    assert '{"sorry": "internal"}' in done.stdout
