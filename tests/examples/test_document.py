"""A statement that the user has uploaded."""

import pytest

from example_blocks.document import app as app
from vertexkit.testing import FakeDialog, Run
from vertexkit.testing.platform.conversation import FakeAnswer

STATEMENT = "Дата;Сумма\r\n01.05.2023;1250,50\r\n02.05.2023;-250,00\r\n"


async def upload(dialog: FakeDialog, content: bytes | None) -> Run:
    """Run the block in a dialog in which this file was uploaded."""
    platform = dialog.platform
    answers = []
    if content is not None:
        file = platform.conversations.add_file("выписка за май.csv", content, "text/csv")
        answers.append(FakeAnswer("Выписка", "File", file=file.id))
    platform.conversations.add(1502, id=900, answers=answers)
    return await dialog.call("document", {}, platform.issue("document", dialog_id=900))


async def test_a_statement_is_summed_up(fake_dialog: FakeDialog) -> None:
    """The uploaded file is downloaded, read and summed up."""
    run = await upload(fake_dialog, STATEMENT.encode("utf-8-sig"))
    assert run.messages == ["Читаю выписку…", "Строк: 2, сумма: 1000.50 ₽"]
    assert run.data == {"lines": 2, "total": "1000.50"}


@pytest.mark.parametrize(
    "content, code",
    [
        (None, "no_file"),
        (b"\xff\xfe\x00", "not_readable"),
        (b"a;b\n1;2\n", "not_readable"),
        ("Сумма\nмного\n".encode(), "not_readable"),
    ],
)
async def test_a_missing_or_unreadable_statement_has_a_code(
    content: bytes | None, code: str, fake_dialog: FakeDialog
) -> None:
    """The bot can branch on the code if there is no file or the file is not a statement."""
    run = await upload(fake_dialog, content)
    assert run.data["error"]["code"] == code
