"""A model's answers in blocks, over HTTP: streamed, journalled, repeated, continued, bounded."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from vertexkit import App, Context, SettingsError, models
from vertexkit.models import (
    Budget,
    ChatModel,
    ModelFailed,
    ModelUnavailable,
    Price,
    Usage,
    openai_client,
)
from vertexkit.models.reply import CONTINUE
from vertexkit.settings import settings
from vertexkit.telemetry.redaction import redact_text
from vertexkit.testing import FakeDialog, FakeModel, Run

TALE = "Жил-был ёж. Он любил звёзды.\n\nОдна звезда упала.\n\nКонец."
PARAGRAPHS = TALE.split("\n\n")


def app_of(budget: Budget | None = None, **options: Any) -> App[ChatModel]:
    """An app whose blocks use a model."""

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[ChatModel]:
        async with ChatModel("small", budget=budget, **options) as model:
            yield model

    app = App(lifespan=lifespan)

    @app.block("story", title="Story", timeout=100)
    async def story(ctx: Context[ChatModel], text: str = "Сказку!") -> dict[str, Any]:
        reply = await ctx.state.stream(ctx, text, system="Коротко.", temperature=0.5)
        assert len(reply.messages) > 0
        return {"text": reply.text, "tokens": reply.usage.tokens, "end": reply.finish_reason}

    @app.block("ask", title="Ask", timeout=100)
    async def ask(ctx: Context[ChatModel], times: int = 1) -> dict[str, Any]:
        replies = [
            await ctx.state.ask(ctx, [{"role": "user", "content": str(number)}])
            for number in range(times)
        ]
        usage = sum((reply.usage for reply in replies), Usage())
        return {
            "texts": [reply.text for reply in replies],
            "ends": [reply.finish_reason for reply in replies],
            "tokens": usage.tokens,
            "cost": usage.cost,
            "estimated": usage.estimated,
        }

    return app


app = app_of()


def answered(run: Run) -> list[dict[str, Any]]:
    """What the log lines of the answers say."""
    return [event.fields for event in run.timeline if event.name == "model_answered"]


async def test_an_answer_is_streamed(fake_dialog: FakeDialog, fake_model: FakeModel) -> None:
    """The paragraphs are messages; the request has the prompt, the instructions and the options."""
    fake_model.answer(TALE, usage=(20, 12))
    run = await fake_dialog.run("story")
    assert run.messages == PARAGRAPHS
    assert run.data == {"text": TALE, "tokens": 32, "end": "stop"}
    [request] = fake_model.requests
    assert request["model"] == "small"
    assert request["temperature"] == 0.5
    assert request["messages"] == [
        {"role": "system", "content": "Коротко."},
        {"role": "user", "content": "Сказку!"},
    ]


async def test_a_paragraph_is_sent_while_the_model_generates(
    fake_dialog: FakeDialog, fake_model: FakeModel
) -> None:
    """The first message is sent although the rest of the answer never comes."""
    fake_model.answer(TALE, cut_after=6)
    fake_model.fail(400)
    run = await fake_dialog.run("story")
    assert run.messages == PARAGRAPHS[:1]
    assert run.data["error"]["code"] == "model_failed"


async def test_a_finished_answer_is_not_requested_again(
    fake_dialog: FakeDialog, fake_model: FakeModel
) -> None:
    """After a crash between the messages, the rest of a received answer comes from the journal."""
    fake_model.answer(TALE, usage=(20, 12))
    run = await fake_dialog.run("story", crash_after=5)
    assert (run.crashes, run.messages) == (1, PARAGRAPHS)
    assert len(fake_model.requests) == 1
    assert run.data == {"text": TALE, "tokens": 32, "end": "stop"}
    assert len(answered(run)) == 1


async def test_an_answer_is_continued_after_a_crash(
    fake_dialog: FakeDialog, fake_model: FakeModel
) -> None:
    """The second run requests a continuation of what was sent; the first request is estimated."""
    fake_model.answer(TALE, usage=(20, 12))
    fake_model.answer("Другой конец.", usage=(30, 2))
    run = await fake_dialog.run("story", crash_after="send_message")
    assert run.messages == [PARAGRAPHS[0], "Другой конец."]
    assert run.data["text"] == f"{PARAGRAPHS[0]}\n\nДругой конец."
    first, second = (request["messages"] for request in fake_model.requests)
    assert second[:2] == first
    assert second[2]["role"] == "assistant"
    assert second[2]["content"].strip() == PARAGRAPHS[0]
    assert second[3] == {"role": "user", "content": CONTINUE}
    assert run.data["tokens"] > 32


async def test_a_crash_at_any_effect_repeats_no_message(
    fake_dialog: FakeDialog, fake_model: FakeModel
) -> None:
    """The process dies after every effect: each paragraph is still sent once."""
    rest = TALE
    for paragraph in PARAGRAPHS:
        fake_model.answer(rest)
        rest = rest.removeprefix(paragraph).lstrip()
    run = await fake_dialog.run("story", crash_everywhere=True)
    assert run.messages == PARAGRAPHS
    assert run.ok


async def test_a_cut_stream_is_continued(fake_dialog: FakeDialog, fake_model: FakeModel) -> None:
    """The next request continues the answer at the word where the connection was cut."""
    words = TALE.split(" ")
    fake_model.answer(TALE, cut_after=4)
    fake_model.answer(" ".join(words[4:]), usage=(1, 1))
    run = await fake_dialog.run("story")
    assert run.messages == PARAGRAPHS
    assert run.events.count("step_retried") == 1
    received = fake_model.requests[1]["messages"][2]["content"]
    assert received == " ".join(words[:4]) + " "


@pytest.mark.unmeasured
@pytest.mark.parametrize("status", [429, 500, 503, 408])
async def test_a_busy_server_is_asked_again(
    fake_dialog: FakeDialog, fake_model: FakeModel, status: int
) -> None:
    """The request is repeated after the pause that the server asks for."""
    fake_model.fail(status, retry_after=20)
    fake_model.answer("Да.", usage=(1, 1))
    run = await fake_dialog.run("ask")
    assert run.data["texts"] == ["Да."]
    [retried] = [event for event in run.timeline if event.name == "step_retried"]
    assert retried.fields["seconds"] >= 20


async def test_a_server_that_stays_busy_fails_the_block(
    fake_dialog: FakeDialog, fake_model: FakeModel
) -> None:
    """After the last attempt the bot gets a code, and the log has the status."""
    for _ in range(3):
        fake_model.fail(429, code="rate_limit_exceeded")
    run = await fake_dialog.run("ask")
    assert run.data["error"]["code"] == "model_unavailable"
    assert isinstance(run.error, ModelUnavailable)
    assert (run.error.status, run.error.error_code) == (429, "rate_limit_exceeded")


@pytest.mark.parametrize(
    "status, code, hint",
    [
        (400, "context_length_exceeded", "context_length_exceeded"),
        (401, "invalid_api_key", "OPENAI_API_KEY"),
        (404, "model_not_found", "OPENAI_BASE_URL"),
        (429, "insufficient_quota", "insufficient_quota"),
    ],
)
async def test_a_final_error_is_not_repeated(
    fake_dialog: FakeDialog, fake_model: FakeModel, status: int, code: str, hint: str
) -> None:
    """One request is made, and the error says what to check."""
    fake_model.fail(status, code=code)
    run = await fake_dialog.run("ask")
    assert len(fake_model.requests) == 1
    assert type(run.error) is ModelFailed
    assert hint in str(run.error)
    assert run.data["error"]["code"] == "model_failed"


async def test_a_silent_server_counts_as_busy(fake_model: FakeModel) -> None:
    """If the server sends nothing for the model's timeout, the request is repeated."""
    for _ in range(2):
        fake_model.hang()
    run = await FakeDialog(app_of(timeout=0.05, attempts=2)).run("ask")
    assert run.data["error"]["code"] == "model_unavailable"
    assert "sent nothing in time" in str(run.error)
    assert run.events.count("step_retried") == 1


