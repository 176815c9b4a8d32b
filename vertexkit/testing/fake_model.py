"""A fake server of language models, for tests of blocks: the API of OpenAI over HTTP."""

import asyncio
import json
import re
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

API_KEY = "sk-fake-model"
"""The key that the fake server accepts; the fixture `fake_model` sets it as OPENAI_API_KEY."""
WORD = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the server does with one request."""

    text: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    usage: tuple[int, int] | None = None
    finish_reason: str = "stop"
    cut_after: int | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    hangs: bool = False


class FakeModel:
    """A server with the API of OpenAI (`POST /chat/completions`) whose answers a test chooses.

    Each request takes the next answer, in the order in which the test has given them. A request
    without an answer, and one with another API key than `API_KEY`, is rejected; the first fails the
    test. It listens on this machine, in a thread: `with FakeModel() as model:`, or the fixture
    `fake_model`, which also sets `OPENAI_BASE_URL` and `OPENAI_API_KEY`.

    Attributes:
        requests: The bodies of the requests, in order.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self._answers: deque[_Answer] = deque()
        self._unanswered: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        app = Starlette(routes=[Route("/v1/chat/completions", self._complete, methods=["POST"])])
        self._server = _Server(
            uvicorn.Config(app, lifespan="off", ws="none", log_level="critical", log_config=None)
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name="fake-model"
        )

    @property
    def url(self) -> str:
        """The address for `OPENAI_BASE_URL`."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop()
        self._thread.join()
        self._listener.close()

    def answer(
        self,
        text: str,
        *,
        usage: tuple[int, int] | None = None,
        finish_reason: str = "stop",
        cut_after: int | None = None,
    ) -> None:
        """Answer the next request with a text, word by word if the request asks for a stream.

        Args:
            text: The answer.
            usage: Numbers of tokens of the prompt and of the answer; None: the server reports none.
            finish_reason: Why the model stopped.
            cut_after: Number of words after which the connection is cut.
        """
        self._answers.append(
            _Answer(text, usage=usage, finish_reason=finish_reason, cut_after=cut_after)
        )

    def call_tool(
        self, name: str, /, usage: tuple[int, int] | None = None, **arguments: Any
    ) -> None:
        """Answer the next request with the call of a tool.

        Args:
            name: Of the tool.
            usage: As for `answer`.
            **arguments: Of the call.
        """
        call = {
            "id": f"call_{len(self._answers)}_{len(self.requests)}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        self._answers.append(_Answer(tool_calls=(call,), usage=usage, finish_reason="tool_calls"))

    def fail(self, status: int, *, retry_after: int | None = None, code: str = "") -> None:
        """Answer the next request with an error.

        Args:
            status: HTTP status, for example 429 or 500.
            retry_after: Seconds in the header `Retry-After`.
            code: Of the error, for example `context_length_exceeded`.
        """
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        self._answers.append(_Answer(status=status, headers=headers, code=code))

    def hang(self) -> None:
        """Never answer the next request."""
        self._answers.append(_Answer(hangs=True))

    def check(self) -> None:
        """Check that the test had an answer for each request.

        Raises:
            AssertionError: It had not.
        """
        assert not self._unanswered, (
            f"fake_model had no answer for {len(self._unanswered)} request(s): give it one with "
            f"fake_model.answer(...); the first was {self._unanswered[0]!r:.200}"
        )

    async def _complete(self, request: Request) -> Response:
        body: dict[str, Any] = await request.json()
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return _error(401, "invalid_api_key", {})
        self.requests.append(body)
        if not self._answers:
            self._unanswered.append(str(body["messages"][-1].get("content")))
            return _error(400, "no_answer", {})
        answer = self._answers.popleft()
        if answer.hangs:
            await self._server.over.wait()
        if answer.status != 200:
            return _error(answer.status, answer.code, answer.headers)
        if body.get("stream"):
            has_usage = (body.get("stream_options") or {}).get("include_usage", False)
            return StreamingResponse(
                _stream(body["model"], answer, has_usage), media_type="text/event-stream"
            )
        return JSONResponse(_completion(body["model"], answer))


class _Server(uvicorn.Server):
    """A uvicorn server that stops at once when another thread asks it to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.over = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._up = threading.Event()

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._up.set()
        await self.over.wait()

    def stop(self) -> None:
        """End `main_loop`, and the responses that hang."""
        self._up.wait()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.over.set)


def _error(status: int, code: str, headers: Mapping[str, str]) -> JSONResponse:
    error = {"message": f"The fake model fails with {status}.", "type": code, "code": code}
    return JSONResponse({"error": error}, status, dict(headers))


def _usage(answer: _Answer) -> dict[str, int] | None:
    if answer.usage is None:
        return None
    prompt, completion = answer.usage
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _completion(model: str, answer: _Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.tool_calls:
        message["tool_calls"] = answer.tool_calls
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [choice],
        "usage": _usage(answer),
    }


async def _stream(model: str, answer: _Answer, has_usage: bool) -> AsyncIterator[bytes]:
    for word in WORD.findall(answer.text)[: answer.cut_after]:
        yield _chunk(model, {"content": word})
    if answer.cut_after is not None:
        raise ConnectionError("the test has ordered a cut")
    if answer.tool_calls:
        calls = [{"index": number, **call} for number, call in enumerate(answer.tool_calls)]
        yield _chunk(model, {"tool_calls": calls})
    yield _chunk(model, {}, answer.finish_reason)
    if has_usage and answer.usage is not None:
        yield _event({**_chunk_content(model), "choices": [], "usage": _usage(answer)})
    yield b"data: [DONE]\n\n"


def _chunk(model: str, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _event({**_chunk_content(model), "choices": [choice]})


def _chunk_content(model: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": model,
    }


def _event(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()
