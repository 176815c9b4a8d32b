"""A story that is generated word by word, like an LLM's answer, and sent by paragraphs."""

import asyncio
from collections.abc import AsyncIterator

from vertexkit import App, Context

PAUSE_SECONDS = 0.05
STORY = """\
Жил-был {hero}. Больше всего на свете он любил смотреть на звёзды.

Однажды ночью одна звезда упала прямо в его сад. Она была тёплая и тихо пела.

Утром {hero} отпустил её домой. С тех пор она подмигивает ему каждый вечер."""

app = App()


async def model(hero: str) -> AsyncIterator[str]:
    # Replace this with the stream of your model; chunks may have any size.
    for word in STORY.format(hero=hero).split(" "):
        await asyncio.sleep(PAUSE_SECONDS)
        yield f"{word} "


@app.block("story", title="Сказка")
async def story(ctx: Context, hero: str = "ёжик") -> dict[str, int]:
    messages = await ctx.stream(model(hero))
    return {"messages": len(messages)}
