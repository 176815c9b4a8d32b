"""Requests to an OpenAI-compatible server, through the official client."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from vertexkit.botone.retries import parse_retry_after
from vertexkit.models.failures import ModelFailed, ModelUnavailable
from vertexkit.models.usage import Price, Usage, estimated_tokens, usage_of

Messages: TypeAlias = Sequence[Mapping[str, Any]]
"""The messages of a conversation, as the API has them: `{"role": ..., "content": ...}`."""
RETRYABLE_STATUSES = frozenset({408, 409, 429})
"""Statuses below 500 after which the same request may succeed later."""
SPENT = "insufficient_quota"
"""The code of a 429 that does not end by itself: the account has no money left."""
HINTS = {
    401: "check the API key (OPENAI_API_KEY)",
    403: "the API key may not use this model",
    404: "check the name of the model and the server's address (OPENAI_BASE_URL)",
}
"""How to fix what a status says."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A complete response of a model."""

    text: str
    usage: Usage
    finish_reason: str
    """Why the model stopped: `stop`, `length`, `content_filter` or another word of the server."""


class ChatRequests:
    """Requests to one model of one server.

    Args:
        client: The official client. It does not repeat requests: steps do.
        model: Name of the model.
        price: Of the model; None: requests cost nothing.
    """

    def __init__(self, client: openai.AsyncOpenAI, model: str, price: Price | None) -> None:
        self._create = client.with_options(max_retries=0).chat.completions.create
        self._model = model
        self._price = price

    async def complete(self, messages: Messages, options: dict[str, Any]) -> Completion:
        """Request a complete response.

        Raises:
            ModelFailed: The server did not give one.
        """
        with translated_failures():
            response: ChatCompletion = await self._create(
                model=self._model, messages=list[Any](messages), **options
            )
        if not response.choices:
            raise ModelFailed("its response has no choices")
        choice = response.choices[0]
        text = choice.message.content or choice.message.refusal or ""
        usage = self.usage(response.usage, messages, text)
        return Completion(text, usage, choice.finish_reason)

    @asynccontextmanager
    async def streamed(
        self, messages: Messages, options: dict[str, Any]
    ) -> AsyncIterator[openai.AsyncStream[ChatCompletionChunk]]:
        """A context with the chunks of a response that is being generated.

        Raises:
            ModelFailed: The server did not start one.
        """
        options = {"stream_options": {"include_usage": True}, **options}
        with translated_failures():
            stream = await self._create(
                model=self._model, messages=list[Any](messages), stream=True, **options
            )
        async with stream:
            yield stream

    def usage(self, reported: CompletionUsage | None, messages: Messages, text: str) -> Usage:
        """Return what a request has used.

        Args:
            reported: What the server says; None: it is estimated.
            messages: Of the request.
            text: What the model has generated.
        """
        if reported is not None:
            numbers = reported.prompt_tokens, reported.completion_tokens
        else:
            prompts = [str(message.get("content") or "") for message in messages]
            numbers = estimated_tokens(*prompts), estimated_tokens(text)
        return usage_of(*numbers, self._price, estimated=reported is None)


@contextmanager
def translated_failures() -> Iterator[None]:
    """A context in which the client's errors become `ModelFailed`.

    The new error has no cause: the client's error contains the response, which may repeat what the
    user has written, and the traceback of a handler is logged.
    """
    try:
        yield
    except openai.APIError as error:
        raise failure_of(error) from None
    except ValueError:  # a chunk that is not JSON
        raise ModelUnavailable("a chunk of its response is not JSON") from None


def failure_of(error: openai.APIError) -> ModelFailed:
    """Return an error of the client as vertexkit's."""
    code = (error.code or error.type or "")[:100]
    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        reason = f"its server responded with {status}" + (f" ({code})" if code else "")
        if status >= 500 or (status in RETRYABLE_STATUSES and code != SPENT):
            pause = parse_retry_after(error.response.headers.get("retry-after"))
            return ModelUnavailable(reason, status=status, code=code, retry_after=pause)
        hint = f"; {HINTS[status]}" if status in HINTS else ""
        return ModelFailed(reason + hint, status=status, code=code)
    if isinstance(error, openai.APITimeoutError):
        return ModelUnavailable("its server sent nothing in time")
    if isinstance(error, openai.APIResponseValidationError):
        return ModelFailed("its response is not what the API describes", status=error.status_code)
    if isinstance(error, openai.APIConnectionError):
        return ModelUnavailable("the connection to its server failed")
    return ModelUnavailable(
        "its server reported an error" + (f" ({code})" if code else ""), code=code
    )
