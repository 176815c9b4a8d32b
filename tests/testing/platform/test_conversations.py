"""Dialogs of the fake platform as methods 1 to 13 show and change them."""

from tests.testing.dialog_reader import DialogReader


async def test_a_dialogs_status_follows_the_operations(reader: DialogReader) -> None:
    """Stop, send, start, goto and the completion of a block change status and bot."""
    platform = reader.platform
    created = await reader.ask("POST", "/v2/dialog/1446/create", json={"response": True})
    uuid, number = created["dialogUUID"], created["dialogId"]

    async def status() -> str:
        return str((await reader.ask("GET", f"/v2/conversation/{uuid}"))["status"])

    assert await status() == "in-process"
    await reader.ask("POST", f"/v2/conversation/{uuid}/stop")
    assert await status() == "operator"
    await reader.ask("POST", f"/v2/conversation/{uuid}/send", json={"body": "Я оператор"})
    assert [message.text for message in platform.conversations[uuid].operator_messages] == [
        "Я оператор"
    ]
    await reader.ask("POST", f"/v2/conversation/{uuid}/start")
    assert await status() == "in-process"
    await reader.ask("POST", f"/v2/conversation/{uuid}/command", json={"body": "goto 698"})
    assert platform.conversations[uuid].bot_id == 698
    token = platform.issue("block", dialog_id=number)
    await reader.ask("POST", "/vertex/v1/complete", json={"token": token, "data": {"a": 1}})
    assert await status() == "completed"
    rejected = await reader.http.post(f"/v2/conversation/{uuid}/stop")
    assert rejected.status_code == 403


async def test_a_created_dialog_has_its_variables(reader: DialogReader) -> None:
    """Variables are a JSON object encoded as a string; the dialog exists afterwards."""
    made = await reader.ask("GET", "/v1/dialog/698/create", params={"variables": '{"имя": "Аня"}'})
    conversation = reader.platform.conversations[made["dialogId"]]
    assert (conversation.variables, conversation.started) == ({"имя": "Аня"}, False)
    assert (await reader.page(1, PageCount=1))[0][0]["id"] == conversation.id


async def test_ordered_faults_hit_these_methods_too(reader: DialogReader) -> None:
    """A fault is ordered by the client's name of the method, and hits one request."""
    reader.platform.fail("v2.conversations", status=429, retry_after=2)
    answer = await reader.http.get("/v2/conversations")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert (await reader.http.get("/v2/conversations")).status_code == 200