async def test_a_server_that_cannot_be_reached(
    fake_dialog: FakeDialog, fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection is retried like a busy server."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    run = await fake_dialog.run("ask")
    assert run.data["error"]["code"] == "model_unavailable"
    assert run.events.count("step_retried") == 2


async def test_requests_are_not_repeated_in_a_second_run(
    fake_dialog: FakeDialog, fake_model: FakeModel
) -> None:
    """A crash after each effect pays for each request once."""
    for number in range(3):
        fake_model.answer(str(number), usage=(10, 1))
    run = await fake_dialog.run("ask", crash_everywhere=True, times=3)
    assert run.data["texts"] == ["0", "1", "2"]
    assert len(fake_model.requests) == 3
    assert run.data["tokens"] == 33


async def test_usage_is_noted_and_priced(fake_model: FakeModel) -> None:
    """The reported tokens are logged with their cost; without a report they are estimated."""
    fake_model.answer("а" * 30, usage=(1_000_000, 500_000))
    fake_model.answer("б" * 30)
    run = await FakeDialog(app_of(price=Price(input=2, output=8))).run("ask", times=2)
    first, second = answered(run)
    assert (first["input_tokens"], first["output_tokens"], first["cost"]) == (1_000_000, 500_000, 6)
    assert second["output_tokens"] == 10
    assert run.data["estimated"]


async def test_a_spent_budget_answers_with_its_fallback(fake_model: FakeModel) -> None:
    """Requests end when the budget of the execution is spent; the fallback is sent instead."""
    budget = Budget(execution_tokens=100, fallback="На сегодня всё.")
    fake_model.answer("Раз.", usage=(60, 0))
    fake_model.answer("Два.", usage=(60, 0))
    run = await FakeDialog(app_of(budget)).run("ask", times=3)
    assert run.data["texts"] == ["Раз.", "Два.", "На сегодня всё."]
    assert run.data["ends"] == ["stop", "stop", "budget"]
    run = await FakeDialog(app_of(Budget(execution_tokens=0, fallback="Нет."))).run("story")
    assert run.messages == ["Нет."]
    assert run.data == {"text": "Нет.", "tokens": 0, "end": "budget"}


async def test_a_spent_budget_without_a_fallback_fails_the_block(fake_model: FakeModel) -> None:
    """The bot gets the code `budget_exceeded`; money counts as tokens do."""
    fake_model.answer("Раз.", usage=(10, 10))
    dialog = FakeDialog(app_of(Budget(execution_cost=0.001), price=Price(input=100, output=100)))
    run = await dialog.run("ask", times=2)
    assert run.data["error"]["code"] == "budget_exceeded"
    assert len(fake_model.requests) == 1


async def test_a_dialog_has_a_budget(fake_model: FakeModel) -> None:
    """What earlier executions of the dialog have used counts; another dialog has its own budget."""
    budget = Budget(dialog_tokens=100, fallback="На сегодня всё.")
    fake_model.answer("Раз.", usage=(60, 0))
    fake_model.answer("Два.", usage=(60, 0))
    fake_model.answer("Три.", usage=(60, 0))
    fake_dialog = FakeDialog(app_of(budget))
    anna = fake_dialog.in_dialog(1)
    texts = [
        (await anna.run("ask", crash_everywhere=number == 0)).data["texts"] for number in range(3)
    ]
    assert texts == [["Раз."], ["Два."], ["На сегодня всё."]]
    assert anna.memory["vertexkit.models"]["input_tokens"] == 120
    assert (await fake_dialog.in_dialog(2).run("ask")).data["texts"] == ["Три."]


async def test_the_key_is_in_no_text(
    fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither an error nor the log nor a repr contains the API key or what the user wrote."""
    caplog.set_level("DEBUG")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    run = await FakeDialog(app).run("story", text="мой секрет")
    assert run.data["error"]["code"] == "model_failed"
    seen = caplog.text + repr([event.fields for event in run.timeline]) + json.dumps(run.data)
    assert "401" in seen
    assert "sk-very-secret" not in seen + repr(ChatModel("small"))
    assert "мой секрет" not in seen


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a key the service does not start, and the error names the variable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SettingsError, match="OPENAI_API_KEY is not set"):
        ChatModel("small")


@pytest.mark.parametrize("file", [".env", "secrets/openai_api_key", "secrets/OPENAI_API_KEY"])
def test_the_key_is_read_as_settings_are(
    file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From `.env`, or a file in the folder of secrets; the environment overrides both."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(settings, "SECRETS_DIR", str(tmp_path / "secrets"))
    (tmp_path / file).parent.mkdir(exist_ok=True)
    text = "OPENAI_API_KEY=from-the-file\n" if file == ".env" else "from-the-file\n"
    (tmp_path / file).write_text(text, encoding="utf-8")
    assert openai_client().api_key == "from-the-file"
    monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
    assert openai_client().api_key == "from-the-environment"


async def test_a_client_of_ones_own(fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """An author's client is used as it is, without the environment, and it stays open."""
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    fake_model.answer("Да.")
    async with openai_client(api_key="sk-fake-model", base_url=fake_model.url) as client:
        run = await FakeDialog(app_of(client=client)).run("ask")
        assert not client.is_closed()
    assert run.data["texts"] == ["Да."]


async def test_the_options_of_a_request_can_be_replaced(fake_model: FakeModel) -> None:
    """For servers that do not know `stream_options`, and report no usage in streams."""
    fake_model.answer("Да.", usage=(100, 100))
    app = app_of()

    @app.block("old", title="Old server")
    async def old(ctx: Context[ChatModel]) -> bool:
        reply = await ctx.state.stream(ctx, "Да?", stream_options=openai.omit)
        return reply.usage.estimated

    run = await FakeDialog(app).run("old")
    assert run.data == {"result": True}
    assert "stream_options" not in fake_model.requests[0]


@pytest.mark.parametrize("key, shown", [("sk-0123456789abcdef", False), ("ollama", True)])
def test_the_key_is_masked_in_logs(key: str, shown: bool, fake_model: FakeModel) -> None:
    """Whatever an author logs, unless the key is a short word for a server without keys."""
    openai_client(api_key=key)
    assert (key in redact_text(f"the key is {key}")) == shown


@pytest.mark.parametrize(
    "name, package, extra",
    [("ChatModel", "openai", "llm"), ("AgentSteps", "pydantic_ai", "agents")],
)
def test_a_missing_extra_is_named(
    name: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of an import says what to install."""

    def fail(module: str) -> None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=f"{package}.some")

    monkeypatch.setattr(models, "import_module", fail)
    with pytest.raises(ImportError, match=f"needs the extra '{extra}': pip install"):
        models.__getattr__(name)
