"""Files of the fake platform."""

from tests.testing.dialog_reader import DialogReader
from vertexkit.testing.platform.conversation import FakeAnswer


async def test_a_file_is_found_by_its_answers_link(reader: DialogReader) -> None:
    """An answer's link ends in the file's id; both versions return its bytes and its name."""
    file = reader.platform.conversations.add_file("отчёт №1.pdf", b"%PDF", "application/pdf")
    conversation = reader.platform.conversations.add(
        698, answers=[FakeAnswer("Файл", "File", file=file.id)]
    )
    dialog = await reader.ask("GET", f"/v1/conversation/{conversation.id}")
    link = dialog["data"][0]["answer"]
    assert link == f"http://demo.test/web/file/{file.id}"
    for version in (1, 2):
        answer = await reader.http.get(f"/v{version}/file/{file.id}")
        assert (answer.content, answer.headers["content-type"]) == (b"%PDF", "application/pdf")
        assert "%D0%BE%D1%82%D1%87" in answer.headers["content-disposition"]
