"""A reminder: the block waits for a day and uses no slot and no task meanwhile."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from vertexkit import App, Context

app = App()


@app.block("reminder", title="Напоминание", max_wait=31 * 24 * 3600)
async def reminder(
    ctx: Context,
    text: Annotated[str, Field(min_length=1, title="О чём напомнить")],
    hours: Annotated[float, Field(gt=0, le=720, title="Через сколько часов")] = 24,
) -> None:
    await ctx.send_message(f"Напомню через {hours:g} ч.")
    # The handler ends here and runs again from the top, tomorrow, perhaps in a newer version of this
    # service. The message above is in the journal, so it is not sent again.
    await ctx.sleep(timedelta(hours=hours))
    await ctx.send_message(f"Напоминаю: {text}")
