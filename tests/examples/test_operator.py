"""A dialog that is handed to an operator."""

from example_blocks.operator import app as app
from vertexkit.testing import FakeDialog
from vertexkit.testing.platform.conversation import FakeAnswer


async def test_the_operator_gets_the_dialog_and_its_answers(fake_dialog: FakeDialog) -> None:
    """The bot stops, the operator reads the answers so far, and the block ends."""
    platform = fake_dialog.platform
    conversation = platform.conversations.add(
        1446, id=900, answers=[FakeAnswer("Номер заказа", answer="A-17")]
    )
    token = platform.issue("operator", dialog_id=900)
    run = await fake_dialog.call("operator", {"uuid": str(conversation.uuid)}, token)
    assert run.messages == ["Приглашаю оператора, подождите минуту…"]
    assert run.data == {"handed": True}
    assert conversation.own_status == "operator"
    assert [message.text for message in conversation.operator_messages] == [
        "Клиент просит оператора\nНомер заказа: A-17"
    ]


async def test_the_dialog_is_found_by_itself(fake_dialog: FakeDialog) -> None:
    """A bot that does not know the dialog's UUID passes none."""
    platform = fake_dialog.platform
    conversation = platform.conversations.add(1446, id=900)
    run = await fake_dialog.call("operator", {}, platform.issue("operator", dialog_id=900))
    assert run.data == {"handed": True}
    assert conversation.own_status == "operator"


async def test_without_an_operator_the_bot_continues(fake_dialog: FakeDialog) -> None:
    """If the platform rejects the handover, the user is informed and the bot can branch on it."""
    platform = fake_dialog.platform
    conversation = platform.conversations.add(1446, id=900)
    platform.fail("v2.stop", status=403)
    token = platform.issue("operator", dialog_id=900)
    run = await fake_dialog.call("operator", {"uuid": str(conversation.uuid)}, token)
    assert run.messages[-1] == "Оператор сейчас недоступен. Продолжим здесь."
    assert run.data == {"handed": False}
