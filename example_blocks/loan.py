"""A loan calculator: typed inputs with limits, a typed result, and two messages."""

from pydantic import BaseModel, Field

from vertexkit import App, Context

MONTHLY_RATE = 0.12 / 12

app = App()


class Loan(BaseModel):
    amount: float = Field(gt=0, le=100_000_000, title="Сумма, ₽", examples=[100_000])
    months: int = Field(12, ge=1, le=360, title="Срок, мес.")


class Offer(BaseModel):
    monthly: float = Field(title="Платёж, ₽ в месяц")


@app.block("loan", title="Кредитный калькулятор", timeout=30, concurrency=50)
async def loan(ctx: Context, request: Loan) -> Offer:
    await ctx.send_message("Считаю…")
    monthly = request.amount * MONTHLY_RATE / (1 - (1 + MONTHLY_RATE) ** -request.months)
    await ctx.send_message(f"Платёж: {monthly:.0f} ₽ в месяц")
    return Offer(monthly=round(monthly, 2))
