"""Agents of pydantic-ai in handlers: their model requests and tool calls are steps."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelRateLimitError,
    ModelRetry,
    ModelServerError,
    ModelUnavailableError,
    ToolFailed,
    ToolFailedError,
    ToolRetryError,
)
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturn,
)
from pydantic_ai.models import (
    CompletedStreamedResponse,
    Model,
    ModelRequestParameters,
    StreamedResponse,
)
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import RunContext, ToolDefinition

from vertexkit.context.context import Context
from vertexkit.models.budget import Budget
from vertexkit.models.failures import (
    BACKOFF_SECONDS,
    BudgetExceeded,
    ModelFailed,
    ModelUnavailable,
)
from vertexkit.models.spending import Spending
from vertexkit.models.usage import Price, Usage, estimated_tokens, usage_of

RETRYABLE = (ModelRateLimitError, ModelUnavailableError, ModelServerError, ModelConnectionError)
"""Errors after which the same request may succeed later."""


@dataclass(frozen=True, slots=True)
class _ToolOutcome:
    """The result of a tool's step."""

    value: Any = None
    retry: str | None = None
    """Why the model has to call the tool again (`ModelRetry`)."""
    failed: str | None = None
    """Why the tool has failed (`ToolFailed`)."""


class AgentSteps(AbstractCapability[Any]):
    """Makes the model requests and tool calls of a pydantic-ai agent steps of an execution.

    Pass it to each run of the agent: `await agent.run(text, capabilities=[AgentSteps(ctx)])`. A
    later run of the handler gets the journalled responses and results, so a crash pays for no
    request twice and repeats no effect of a tool.

    The n-th request repeats the n-th stored response, whatever its messages are; a tool call is
    matched by the tool's name and arguments. Results of tools must be JSON. A run that streams
    (`agent.run_stream`) gets each response as a whole.

    Args:
        ctx: Of the handler.
        name: Name of the steps. Agents that run side by side need different names.
        direct_tools: Names of the tools that are not steps, because they use `ctx` themselves: they
            send messages or perform steps. A tool cannot wait durably: let the agent's run end with
            pydantic-ai's `DeferredToolRequests`, and wait in the handler.
        attempts: Maximum number of requests for a response, if the server is busy or fails.
        budget: How much may be spent. An agent whose output is a text answers with its `fallback`.
        price: Of the model; None: requests cost nothing.

    Raises:
        ModelUnavailable: By the agent's run: the server was busy or failed in each attempt.
        ModelFailed: By the agent's run: the server did not accept the request.
        BudgetExceeded: By the agent's run: the budget is spent and has no usable `fallback`.
    """

    def __init__(
        self,
        ctx: Context[Any],
        *,
        name: str = "agent",
        direct_tools: Collection[str] = (),
        attempts: int = 3,
        budget: Budget | None = None,
        price: Price | None = None,
    ) -> None:
        super().__init__()
        self._ctx = ctx
        self._name = name
        self._direct_tools = frozenset(direct_tools)
        self._steps = ctx.retrying(attempts, on=ModelUnavailable, backoff=BACKOFF_SECONDS)
        self._spending = Spending(ctx, budget or Budget(), name)
        self._price = price
        self._requests = 0

    def get_wrapper_model(self, model: Model) -> Model:
        """Return the model whose requests are steps; pydantic-ai calls this."""
        return _StepModel(model, self)

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],  # noqa: ARG002 - pydantic-ai passes it by name
        *,
        call: ToolCallPart,  # noqa: ARG002
        tool_def: ToolDefinition,
        args: dict[str, Any],
        handler: Any,
    ) -> Any:
        """Call a tool in a step; pydantic-ai calls this."""
        if tool_def.name in self._direct_tools:
            return await handler(args)
        raised: list[Exception] = []

        async def execute(args: dict[str, Any]) -> _ToolOutcome:
            try:
                value = await handler(args)
            except ToolRetryError as error:
                raised.append(error)
                return _ToolOutcome(retry=str(error))
            except ToolFailedError as error:
                raised.append(error)
                return _ToolOutcome(failed=str(error))
            if isinstance(value, ToolReturn):
                raise TypeError(
                    f"tool {tool_def.name!r} returns a ToolReturn, which cannot be journalled: "
                    "return its value, or name the tool in `direct_tools`"
                )
            return _ToolOutcome(value)

        outcome = await self._ctx.step(f"{self._name} tool {tool_def.name}", execute, args)
        if raised:  # counted by pydantic-ai already
            raise raised[0]
        if outcome.retry is not None:
            raise ModelRetry(outcome.retry)
        if outcome.failed is not None:
            raise ToolFailed(outcome.failed)
        return outcome.value

    async def request(
        self,
        model: Model,
        messages: list[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Return the response to a request, from the journal if it is there.

        Args:
            model: The agent's own model.
            messages: Of the request.
            settings: Of the request.
            parameters: Of the request.

        Raises:
            Exception: As the class says.
        """
        self._requests += 1
        if not await self._spending.is_within_budget():
            if not parameters.allow_text_output:
                raise BudgetExceeded
            return ModelResponse([TextPart(self._spending.fallback())])

        async def send() -> ModelResponse:
            try:
                response = await model.request(messages, settings, parameters)
            except ModelAPIError as error:
                raise _failure_of(error) from None  # its text contains the response's body
            self._spending.report(model.model_name, self._usage(messages, response))
            return response

        response = await self._steps.step(f"{self._name} {self._requests}", send)
        await self._spending.add(self._usage(messages, response))
        return response

    def _usage(self, messages: list[ModelMessage], response: ModelResponse) -> Usage:
        numbers = response.usage.input_tokens, response.usage.output_tokens
        estimated = numbers == (0, 0)  # the server has reported nothing
        if estimated:
            numbers = _estimated_tokens(messages), _estimated_tokens([response])
        return usage_of(*numbers, self._price, estimated=estimated)


class _StepModel(WrapperModel):
    """The agent's model, whose requests are steps."""

    def __init__(self, wrapped: Model, steps: AgentSteps) -> None:
        super().__init__(wrapped)
        self._steps = steps

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        return await self._steps.request(
            self.wrapped, messages, model_settings, model_request_parameters
        )

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,  # noqa: ARG002
    ) -> AsyncIterator[StreamedResponse]:
        response = await self.request(messages, model_settings, model_request_parameters)
        yield CompletedStreamedResponse(
            response, model_request_parameters=model_request_parameters, replay_events=True
        )


def _estimated_tokens(messages: list[ModelMessage]) -> int:
    return estimated_tokens(ModelMessagesTypeAdapter.dump_json(messages).decode())


def _failure_of(error: ModelAPIError) -> ModelFailed:
    """Return an error of pydantic-ai as vertexkit's."""
    status = error.status_code if isinstance(error, ModelHTTPError) else None
    code = error.provider_error_code or error.provider_error_type or ""
    reason = "the request failed" if status is None else f"its server responded with {status}"
    reason += f" ({code})" if code else ""
    if isinstance(error, RETRYABLE):
        return ModelUnavailable(reason, status=status, code=code, retry_after=error.retry_after)
    return ModelFailed(reason, status=status, code=code)
