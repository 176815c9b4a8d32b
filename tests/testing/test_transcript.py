"""`run.transcript`: what the dialog saw as plain JSON, equal in every run."""

import json

from vertexkit import App, BlockFailed, Context
from vertexkit.testing import FakeDialog

app = App()


@app.block("hello")
async def hello(ctx: Context, name: str) -> dict[str, str]:
    await ctx.send_message(f"Hello, {name}!")
    if name == "Bob":
        raise BlockFailed("no_such_person", "There is no such person.")
    return {"greeted": name}


async def test_it_has_the_messages_and_the_end() -> None:
    """Runs with other tokens, dialogs and times have the same transcript, which is JSON."""
    dialog = FakeDialog(app)
    first = await dialog.run("hello", name="Anna")
    again = await dialog.run("hello", name="Anna")
    assert first.messages[0].message_id != again.messages[0].message_id
    assert first.transcript == again.transcript == json.loads(json.dumps(first.transcript))
    assert first.transcript == [
        {"bot": "Hello, Anna!"},
        {"result": {"greeted": "Anna"}, "outcome": "completed", "code": "ok"},
    ]


async def test_failures_and_rejected_calls_are_in_it() -> None:
    """A failed block has its code and the data of its completion; a rejected call has a status."""
    dialog = FakeDialog(app)
    failed = (await dialog.run("hello", name="Bob")).transcript
    assert failed[-1]["code"] == "no_such_person"
    assert failed[-1]["result"]["ok"] is False
    rejected = await dialog.call("hello", {})
    assert rejected.transcript == [{"rejected": 422, "code": "invalid_input"}]
