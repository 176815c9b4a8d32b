"""The probe, on platforms that answer each of its questions differently."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import pytest

from example_blocks import probe
from example_blocks.probe import app
from vertexkit.botone.http_client import asgi_client
from vertexkit.testing import FakeDialog, FakePlatform, Run, VirtualClock

NOT_YET = "Not observed yet"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The probe's folder; pauses take no time."""

    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(probe, "sleep", at_once)
    monkeypatch.setenv("PROBE_FOLDER", str(tmp_path / "probe"))
    return tmp_path / "probe"


def answers(folder: Path) -> list[str]:
    """The report's answers to the four questions, and the settings."""
    sections = (folder / "report.md").read_text("utf-8").split("\n## ")[1:]
    return [section.partition("\n\n")[2].strip() for section in sections]


async def call_probe(fake: FakeDialog, token: str, **inputs: Any) -> Run:
    run = await fake.call("probe", inputs, token)
    assert run.ok
    return run


def written(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in folder.iterdir()}


async def test_one_activation_leaves_questions_open(fake_dialog: FakeDialog, folder: Path) -> None:
    """For what was not observed the report says how to observe it; the settings are the defaults."""
    run = await fake_dialog.run("probe")
    tokens, repeats, second, typing, settings = answers(folder)
    assert all(answer.startswith(NOT_YET) for answer in (tokens, repeats, second))
    assert "twice" in tokens
    assert "hold=120" in repeats
    assert "second_complete=true" in second
    assert typing.startswith("No: 0.")
    assert "VERTEXKIT_TOKENS=reused\n" in settings
    assert "VERTEXKIT_SEND_TIMEOUT=15\n" in settings
    assert run.messages[:2] == ["Проверяю платформу: раз", "Проверяю платформу: два"]
    assert [message.typing for message in run.messages[:2]] == [False, True]
    assert run.messages[2].startswith("Токен: неизвестно. Повторных вызовов: 0.")
    assert run.data == {"tokens": None, "send_timeout": 15}


async def test_a_token_of_its_own_for_each_activation(
    fake_dialog: FakeDialog, folder: Path
) -> None:
    """If a dialog reaches the block again with another token, tokens are unique."""
    first, second = [fake_dialog.platform.issue("probe", dialog_id=900) for _ in range(2)]
    await call_probe(fake_dialog, first)
    run = await call_probe(fake_dialog, second)
    tokens, *_, settings = answers(folder)
    assert tokens.startswith("Yes")
    assert "VERTEXKIT_TOKENS=unique\n" in settings
    assert run.messages[2].startswith("Токен: свой у каждого выполнения.")


async def test_tokens_of_different_dialogs_prove_nothing(
    fake_dialog: FakeDialog, folder: Path
) -> None:
    """Different tokens of two dialogs do not show whether tokens are unique."""
    await fake_dialog.run("probe")
    await fake_dialog.run("probe")
    assert answers(folder)[0].startswith(NOT_YET)


async def test_a_token_that_cannot_be_read(folder: Path) -> None:
    """If the token does not name its dialog, an input names it."""
    platform = FakePlatform(clock=VirtualClock(), tokens="any")
    for token in ("opaque-1", "opaque-2"):
        await call_probe(FakeDialog(app, platform), token, dialog="e3a1")
    assert "VERTEXKIT_TOKENS=unique\n" in answers(folder)[-1]
    platform.check()


async def test_the_same_token_for_every_activation(fake_dialog: FakeDialog, folder: Path) -> None:
    """A single token that is used again after its execution's end shows that tokens are reused."""
    platform = fake_dialog.platform
    first, second = [platform.issue("probe", dialog_id=900) for _ in range(2)]
    await call_probe(fake_dialog, first)
    await call_probe(fake_dialog, second)
    run = await call_probe(fake_dialog, platform.issue(reuse=second))
    tokens, repeats, *_, settings = answers(folder)
    assert tokens.startswith("No: the same token came")
    assert repeats.startswith(NOT_YET)
    assert "VERTEXKIT_TOKENS=reused\n" in settings
    assert run.messages[2].startswith("Токен: общий для всех выполнений.")


