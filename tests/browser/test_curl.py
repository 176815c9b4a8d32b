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

pytestmark = [pytest.mark.timeout(150), pytest.mark.usefixtures("pages")]
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


async def test_powershell_gets_its_own_form(browser: Browser, shared_dev: Dev) -> None:
    """Each quote in a text is doubled, typographic ones too: all of them end a text there."""
    text = await command(browser, shared_dev, "powershellCommand")
    assert text.startswith("Invoke-RestMethod 'http://a/blocks/b' -Method Post")
    assert "(Invoke-RestMethod 'http://a/token?block=b')" in text
    assert "it''s $HOME `id`" in text
    assert "\u2019\u2019" in text
