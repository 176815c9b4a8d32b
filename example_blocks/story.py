"""A story that grows word by word, as a language model's answer, and is told by paragraphs."""

import asyncio
from collections.abc import AsyncIterator

from vertexkit import App, Context

PAUSE = 0.05
STORY = """\
Жил-был {hero}. Больше всего на свете он любил смотреть на звёзды.

Однажды ночью одна звезда упала прямо в его сад. Она была тёплая и тихо пела.

Утром {hero} отпустил её домой. С тех пор она подмигивает ему каждый вечер."""

app = App()


async def model(hero: str) -> AsyncIterator[str]:
    # Put your model's stream here: chunks of any size will do.
    for word in STORY.format(hero=hero).split(" "):
        await asyncio.sleep(PAUSE)
        yield f"{word} "


@app.block("story", title="Сказка")
async def story(ctx: Context, hero: str = "ёжик") -> dict[str, int]:
    told = await ctx.stream(model(hero))
    return {"messages": len(told)}
