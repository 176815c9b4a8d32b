"""The assistant, with a fake server of language models."""

from example_blocks.assistant import app as app
from vertexkit.testing import FakeDialog, FakeModel

ANSWER = "Есть зелёный чай.\n\nСколько пачек?"


async def test_it_remembers_the_dialog(fake_dialog: FakeDialog, fake_model: FakeModel) -> None:
    """The second question is asked with the first one and its answer; another dialog has neither."""
    fake_model.answer(ANSWER, usage=(30, 9))
    fake_model.answer("Записала: две.", usage=(50, 3))
    fake_model.answer("Здравствуйте!")
    anna = fake_dialog.in_dialog(1)
    run = await anna.run("assistant", question="Какой есть чай?")
    assert run.messages == ANSWER.split("\n\n")
    assert run.data == {"text": ANSWER, "tokens": 39}
    await anna.run("assistant", question="Две.")
    await fake_dialog.in_dialog(2).run("assistant", question="Привет")
    asked = [[m["content"] for m in request["messages"][1:]] for request in fake_model.requests]
    assert asked == [["Какой есть чай?"], ["Какой есть чай?", ANSWER, "Две."], ["Привет"]]
    assert len(anna.memory["history"]) == 4


async def test_a_long_dialog_is_cut(fake_dialog: FakeDialog, fake_model: FakeModel) -> None:
    """The memory keeps the last messages."""
    anna = fake_dialog.in_dialog(1)
    anna.memory["history"] = [{"role": "user", "content": str(number)} for number in range(10)]
    fake_model.answer("Да.")
    await anna.run("assistant", question="Есть?")
    assert [turn["content"] for turn in anna.memory["history"]][-3:] == ["9", "Есть?", "Да."]
    assert len(anna.memory["history"]) == 10


async def test_a_crash_pays_once(fake_dialog: FakeDialog, fake_model: FakeModel) -> None:
    """The process dies after the answer was received: one request, each message once."""
    fake_model.answer("Есть зелёный чай.", usage=(30, 9))
    anna = fake_dialog.in_dialog(1)
    run = await anna.run("assistant", crash_everywhere=True, question="Какой есть чай?")
    assert run.messages == ["Есть зелёный чай."]
    assert len(fake_model.requests) == 1


async def test_a_spent_budget_is_explained(fake_dialog: FakeDialog, fake_model: FakeModel) -> None:
    """The user gets the fallback; the model is not asked and the memory stays as it is."""
    anna = fake_dialog.in_dialog(1)
    anna.memory["vertexkit.models"] = {"input_tokens": 50_000}
    run = await anna.run("assistant", question="Какой есть чай?")
    assert run.messages == ["На сегодня это всё. Передаю вопрос коллегам."]
    assert "history" not in anna.memory


async def test_a_failure_is_explained(fake_dialog: FakeDialog, fake_model: FakeModel) -> None:
    """The user gets an apology, and the bot a code to branch on."""
    fake_model.fail(401)
    run = await fake_dialog.in_dialog(1).run("assistant", question="Какой есть чай?")
    assert run.messages == ["Сейчас ответить не получается. Попробуйте позже."]
    assert run.data["error"]["code"] == "model_failed"
