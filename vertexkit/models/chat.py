"""A model of an OpenAI-compatible server, as handlers use it."""

from contextlib import aclosing
from functools import partial
from typing import Any, Literal, Self

import openai

from vertexkit.context.context import Context
from vertexkit.context.retrying import RetryingSteps
from vertexkit.context.stream.splitter import Splitter
from vertexkit.models.budget import Budget
from vertexkit.models.client import openai_client
from vertexkit.models.failures import BACKOFF_SECONDS, ModelUnavailable
from vertexkit.models.reply import OVER_BUDGET, Reply, ReplyParts
from vertexkit.models.requests import ChatRequests, Completion, Messages
from vertexkit.models.spending import Spending
from vertexkit.models.usage import Price, Usage

DEFAULT_TIMEOUT_SECONDS = 30.0
"""How long the server may send nothing."""


class ChatModel:
    """A language model behind an OpenAI-compatible API (`POST /chat/completions`).

    Create it in the app's lifespan, so that all executions share its connections, and yield it:
    handlers find it in `ctx.state`. Its requests are steps: what a model has answered is journalled,
    and a later run of the handler does not request it again. Its methods need an `async def` handler.

    The n-th request of a name repeats the n-th stored answer, whatever its messages are. So a
    deployment may change a prompt while executions wait.

    Args:
        model: Name of the model, as the server knows it.
        client: The official client of the API, which the caller closes. None: `openai_client()`,
            which reads the API key and the address from the environment.
        attempts: Maximum number of requests for an answer, if the server is busy or fails.
        timeout: Seconds that the server may send nothing.
        budget: How much may be spent.
        price: Of the model; None: requests cost nothing.

    Raises:
        SettingsError: There is no `client`, and `OPENAI_API_KEY` is not set.
    """

    def __init__(
        self,
        model: str,
        *,
        client: openai.AsyncOpenAI | None = None,
        attempts: int = 3,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        budget: Budget | None = None,
        price: Price | None = None,
    ) -> None:
        self._client = openai_client() if client is None else client
        self._owns_client = client is None
        self._requests = ChatRequests(self._client.with_options(timeout=timeout), model, price)
        self._model = model
        self._attempts = attempts
        self._budget = budget or Budget()

    def __repr__(self) -> str:
        return f"<ChatModel {self._model}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connections, unless they are those of a `client` that was given."""
        if self._owns_client:
            await self._client.close()

    async def stream(
        self,
        ctx: Context[Any],
        messages: str | Messages,
        *,
        system: str = "",
        name: str = "model",
        by: Literal["paragraph", "sentence"] = "paragraph",
        limit: int = 1000,
        **options: Any,
    ) -> Reply:
        """Send the model's answer to the dialog while it is being generated, as several messages.

        If the connection is cut or the process dies, the model continues the answer after what
        has been sent; nothing is sent twice.

        Args:
            ctx: Of the handler.
            messages: The conversation, as the API has it; a text is one message of the user.
            system: Instructions for the model, put before the messages.
            name: Name of the steps. Answers that are generated side by side need different names.
            by: Where the text is split, as for `ctx.stream`.
            limit: Maximum length of a message in characters, as for `ctx.stream`.
            **options: Of the request, for example `temperature` or `max_completion_tokens`.

        Returns:
            The answer.

        Raises:
            ModelUnavailable: The server was busy, failed or cut the connection in each attempt.
            ModelFailed: The server did not accept the request.
            BudgetExceeded: The budget is spent and has no `fallback`.
            Exception: As for `ctx.stream`.
        """
        spending = Spending(ctx, self._budget, name)
        if not await spending.is_within_budget():
            text = spending.fallback()
            message = await ctx.send_message(text)
            return Reply(text, Usage(), OVER_BUDGET, (message,))
        parts = ReplyParts(
            self._requests,
            self._steps(ctx),
            name,
            _conversation(system, messages),
            options,
            Splitter(limit=limit, by=by),
            partial(spending.report, self._model),
        )
        async with parts, aclosing(parts.texts()) as texts:
            sent = await ctx.stream(texts, by=by, limit=limit)
        await spending.add(parts.usage)
        return Reply(parts.text, parts.usage, parts.finish_reason, tuple(sent))

    async def ask(
        self,
        ctx: Context[Any],
        messages: str | Messages,
        *,
        system: str = "",
        name: str = "model",
        **options: Any,
    ) -> Reply:
        """Return the model's answer, without sending it to the dialog.

        Args:
            ctx: Of the handler.
            messages: As for `stream`.
            system: As for `stream`.
            name: As for `stream`.
            **options: Of the request, as for `stream`.

        Returns:
            The answer.

        Raises:
            Exception: As for `stream`.
        """
        spending = Spending(ctx, self._budget, name)
        if not await spending.is_within_budget():
            return Reply(spending.fallback(), Usage(), OVER_BUDGET)
        conversation = _conversation(system, messages)

        async def request() -> Completion:
            completion = await self._requests.complete(conversation, options)
            spending.report(self._model, completion.usage)
            return completion

        answer = await self._steps(ctx).step(name, request)
        await spending.add(answer.usage)
        return Reply(answer.text, answer.usage, answer.finish_reason)

    def _steps(self, ctx: Context[Any]) -> RetryingSteps:
        return ctx.retrying(self._attempts, on=ModelUnavailable, backoff=BACKOFF_SECONDS)


def _conversation(system: str, messages: str | Messages) -> Messages:
    """Return the messages of a request."""
    conversation = (
        [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    )
    return [{"role": "system", "content": system}, *conversation] if system else conversation
