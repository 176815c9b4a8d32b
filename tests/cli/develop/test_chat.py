"""`vertexkit chat`: many runs in a row."""

import pytest

from tests.cli.shell import Shell
from tests.cli.terminal import forked_terminal

DIALOG = """\
Anna
2
/again
/fault lost
Bob

/fault none
boom

/falt
/fault lots
/block helo
/help
"""


def test_blocks_run_until_the_input_ends(shell: Shell) -> None:
    """Inputs are asked for, a run is repeated, a fault is simulated, mistakes are explained."""
    done = shell.run("chat", "--fast", stdin=DIALOG)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.count('done  {"greeted": "Anna"}') == 2
    assert done.stdout.count("bot   Привет, Anna!") == 4
    assert "the completion will be sent again" in done.stdout
    assert "fail  internal: ValueError: no such thing" in done.stdout
    assert "/falt is not a command. Did you mean '/fault'?" in done.stdout
    assert "'lots' is not a fault. Did you mean 'lost'?" in done.stdout
    assert "there is no block 'helo'. Did you mean hello?" in done.stdout
    assert "/again       run the block again" in done.stdout


@pytest.mark.unmeasured
@pytest.mark.parametrize("key, code", [("Ctrl+D", 0), ("Ctrl+C", 130)])
def test_a_key_ends_the_chat_without_a_traceback(shell: Shell, key: str, code: int) -> None:
    """In a real terminal, while an input is asked for.

    Python sees a signal that comes just before it waits for the terminal with the next one.
    """
    environment = shell.environment(TERM="dumb")
    with forked_terminal("vertexkit", ["chat"], shell.folder, environment) as shown:
        shown.wait_for("name (string)> ")
        if key == "Ctrl+D":
            shown.type("\x04")
        else:
            shown.interrupt()
        exit_code, rest = shown.finish(shown.interrupt if key == "Ctrl+C" else lambda: None)
    assert exit_code == code, rest
    assert "Traceback" not in rest
