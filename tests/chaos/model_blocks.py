"""An app that asks a language model, and whose process is killed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from vertexkit import App, Context
from vertexkit.models import ChatModel


@asynccontextmanager
async def lifespan(_: App[Any]) -> AsyncIterator[ChatModel]:
    """Create the model of all executions; its address is in the environment."""
    async with ChatModel("small") as model:
        yield model


app: App[ChatModel] = App(lifespan=lifespan)


@app.block("story")
async def story(ctx: Context[ChatModel]) -> dict[str, Any]:
    """Ask for a subject, and send the model's tale about it while it is generated."""
    subject = await ctx.state.ask(ctx, "A subject?", name="subject")
    tale = await ctx.state.stream(ctx, subject.text, name="tale")
    return {"execution": ctx.execution_id, "text": tale.text}
