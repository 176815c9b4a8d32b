"""Every way in which a request to a model's server can fail, and what it becomes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import openai
import pytest

from vertexkit import App, Context, models
from vertexkit.models import ChatModel, ModelFailed, ModelUnavailable
from vertexkit.models.requests import ChatRequests, failure_of
from vertexkit.testing import FakeDialog

SECRET = "what the user wrote"
REQUEST = httpx2.Request("POST", "http://model.test/v1/chat/completions")
CHUNK = 'data: {"choices": [{"index": 0, "delta": {"content": "Да"}, "finish_reason": null}]}\n\n'


def client_of(answer: Callable[[httpx2.Request], httpx2.Response]) -> openai.AsyncOpenAI:
    """A client whose requests a function answers."""
    transport = httpx2.MockTransport(answer)
    return openai.AsyncOpenAI(
        api_key="sk-test", http_client=httpx2.AsyncClient(transport=transport)
    )


def test_every_status_maps() -> None:
    """Each status from 400 to 599 is final, or worth another request; the body is in no text."""
    retryable = set()
    for status in range(400, 600):
        response = httpx2.Response(status, request=REQUEST, headers={"retry-after": "7"})
        body = {"message": SECRET, "code": "a_code"}
        failure = failure_of(openai.APIStatusError(SECRET, response=response, body=body))
        assert (failure.status, failure.error_code) == (status, "a_code")
        assert SECRET not in repr(failure)
        if isinstance(failure, ModelUnavailable):
            retryable.add(status)
            assert failure.retry_after == 7
    assert retryable == {408, 409, 429, *range(500, 600)}


@pytest.mark.parametrize(
    "error, kind",
    [
        (openai.APIConnectionError(request=REQUEST), ModelUnavailable),
        (openai.APITimeoutError(request=REQUEST), ModelUnavailable),
        (openai.APIError(SECRET, REQUEST, body={"code": "server_error"}), ModelUnavailable),
        (openai.APIResponseValidationError(httpx2.Response(200, request=REQUEST), {}), ModelFailed),
    ],
)
def test_every_error_of_the_client_maps(error: openai.APIError, kind: type[ModelFailed]) -> None:
    """Connections may work later, and a response of another shape will not change."""
    failure = failure_of(error)
    assert type(failure) is kind
    assert SECRET not in str(failure)


async def test_a_response_without_an_answer_is_final() -> None:
    """A response without choices is not an answer."""
    client = client_of(lambda _: httpx2.Response(200, json={"choices": []}))
    async with client:
        with pytest.raises(ModelFailed, match="has no choices"):
            await ChatRequests(client, "small", None).complete([], {})


@pytest.mark.parametrize(
    "content",
    [
        CHUNK + "data: {broken\n\n",
        CHUNK + 'data: {"error": {"message": "busy", "code": "overloaded"}}\n\n',
        CHUNK + "data: [DONE]\n\n",
        CHUNK,
        "",
    ],
)
async def test_a_damaged_stream_is_requested_again(content: str) -> None:
    """A stream that breaks, reports an error or ends too early is followed by another request."""
    bodies: list[Any] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append(request.content)
        return httpx2.Response(200, text=content, headers={"content-type": "text/event-stream"})

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[ChatModel]:
        async with client_of(answer) as client:
            yield ChatModel("small", client=client, attempts=2)

    app = App(lifespan=lifespan)

    @app.block("ask", title="Ask")
    async def ask(ctx: Context[ChatModel]) -> None:
        await ctx.state.stream(ctx, "?")

    run = await FakeDialog(app).run("ask")
    assert run.data["error"]["code"] == "model_unavailable"
    assert run.messages == []
    assert len(bodies) == 2


def test_a_scan_of_all_modules_imports_no_package() -> None:
    """What reads every name that `dir` shows, as freezegun does, needs no extra and takes no time."""
    assert set(dir(models)) == set(vars(models))
