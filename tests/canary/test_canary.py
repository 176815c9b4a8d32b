"""Marked secrets pass through a real service's error paths; then all output is searched."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.canary.cage import APP, KEY, PASSWORD, URL_SECRET, Cage
from tests.http_server import listening
from vertexkit.testing import FakePlatform

pytestmark = pytest.mark.unmeasured

OPAQUE = "canary-token.opaque-'\"\\-0123456789"
TEXT = "canary text of a message"
MARKS = {"the URL's secret": URL_SECRET, "the password": PASSWORD, "a message's text": TEXT}
WAYS = re.findall(r'case "(\w+)"', APP.read_text(encoding="utf-8"))


@pytest.fixture
async def cage(tmp_path: Path) -> AsyncIterator[Cage]:
    """A folder with an app, and a platform for it."""
    platform = FakePlatform(tokens="any")
    async with listening(platform) as port:
        cage = Cage(tmp_path, platform, port)
        yield cage
        await cage.end()


async def make_noise(cage: Cage, tokens: Iterator[str]) -> int:
    """Cause every error, one by one; returns the number of executions."""
    for way in WAYS:
        token = next(tokens)
        if way == "send":
            cage.platform.fail("send_message", status=400, body={"error": f"bad {token}"})
        assert (await cage.call("noisy", token, way=way)).status_code == 200
    assert (await cage.call("good", next(tokens))).status_code == 200
    for body in (b"{", b"[1]", b'{"token": 7}', b'{"token": "%b"' % next(tokens).encode()):
        await cage.ask("POST", f"/blocks/good?key={KEY}", content=body)
    await cage.call("good", next(tokens), filler="x" * 30_000)
    await cage.call("nowhere", next(tokens))
    await cage.call("choosy", next(tokens), secret=URL_SECRET)
    for name in ("secret", "worse"):
        token = next(tokens)
        await cage.call("choosy", token, **{name: token})
    await cage.call("choosy", f"{next(tokens)} \n")
    for path in ("/blocks", "/openapi.json", "/healthz", "/readyz", "/metrics"):
        status = (await cage.ask("GET", f"{path}?key={KEY}")).status_code
        assert status == 200 or path == "/readyz"  # a handler has just held the loop up
        await cage.ask("POST", f"{path}?key={KEY}")
    await cage.ask("GET", f"/blocks/good/{KEY}")
    await cage.ask("POST", f"/blocks/good/{KEY}/more", content=KEY)
    return len(WAYS) + 1


@pytest.mark.parametrize("kind", ["jwt", "opaque"])
async def test_no_secret_gets_out(cage: Cage, kind: str) -> None:
    """Not into a line, a traceback, an answer, a figure, a page, a command's output or a file.

    The journal alone has the token of what is still under way.
    """
    given: list[str] = []

    def issue() -> Iterator[str]:
        while True:
            opaque = f"{OPAQUE}{len(given)}"
            given.append(cage.platform.issue("noisy") if kind == "jwt" else opaque)
            yield given[-1]

    tokens = issue()
    await cage.run("check", "caged:app")
    await cage.serve()
    number = await make_noise(cage, tokens)
    await cage.settled(number)
    await cage.ask("GET", f"/metrics?key={KEY}")
    waiting = next(tokens)
    execution = (await cage.call("waits", waiting)).json()["execution"]
    for command in ("list", "list --json", f"show {execution}", f"show {execution} --json"):
        output = await cage.run("executions", *command.split())
        assert execution[:12] in output, output
    await cage.end()
    lines = cage.outputs["service out"].decode().splitlines()
    events = {json.loads(line).get("event") for line in lines}
    assert {
        "handler_failed",
        "result_invalid",
        "loop_blocked",
        "send_failed",
        "rejected_call_completed",
    } <= events
    assert any("[secret]" in line for line in lines)
    marks = MARKS | {f"token {n}": token for n, token in enumerate(given)}
    marks |= {f"signature {n}": t.split(".")[2] for n, t in enumerate(given) if kind == "jwt"}
    leaks = cage.leaks(marks)
    assert not leaks, "\n".join(leaks)
    journal = cage.journal()
    assert waiting.encode() in journal
    assert not [mark for mark in (URL_SECRET, PASSWORD) if mark.encode() in journal]


@pytest.mark.parametrize(
    "name, value",
    [
        ("PORT", PASSWORD),
        ("PLATFORM_URL", f"http://operator:{quote(PASSWORD, safe='')}@127.0.0.1/api"),
        ("PLATFORM_URL", f"http://127.0.0.1/api?key={PASSWORD}"),
        ("JOURNAL", f"redis://operator:{quote(PASSWORD, safe='')}@127.0.0.1/0"),
        ("ACK_STATUS", URL_SECRET),
    ],
)
async def test_a_bad_setting_is_named_and_not_shown(cage: Cage, name: str, value: str) -> None:
    """A secret in a wrong setting: the error names only the setting."""
    for command in ("run", "check"):
        output = await cage.run(command, "caged:app", **{f"VERTEXKIT_{name}": value})
        assert f"VERTEXKIT_{name}" in output or (command, name) == ("check", "JOURNAL")
    leaks = cage.leaks({"the password": PASSWORD, "the URL's secret": URL_SECRET})
    assert not leaks, "\n".join(leaks)
