"""The same work as a block of vertexkit, with its checks, limits, deadlines and logs."""

from pydantic import BaseModel

from vertexkit import App, Context

app = App()


class Person(BaseModel):
    name: str


@app.block("hello", timeout=30, concurrency=500)
async def hello(ctx: Context, person: Person) -> dict[str, bool]:
    await ctx.send_message(f"Hello {person.name}")
    return {"ok": True}
