"""An answer that a model generates while it is being sent, in parts that are journalled."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self

import openai
from openai.types.chat import ChatCompletionChunk

from vertexkit.botone.models import Message
from vertexkit.context.retrying import RetryingSteps
from vertexkit.context.stream.splitter import Splitter
from vertexkit.models.failures import ModelUnavailable
from vertexkit.models.requests import ChatRequests, Messages, translated_failures
from vertexkit.models.usage import Usage

CONTINUE = (
    "Your answer above was interrupted. Continue it exactly where it ends, in the same language. "
    "Do not repeat anything and do not comment on the interruption."
)
"""The last message of a request that continues an answer."""
OVER_BUDGET = "budget"
"""The `finish_reason` of a reply that is the fallback of a budget."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model has answered."""

    text: str
    """The answer, or the fallback of the budget."""
    usage: Usage
    """What it has used."""
    finish_reason: str
    """Why the model stopped: `stop`, `length` (the limit of tokens), `content_filter`, another word
    of the server, or `budget`: the text is the fallback of the budget."""
    messages: tuple[Message, ...] = ()
    """The messages that were sent, in order; none by `ChatModel.ask`."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an answer: the result of one step."""

    text: str
    finish_reason: str = ""
    """Empty: another part follows."""
    usage: Usage | None = None
    """Of the whole answer; None except in the last part."""


class ReplyParts:
    """The parts of an answer: an async iterator over their texts.

    The rules:

    - Each part is a step: it reads the response until a message is complete. So what has been sent
      is in the journal before it is sent, and a later run reads it there and requests nothing.
    - A request whose connection is cut, or whose process has died, is followed by another one that
      continues the text so far. Within a process nothing that was received is lost; after a crash,
      the text since the last part is.
    - What interrupted requests have used is estimated: their servers have reported nothing.

    Args:
        requests: To the model.
        steps: The steps of the run, with the rules of their retries.
        name: Name of the steps, before their numbers.
        messages: Of the conversation.
        options: Of the requests.
        splitter: Splits the text as the stream of the messages does.
        report: Called with what the answer has used, at its end; not if it is read in the journal.
    """

    def __init__(
        self,
        requests: ChatRequests,
        steps: RetryingSteps,
        name: str,
        messages: Messages,
        options: dict[str, Any],
        splitter: Splitter,
        report: Callable[[Usage], None],
    ) -> None:
        self._requests = requests
        self._steps = steps
        self._name = name
        self._messages = messages
        self._options = options
        self._splitter = splitter
        self._report = report
        self._stack = AsyncExitStack()
        self._stream: openai.AsyncStream[ChatCompletionChunk] | None = None
        self._asked: Messages = ()
        """The messages of the current request."""
        self._generated = ""
        """What the current request has generated."""
        self._pending = ""
        """What was received after the last part."""
        self._interrupted = Usage()
        self.text: str = ""
        """The parts so far."""
        self.usage: Usage = Usage()
        self.finish_reason: str = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def texts(self) -> AsyncGenerator[str]:
        """Yield the text of each part."""
        number = 0
        while not self.finish_reason:
            number += 1
            part = await self._steps.step(f"{self._name} {number}", self._read_part)
            if not self._pending:  # it comes from the journal
                self._splitter.feed(part.text)
            self._pending = ""
            self.text += part.text
            self.finish_reason = part.finish_reason
            if part.usage is not None:
                self.usage = part.usage
            yield part.text

    async def _read_part(self) -> Part:
        """Read the response until a message is complete, or to its end."""
        if self._stream is None:
            await self._request()
        try:
            with translated_failures():
                return await self._read()
        except ModelUnavailable:
            await self._interrupt()
            raise

    async def _request(self) -> None:
        self._asked, received = self._messages, self.text + self._pending
        if received:
            if not self._interrupted.tokens:  # an earlier process was interrupted
                self._interrupted = self._requests.usage(None, self._messages, received)
            answer = {"role": "assistant", "content": received}
            self._asked = [*self._messages, answer, {"role": "user", "content": CONTINUE}]
        self._generated = ""
        self._stream = await self._stack.enter_async_context(
            self._requests.streamed(self._asked, self._options)
        )

    async def _read(self) -> Part:
        assert self._stream is not None  # noqa: S101 - it was just opened
        reason, reported = "", None
        async for chunk in self._stream:
            reported = chunk.usage or reported
            if not chunk.choices:
                continue
            choice = chunk.choices[0]
            reason = choice.finish_reason or reason
            text = choice.delta.content or choice.delta.refusal or ""
            self._generated += text
            self._pending += text
            if self._splitter.feed(text) and not reason:
                return Part(self._pending)
        if not reason:
            raise ModelUnavailable("its response ended before the answer did")
        usage = self._interrupted + self._requests.usage(reported, self._asked, self._generated)
        self._report(usage)
        return Part(self._pending, reason, usage)

    async def _interrupt(self) -> None:
        """Forget the current request, and estimate what it has used."""
        self._interrupted += self._requests.usage(None, self._asked, self._generated)
        self._stream = None
        await self._stack.aclose()
        self._stack = AsyncExitStack()
