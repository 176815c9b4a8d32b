"""What the lines and the responses about a call show of its token: nothing."""

import io
import json

import pytest
import structlog
from pydantic import BaseModel, field_validator

from vertexkit import App, Call, CallError, CallInfo, Context, RawCall
from vertexkit.clock import Clock
from vertexkit.ingress.inbox import Inbox
from vertexkit.journal.memory import MemoryJournal
from vertexkit.telemetry import logs, redaction
from vertexkit.telemetry.events import Events
from vertexkit.testing import FakeDialog
from vertexkit.token import Token

OPAQUE = "an-opaque-token-0123"
"""A token that is not a JWT: only its call makes it known."""
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJpbnN0YW5jZSI6ImRlbW8iLCJkaWFsb2dfaWQiOjMxNH0.c2lnbmF0dXJl"


def configured() -> io.BytesIO:
    """A stream to which logging is configured to write."""
    stream = io.BytesIO()
    logs.configure("json", "info", stream)
    return stream


def written(stream: io.BytesIO) -> str:
    """All lines so far: a warning takes those with it that wait."""
    structlog.get_logger("any").warning("last")
    return stream.getvalue().decode()


class NoObserver:
    """Learns of superseded executions, and does nothing."""

    def supersede(self, execution: str) -> None:
        raise AssertionError(execution)


@pytest.mark.parametrize("token", [OPAQUE, JWT])
async def test_lines_after_the_acceptance_have_the_execution(token: str) -> None:
    """From its acceptance on, each line of a call has its execution and block, and no token."""
    stream = configured()
    clock = Clock()
    inbox = Inbox(MemoryJournal(clock), Events(clock), 10, NoObserver(), clock)
    accepted = await inbox.accept("loan", Token(token), {}, b"{}")
    structlog.get_logger("any").info("answered", text=f"the token is {token}")
    lines = [json.loads(line) for line in written(stream).splitlines()]
    assert [line["event"] for line in lines] == ["accepted", "answered", "last"]
    for line in lines:
        assert (line["execution"], line["block"]) == (accepted.execution, "loan")
    assert lines[1]["text"] == f"the token is {redaction.MASK}"


def reader(raw: RawCall) -> Call:
    """An author's reader that leaves the token among the inputs."""
    fields = json.loads(raw.body)
    return Call(fields["token"], fields)


def app_that_validates(error: type[Exception]) -> App:
    """An app whose block's validator says what it got."""
    app = App(read_call=reader)

    class Loan(BaseModel):
        token: str

        @field_validator("token")
        @classmethod
        def check(cls, value: str) -> str:
            raise error(f"{value} is wrong")

    @app.block("loan")
    async def loan(ctx: Context, request: Loan) -> None: ...

    return app


@pytest.mark.parametrize("error, status", [(ValueError, 422), (RuntimeError, 500)])
@pytest.mark.parametrize("token", [OPAQUE, JWT])
async def test_a_validator_that_names_the_token_does_not_show_it(
    error: type[Exception], status: int, token: str
) -> None:
    """Neither the response nor the log has the token that an author's validator put into its error."""
    stream = configured()
    dialog = FakeDialog(app_that_validates(error))
    async with dialog:
        answer = await dialog.post("/blocks/loan", {"token": token})
    assert answer[0] == status
    text = json.dumps(answer) + written(stream)
    assert redaction.MASK in text
    assert token not in text


@pytest.mark.parametrize("token", [OPAQUE, JWT])
async def test_a_key_function_that_names_the_token_does_not_show_it(token: str) -> None:
    """Nor has the log the token that an author's function `key` put into its error."""

    def key(call: CallInfo, request: BaseModel) -> str:
        raise LookupError(f"no customer for {call.inputs['token']}")

    app = App(read_call=reader)

    @app.block("loan", rate="10/second", key=key)
    async def loan(ctx: Context) -> None: ...

    stream = configured()
    dialog = FakeDialog(app)
    async with dialog:
        status, _ = await dialog.post("/blocks/loan", {"token": token})
    assert status == 200
    text = written(stream)
    assert f"no customer for {redaction.MASK}" in text
    assert token not in text


@pytest.mark.parametrize("token", [OPAQUE, JWT])
@pytest.mark.parametrize("known", [True, False])
async def test_a_reader_that_names_the_token_does_not_show_it(token: str, known: bool) -> None:
    """A `CallError` of an author's reader may repeat the call: its token is masked.

    A token that is not a JWT is masked if the reader says that it is the token.
    """

    def rejecting(raw: RawCall) -> Call:
        raise CallError(402, "no_credit", f"No credit for {token}.", token if known else "")

    app = App(read_call=rejecting)

    @app.block("loan")
    async def loan(ctx: Context) -> None: ...

    stream = configured()
    dialog = FakeDialog(app)
    async with dialog:
        status, answer = await dialog.post("/blocks/loan", {"token": token})
    assert (status, answer["code"]) == (402, "no_credit")
    if known or token == JWT:
        assert answer["detail"] == f"No credit for {redaction.MASK}."
    assert token not in written(stream)
