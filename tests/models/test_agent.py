"""Agents of pydantic-ai in blocks: their requests and tool calls are steps."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import (
    Agent,
    DeferredToolRequests,
    DeferredToolResults,
    ModelRetry,
    ToolFailed,
    ToolReturn,
)
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from vertexkit import App, Context
from vertexkit.models import AgentSteps, Budget, ModelFailed, ModelUnavailable, Price, openai_client
from vertexkit.testing import FakeDialog, FakeModel


@asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[OpenAIChatModel]:
    async with openai_client() as client:
        yield OpenAIChatModel("small", provider=OpenAIProvider(openai_client=client))


app = App(lifespan=lifespan)
called: list[str] = []


class Order(BaseModel):
    item: str


def shop(ctx: Context, output: Any = str) -> Agent[None, Any]:
    """An agent with tools that note their calls."""
    agent: Agent[None, Any] = Agent(ctx.state, output_type=output)

    @agent.tool_plain
    async def stock(item: str) -> int:
        called.append(f"stock {item}")
        return 3

    @agent.tool_plain
    async def price(item: str) -> int:
        called.append(f"price {item}")
        if item == "слон":
            raise ModelRetry("нет такого товара")
        if item == "кит":
            raise ToolFailed("склад закрыт")
        return 100

    @agent.tool_plain
    async def picture(item: str) -> ToolReturn:
        return ToolReturn(item)

    @agent.tool_plain
    async def show(item: str) -> str:
        await ctx.send_message(f"Вот {item}.")
        return "показано"

    @agent.tool_plain(requires_approval=True)
    async def buy(item: str) -> str:
        called.append(f"buy {item}")
        return "куплено"

    return agent


def steps_of(ctx: Context, **options: Any) -> list[AgentSteps]:
    return [AgentSteps(ctx, direct_tools=["show"], **options)]


@app.block("shop", title="Shop", timeout=100)
async def shop_block(ctx: Context, text: str = "Есть чай?") -> str:
    result = await shop(ctx).run(text, capabilities=steps_of(ctx))
    await ctx.stream([result.output])
    return str(result.output)


@app.block("buy", title="Shop with approval", timeout=100)
async def buy_block(ctx: Context) -> str:
    steps, agent = steps_of(ctx), shop(ctx, [str, DeferredToolRequests])
    result = await agent.run("Чай!", capabilities=steps)
    if isinstance(result.output, DeferredToolRequests):
        [call] = result.output.approvals
        await ctx.send_message("Берём?")
        answer = await ctx.wait_for("answer")
        result = await agent.run(
            message_history=result.all_messages(),
            deferred_tool_results=DeferredToolResults(approvals={call.tool_call_id: answer["yes"]}),
            capabilities=steps,
        )
    return str(result.output)


@app.block("streaming", title="Streaming shop", timeout=100)
async def streaming(ctx: Context) -> str:
    async with shop(ctx).run_stream("Есть чай?", capabilities=steps_of(ctx)) as result:
        return "|".join([text async for text in result.stream_text(delta=True)])


@app.block("structured", title="Order", timeout=100)
async def structured(ctx: Context) -> str:
    budget = Budget(execution_cost=0.5, fallback="Больше не могу.")
    capabilities = steps_of(ctx, budget=budget, price=Price(input=100_000, output=100_000))
    agent = shop(ctx, Order)
    first = await agent.run("чай", capabilities=capabilities)
    return str(first.output.item) + str((await agent.run("ещё", capabilities=capabilities)).output)


@app.block("bounded", title="Bounded shop", timeout=100)
async def bounded(ctx: Context) -> str:
    capabilities = steps_of(ctx, budget=Budget(execution_tokens=10, fallback="Больше не могу."))
    return str((await shop(ctx).run("чай", capabilities=capabilities)).output)


@pytest.fixture(autouse=True)
def nothing_called() -> None:
    called.clear()


@pytest.mark.unmeasured
async def test_an_agent_pays_once_in_spite_of_crashes(
    fake_dialog: FakeDialog, fake_model: FakeModel
) -> None:
    """The process dies after every effect: each request is made once, each tool is called once."""
    fake_model.call_tool("stock", item="чай")
    fake_model.call_tool("price", item="чай")
    fake_model.answer("Есть, 100 ₽.", usage=(50, 5))
    run = await fake_dialog.run("shop", crash_everywhere=True)
    assert run.crashes >= 5
    assert run.messages == ["Есть, 100 ₽."]
    assert called == ["stock чай", "price чай"]
    assert len(fake_model.requests) == 3
    assert fake_model.requests[1]["messages"][-1]["content"] == "3"


@pytest.mark.parametrize("crash", [True, False])
async def test_a_tool_that_asks_the_model_again_is_not_repeated(
    crash: bool, fake_dialog: FakeDialog, fake_model: FakeModel
) -> None:
    """`ModelRetry` and `ToolFailed` of a tool are journalled as its result."""
    fake_model.call_tool("price", item="слон")
    fake_model.call_tool("price", item="кит")
    fake_model.answer("Ничего нет.")
    run = await fake_dialog.run("shop", crash_everywhere=crash)
    assert run.messages == ["Ничего нет."]
    assert called == ["price слон", "price кит"]
    assert "нет такого товара" in fake_model.requests[1]["messages"][-1]["content"]
    assert "склад закрыт" in fake_model.requests[2]["messages"][-1]["content"]


async def test_a_direct_tool_uses_the_dialog(
    fake_dialog: FakeDialog, fake_model: FakeModel
) -> None:
    """A tool that sends a message is not a step: the message is journalled itself."""
    fake_model.call_tool("show", item="чай")
    fake_model.answer("Нравится?")
    run = await fake_dialog.run("shop", crash_everywhere=True)
    assert run.messages == ["Вот чай.", "Нравится?"]
    assert fake_model.requests[1]["messages"][-1]["content"] == "показано"


async def test_an_agent_waits_for_an_approval(
    fake_dialog: FakeDialog, fake_model: FakeModel
) -> None:
    """The handler waits between two runs of the agent; the first run is not paid again."""
    fake_model.call_tool("buy", item="чай")
    fake_model.answer("Заказано.")
    async with fake_dialog:
        run = await fake_dialog.start("buy")
        assert (run.waiting_for, run.messages, called) == (["answer"], ["Берём?"], [])
        await run.send_event("answer", {"yes": True})
        assert (await run.finish()).data == {"result": "Заказано."}
    assert called == ["buy чай"]
    assert fake_model.requests[1]["messages"][-1]["content"] == "куплено"
    assert len(fake_model.requests) == 2


async def test_a_tool_whose_result_cannot_be_journalled(
    fake_dialog: FakeDialog, fake_model: FakeModel
) -> None:
    """The error names the tool and what to do."""
    fake_model.call_tool("picture", item="чай")
    run = await fake_dialog.run("shop")
    assert "direct_tools" in str(run.error)


async def test_a_streaming_agent_gets_whole_responses(
    fake_dialog: FakeDialog, fake_model: FakeModel
) -> None:
    """`run_stream` works with journalled responses."""
    fake_model.answer("Есть чай.", usage=(1, 1))
    run = await fake_dialog.run("streaming", crash_everywhere=True)
    assert run.data["result"].replace("|", "") == "Есть чай."
    assert len(fake_model.requests) == 1


async def test_a_busy_server_is_asked_again(fake_dialog: FakeDialog, fake_model: FakeModel) -> None:
    """The agent's requests are repeated by the rules of steps."""
    fake_model.fail(429, retry_after=20)
    fake_model.fail(500)
    fake_model.answer("Есть.")
    run = await fake_dialog.run("shop")
    assert run.messages == ["Есть."]


async def test_errors_are_the_ones_of_chat_models(
    fake_dialog: FakeDialog, fake_model: FakeModel
) -> None:
    """A final error ends the block with `model_failed`, a busy server with `model_unavailable`."""
    fake_model.fail(400, code="context_length_exceeded")
    run = await fake_dialog.run("shop")
    assert type(run.error) is ModelFailed
    assert "context_length_exceeded" in str(run.error)
    for _ in range(3):
        fake_model.fail(503)
    run = await fake_dialog.run("shop")
    assert isinstance(run.error, ModelUnavailable)
    assert run.data["error"]["code"] == "model_unavailable"


async def test_a_budget_bounds_an_agent(fake_dialog: FakeDialog, fake_model: FakeModel) -> None:
    """The fallback is the agent's answer; an agent with typed output fails instead."""
    fake_model.call_tool("stock", usage=(10, 1), item="чай")
    run = await fake_dialog.run("bounded")
    assert run.data == {"result": "Больше не могу."}
    fake_model.call_tool("final_result", usage=(10, 1), item="чай")
    run = await fake_dialog.run("structured")
    assert run.data["error"]["code"] == "budget_exceeded"
