"""Values of a dialog's memory that several of its executions change at once, in every journal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.journal.driver import JOURNAL_KEY
from tests.journal.postgres.fleet import Fleet
from tests.waiting import until
from vertexkit import App, Context
from vertexkit.journal.dialog_memory import DialogKey
from vertexkit.models import Budget, ChatModel, Usage
from vertexkit.models.spending import MEMORY_NAME
from vertexkit.serialization import ANYTHING
from vertexkit.testing import FakeModel

AT_ONCE = 4
"""Executions of the dialog that run side by side."""
DIALOG = DialogKey("demo", 4711)


@pytest.fixture(params=["memory", "sqlite", "sqlite, encrypted", "postgres"])
async def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Fleet]:
    """Two services that share a database, or one service."""
    url, keys = "memory:", ""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    elif request.param != "memory":
        url = f"sqlite:{tmp_path}/journal.db"
        keys = JOURNAL_KEY if "encrypted" in request.param else ""
    async with Fleet(url, journal_keys=keys) as fleet:
        yield fleet


def app_of(at_once: asyncio.Barrier) -> App[ChatModel]:
    """An app whose block asks a model and counts, at the same time in each execution."""

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[ChatModel]:
        async with ChatModel("small", budget=Budget(dialog_tokens=10_000)) as model:
            yield model

    app = App(lifespan=lifespan)

    @app.block("ask")
    async def ask(ctx: Context[ChatModel]) -> None:
        await at_once.wait()
        await ctx.state.ask(ctx, "How are you?")
        await at_once.wait()
        for _ in range(3):
            await ctx.memory.update("questions", lambda number: number + 1, int, 0)

    return app


@pytest.mark.unmeasured
async def test_executions_of_a_dialog_count_exactly(fleet: Fleet, fake_model: FakeModel) -> None:
    """What each of them has used of the dialog's budget counts, and so does every update."""
    for _ in range(AT_ONCE):
        fake_model.answer("Fine.", usage=(60, 7))
    app = app_of(asyncio.Barrier(AT_ONCE))
    names = ["first", "second"] if fleet.is_shared else ["first"]
    services = [await fleet.start(name, app) for name in names]
    tokens = [fleet.platform.issue("ask", DIALOG.dialog, DIALOG.instance) for _ in range(AT_ONCE)]
    for number, token in enumerate(tokens):
        await fleet.post(names[number % len(names)], "ask", token)
    await until(
        lambda: all(fleet.platform.activation(token).completions for token in tokens),
        "every execution is completed",
    )
    memory = await services[0].journal.read_memory(DIALOG)
    assert ANYTHING.validate_json(memory.get("questions")) == 3 * AT_ONCE
    used = Usage(**ANYTHING.validate_json(memory.get(MEMORY_NAME)))
    assert (used.input_tokens, used.output_tokens) == (60 * AT_ONCE, 7 * AT_ONCE)
