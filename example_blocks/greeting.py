"""A greeting: the smallest possible block."""

from vertexkit import App, Context

app = App()


@app.block("hello", title="Приветствие")
async def hello(ctx: Context, name: str = "друг") -> None:
    await ctx.send_message(f"Привет, {name}!")