async def test_a_call_during_the_completion_is_a_new_activation(
    fake_dialog: FakeDialog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not counted as a repeated call, and no second `complete` ends it early."""
    platform = fake_dialog.platform
    client = Mock()
    monkeypatch.setattr(probe, "http_client", client)

    async def again(token: str, data: Any) -> None:
        platform.call_during_complete = None
        platform.reactivate(token)
        assert (await fake_dialog.post("/blocks/probe", {"token": token}))[0] == 200

    platform.call_during_complete = again
    async with fake_dialog:
        token = platform.issue("probe")
        await call_probe(fake_dialog, token, second_complete=True)
    tokens, repeats, second, *_ = answers(folder)
    assert tokens.startswith("No")
    assert repeats.startswith(NOT_YET)
    assert second.startswith(NOT_YET)
    assert not client.called
    assert len(platform.dialog(token).completions) == 2


async def test_a_repeated_call_is_counted(
    fake_dialog: FakeDialog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same call during the hold is counted in each activation with that token."""
    token, held = fake_dialog.platform.issue("probe"), []

    async def hold(seconds: float) -> None:
        if seconds == 120:
            held.append(await fake_dialog.post("/blocks/probe", {"token": token, "hold": 120}))

    monkeypatch.setattr(probe, "sleep", hold)
    async with fake_dialog:
        run = await call_probe(fake_dialog, token, hold=120)
        assert held[0][1] == {"execution": run.execution}
        assert answers(folder)[1].startswith("Yes: ")
        assert "Повторных вызовов: 1." in run.messages[2]
        run = await call_probe(fake_dialog, fake_dialog.platform.issue(reuse=token), hold=120)
    assert "Повторных вызовов: 2." in run.messages[2]
    assert re.match(r"No: the same token came [\d.]+ s after", answers(folder)[0])


async def test_the_report_names_the_longest_hold(fake_dialog: FakeDialog, folder: Path) -> None:
    """Without a repeated call the report says how long the probe waited for one."""
    await fake_dialog.run("probe", hold=120)
    assert answers(folder)[1].startswith(f"{NOT_YET}: no repetition in 120 s")


@pytest.mark.parametrize("url", ["http://platform.test/api", "http://{instance}.test/api"])
async def test_a_second_completion_is_answered(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status of a second `complete` is recorded, and it is sent only if requested."""
    platform = FakePlatform(clock=VirtualClock())
    monkeypatch.setenv("VERTEXKIT_PLATFORM_URL", url)
    monkeypatch.setenv("VERTEXKIT_INSTANCES", "demo" if "{" in url else "")
    urls: list[str] = []

    async def note(request: httpx.Request) -> None:
        urls.append(str(request.url))

    client = asgi_client(platform)
    client.event_hooks = {"request": [note]}
    monkeypatch.setattr(probe, "http_client", lambda: client)
    await FakeDialog(app, platform).run("probe")
    platform.check()
    await FakeDialog(app, platform).run("probe", second_complete=True)
    assert answers(folder)[2].startswith("403.")
    assert [entry.status for entry in platform.ledger[-2:]] == [204, 403]
    assert platform.violations == [
        "request 9: complete: the block was already completed by request 8"
    ]
    assert urls == [url.replace("{instance}", "demo") + "/vertex/v1/complete"]


async def test_a_second_completion_of_a_second_activation(
    fake_dialog: FakeDialog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that was used again earlier does not prevent the second `complete`."""
    monkeypatch.setenv("VERTEXKIT_PLATFORM_URL", "http://127.0.0.1:9/api")
    token = fake_dialog.platform.issue("probe")
    await call_probe(fake_dialog, token)
    await call_probe(fake_dialog, fake_dialog.platform.issue(reuse=token), second_complete=True)
    assert answers(folder)[2].startswith("ConnectError.")


async def test_a_platform_that_calls_with_a_form(fake_dialog: FakeDialog, folder: Path) -> None:
    """The findings do not depend on the call's content type."""
    token = fake_dialog.platform.issue("probe")
    async with fake_dialog, asgi_client(fake_dialog._asgi) as caller:
        await caller.post("http://block.test/blocks/probe", data={"token": token})
    assert len(fake_dialog.platform.dialog(token).completions) == 1
    assert answers(folder)[3].startswith("No: 0.")


@pytest.mark.parametrize(
    "url, answer",
    [("http://127.0.0.1:9/api", "ConnectError."), ("", "not sent: VERTEXKIT_PLATFORM_URL")],
)
async def test_a_platform_that_does_not_answer_twice(
    url: str, answer: str, fake_dialog: FakeDialog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed request is recorded too; the dialog has already continued."""
    monkeypatch.setenv("VERTEXKIT_PLATFORM_URL", url)
    await fake_dialog.run("probe", second_complete=True)
    assert answers(folder)[2].startswith(answer)


@pytest.mark.parametrize(
    "seconds, answer, timeout",
    [(0.2, "No: 0.", 15), (4, "Yes: 4.", 15), (9.1, "Yes: 9.", 28), (60, "Yes: 10.", 31)],
)
async def test_typing_that_takes_time(
    seconds: float, answer: str, timeout: int, folder: Path
) -> None:
    """The timeout is three times the slowest response, cancelled after 10.1 s, or the default."""
    platform = FakePlatform(clock=VirtualClock(), typing_seconds=seconds)
    run = await FakeDialog(app, platform, send_timeout=10.1).run("probe")
    *_, typing, settings = answers(folder)
    assert typing.startswith(answer)
    assert f"VERTEXKIT_SEND_TIMEOUT={timeout}\n" in settings
    assert run.data["send_timeout"] == timeout
    platform.check()


async def test_no_secret_is_written(
    fake_dialog: FakeDialog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both files contain a token's fingerprint and no other credentials."""
    monkeypatch.setenv("VERTEXKIT_PLATFORM_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("VERTEXKIT_PASSWORD", "the-password")
    token = fake_dialog.platform.issue("probe")
    async with fake_dialog:
        path = "/blocks/probe/the-url-secret?key=the-url-secret"
        await fake_dialog.post(path, {"token": token, "second_complete": True})
    files = written(folder)
    assert files.keys() == {"findings.jsonl", "report.md"}
    assert not [part for part in [*token.split("."), "the-"] if part in "".join(files.values())]
    lines = [json.loads(line) for line in files["findings.jsonl"].splitlines()]
    assert [line["what"] for line in lines][-2:] == ["ended", "second"]
    assert {len(line["token"]) for line in lines} == {8}


def test_a_folder_that_cannot_be_written(fake_dialog: FakeDialog, folder: Path) -> None:
    """The call is accepted and the block completes."""
    folder.write_text("a file")
    assert fake_dialog.run_sync("probe").ok
