"""The command that the page copies: it calls the block with the inputs of a run, in any shell."""

import asyncio
import json
import subprocess
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser.opened_page import open_page
from tests.playground.dev import Dev
from tests.tools import TOOLS, reason

pytestmark = [
    pytest.mark.timeout(150),
    pytest.mark.unmeasured,
    pytest.mark.usefixtures("pages"),
]
INPUTS = {"name": 'it\'s $HOME `id` \\ !! "TOKEN" \n\u2019 Аня', "n": 1}
ARGUMENTS = """
curl() { case "$*" in *token*block=*) printf secret;; *) printf '%s\\0' "$@";; esac; }
"""


async def command(browser: Browser, dev: Dev, name: str) -> str:
    """The command that the page makes for these inputs."""
    opened = await open_page(browser, dev)
    script = "([name, inputs]) => import('/static/curl.js').then((m) => m[name]('http://a', 'b', inputs))"
    made: Any = await opened.page.evaluate(script, [name, INPUTS])
    return str(made)


@pytest.mark.parametrize(
    "shell",
    [
        ["bash", "--norc"],
        pytest.param(
            ["zsh", "-f"],
            marks=pytest.mark.skipif(TOOLS["zsh"].path is None, reason=reason("zsh")),
        ),
    ],
    ids=lambda shell: shell[0],
)
async def test_a_shell_passes_the_inputs_unchanged(
    shell: list[str], browser: Browser, shared_dev: Dev
) -> None:
    """Quotes, $, backticks, ! and line breaks reach curl as they are, and so does the token."""
    text = ARGUMENTS + await command(browser, shared_dev, "shellCommand")
    done = await asyncio.to_thread(
        subprocess.run, [*shell, "-c", text], capture_output=True, check=True
    )
    arguments = done.stdout.decode().split("\0")
    assert arguments[1] == "http://a/blocks/b"
    assert json.loads(arguments[5]) == {"token": "secret", **INPUTS}


SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
"""PowerShell takes each of them for a single quote (about_Quoting_Rules)."""
POWERSHELL_TEXTS = (
    "it's",
    "''",
    "'a",
    "a'",
    "\u2018a\u2019\u201ab\u201b",
    "'\u2019\u2018'",
    "$HOME $(id) ${x} `n `",
    'a\nb\t\\ " \u201c\u201d',
    "%PATH% ! & | ; # @' '@ 🙂",
    "",
)


def verbatim_strings(command: str) -> list[str]:
    """The texts of the single-quoted strings of a command, read by the rules of PowerShell.

    Such a string ends at a single quote of any form; two of them in a row stand for the first one.
    Nothing else is special in it.
    """
    texts: list[str] = []
    characters = iter(command)
    for character in characters:
        if character not in SINGLE_QUOTES:
            continue
        text = ""
        for inner in characters:
            if inner in SINGLE_QUOTES:
                following = next(characters, "")
                if not following or following not in SINGLE_QUOTES:
                    break
            text += inner
        texts.append(text)
    return texts


async def test_powershell_reads_the_inputs_unchanged(browser: Browser, shared_dev: Dev) -> None:
    """By the documented rules of its quotes, it sends the inputs, the typographic quotes included."""
    opened = await open_page(browser, shared_dev)
    made: list[str] = await opened.page.evaluate(
        """async (texts) => {
            const { powershellCommand } = await import("/static/curl.js");
            return texts.map((text) => powershellCommand("http://a", "b", { [text]: text }));
        }""",
        list(POWERSHELL_TEXTS),
    )
    for text, command in zip(POWERSHELL_TEXTS, made, strict=True):
        url, media_type, before, token, after = verbatim_strings(command)
        assert (url, token) == ("http://a/blocks/b", "http://a/token?block=b")
        assert media_type == "application/json"
        assert json.loads(f"{before}secret{after}") == {"token": "secret", text: text}
        assert command.startswith("Invoke-RestMethod 'http://a/blocks/b' -Method Post")
        assert " + (Invoke-RestMethod 'http" in command
