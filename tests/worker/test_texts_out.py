"""Texts that UTF-8 cannot encode: wherever a block hands one over, U+FFFD takes its place."""

import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from vertexkit import App, BlockFailed, Context, Failure, Retry, SyncContext
from vertexkit.context import steps
from vertexkit.testing import FakeDialog, FakePlatform, Run

HALF: str = json.loads('"cut \\ud83d"')
"""A text that another service has cut in the middle of an emoji."""
WHOLE = "cut \ufffd"


class Note(BaseModel):
    text: Any


@dataclasses.dataclass
class Record:
    text: str


class Subclass(str):
    """A text of a library's own class."""

    __slots__ = ()


async def run_one(
    handler: Any, folder: Path | None = None, on_failure: Any = None, **settings: Any
) -> tuple[Run, FakePlatform]:
    app: App[Any] = App(on_failure=on_failure)
    app.block("block")(handler)
    if folder is not None:
        settings["journal"] = f"sqlite:{folder / 'journal.db'}"
    dialog = FakeDialog(app, **settings)
    run = await dialog.run("block")
    dialog.platform.check()
    return run, dialog.platform


async def send(ctx: Context) -> Any:
    await ctx.send_message(HALF)


async def send_subclass(ctx: Context) -> Any:
    await ctx.send_message(Subclass(HALF))


async def stream(ctx: Context) -> Any:
    await ctx.stream(["cu", "t \ud83d"])


async def stream_asynchronously(ctx: Context) -> Any:
    async def chunks() -> AsyncIterator[str | None]:
        for chunk in ("cut \ud83d", None):
            yield chunk

    await ctx.stream(chunks())


def send_from_thread(ctx: SyncContext) -> Any:
    ctx.send_message(HALF)


def stream_from_thread(ctx: SyncContext) -> Any:
    ctx.stream(["cut \ud83d"])


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "handler",
    [
        send,
        send_subclass,
        stream,
        stream_asynchronously,
        send_from_thread,
        stream_from_thread,
    ],
)
async def test_a_message(handler: Any) -> None:
    """It is sent."""
    run, _ = await run_one(handler)
    assert (run.messages, run.ok) == ([WHOLE], True)


@pytest.mark.parametrize("joined", ["\U0001f600 whole", "\U0001f468\u200d\U0001f469"])
@pytest.mark.parametrize("by_thread", [False, True])
async def test_a_character_that_is_split_between_two_chunks(joined: str, by_thread: bool) -> None:
    """It is joined again, with None and empty chunks between its halves."""
    units = joined.encode("utf-16-le")
    halves = [
        units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)
    ]
    chunks = [chunk for half in halves for chunk in (half, None, "")]

    async def asynchronous(ctx: Context) -> None:
        await ctx.stream(chunks)

    def plain(ctx: SyncContext) -> None:
        ctx.stream(iter(chunks))

    run, _ = await run_one(plain if by_thread else asynchronous)
    assert run.messages == [joined]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "value, data",
    [
        (HALF, {"result": WHOLE}),
        ({"text": HALF, "none": None}, {"text": WHOLE, "none": None}),
        ({HALF: {"list": [HALF, (HALF,)]}}, {WHOLE: {"list": [WHOLE, [WHOLE]]}}),
        (Note(text=HALF), {"text": WHOLE}),
        (Note(text=[{HALF: HALF}]), {"text": [{WHOLE: WHOLE}]}),
        (Record(HALF), {"text": WHOLE}),
        ([Record(HALF), Note(text=HALF)], {"result": [{"text": WHOLE}, {"text": WHOLE}]}),
        ("\ud83d\ude00", {"result": "\U0001f600"}),
    ],
    ids=range(8),
)
@pytest.mark.parametrize("early", [False, True], ids=["returned", "ctx.complete"])
async def test_a_result(value: Any, data: Any, early: bool) -> None:
    """In any nested text, and in keys."""

    async def handler(ctx: Context) -> Any:
        if early:
            await ctx.complete(value)
        return value

    run, _ = await run_one(handler)
    assert (run.data, run.ok) == (data, True)


@pytest.mark.parametrize(
    "annotation, value, data",
    [
        (str, HALF, {"result": WHOLE}),
        (list[str], [HALF], {"result": [WHOLE]}),
        (dict[str, str], {HALF: HALF}, {WHOLE: WHOLE}),
        (Note, {"text": HALF}, {"text": WHOLE}),
        (Record, {"text": HALF}, {"text": WHOLE}),
        (Record, Record(HALF), {"text": WHOLE}),
    ],
    ids=range(6),
)
async def test_a_typed_result(annotation: Any, value: Any, data: Any) -> None:
    """The return annotation is checked after the repair."""

    async def handler(ctx: Context) -> Any:
        return value

    handler.__annotations__["return"] = annotation
    run, _ = await run_one(handler)
    assert (run.data, run.ok) == (data, True)


async def read_text(ctx: Context) -> Any:
    return await ctx.step("fetch", lambda: {"text": HALF, HALF: [HALF]})


async def read_typed_text(ctx: Context) -> Any:
    def fetch() -> dict[str, Any]:
        return {"text": HALF, HALF: [HALF]}

    return await ctx.step(HALF, fetch)


async def pass_text(ctx: Context) -> Any:
    def fetch(text: str, *, named: str) -> Any:
        return {"text": text, named: [named]}

    return await ctx.step("fetch", fetch, HALF, named=HALF)


@pytest.mark.parametrize("handler", [read_text, read_typed_text, pass_text])
async def test_a_step(handler: Callable[[Context], Awaitable[Any]], tmp_path: Path) -> None:
    """Its result, its name and its arguments; a second run gets the same result."""
    results = []

    async def twice(ctx: Context) -> Any:
        results.append(await handler(ctx))
        if ctx.attempt == 1:
            raise Retry(after=0)
        return results[-1]

    run, _ = await run_one(twice, tmp_path)
    assert run.data == {"text": WHOLE, WHOLE: [WHOLE]}
    assert results[0] == results[1]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "error, expected",
    [
        (BlockFailed("no", HALF), {"code": "no", "message": WHOLE}),
        (BlockFailed(HALF, "no"), {"code": WHOLE, "message": "no"}),
        (BlockFailed("no", "no", {HALF: [HALF]}), {"code": "no", "message": "no", "data": {WHOLE: [WHOLE]}}),
        (BlockFailed("no", "no", Record(HALF)), {"code": "no", "message": "no", "data": {"text": WHOLE}}),
        (BlockFailed(404, ValueError("no")), {"code": "404", "message": "no"}),  # pyrefly: ignore[bad-argument-type]
        (ValueError(HALF), {"code": "internal", "message": "The block failed."}),
    ],
    ids=range(6),
)  # fmt: skip
async def test_a_failure(error: Exception, expected: Any, tmp_path: Path) -> None:
    """Code, message and data."""

    async def handler(ctx: Context) -> None:
        raise error

    run, _ = await run_one(handler, tmp_path)
    assert run.data == {"ok": False, "error": expected}
    assert run.outcome is not None
    assert run.outcome.code == expected["code"]


async def test_a_hook_s_value(tmp_path: Path) -> None:
    """And its message."""

    async def on_failure(ctx: Context, failure: Failure) -> Any:
        await ctx.send_message(HALF)
        return {"sorry": HALF}

    async def handler(ctx: Context) -> None:
        raise ValueError

    run, _ = await run_one(handler, tmp_path, on_failure)
    assert (run.messages, run.data) == ([WHOLE], {"sorry": WHOLE})


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "reason",
    [HALF, ValueError(HALF), b"\xff", object(), None, "x" * 200_000, "a\0b", 7],
    ids=["cut", "error", "bytes", "object", "none", "large", "nul", "number"],
)
async def test_a_reason_to_retry(reason: Any, tmp_path: Path) -> None:
    """The execution runs again, whatever the reason is."""

    async def handler(ctx: Context) -> int:
        if ctx.attempt == 1:
            raise Retry(after=0.1, reason=reason)
        return ctx.attempt

    run, _ = await run_one(handler, tmp_path)
    assert run.data == {"result": 2}


async def test_a_recorded_run(tmp_path: Path) -> None:
    """VERTEXKIT_RECORD writes what was sent."""

    async def handler(ctx: Context) -> Any:
        ctx.log.info("seen", text=HALF)
        await ctx.send_message(HALF)
        return {"text": HALF}

    run, _ = await run_one(handler, record=tmp_path / "runs")
    assert run.ok
    [file] = (tmp_path / "runs").iterdir()
    assert file.read_text(encoding="utf-8").count(WHOLE) >= 2


def count() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


class Endless(BaseModel):
    numbers: Any


LARGE = ["x" * 1000] * 1_000_000
NESTED: list[Any] = ["x"]
for _ in range(30):
    NESTED = [NESTED, NESTED]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "make",
    [
        count,
        lambda: {"numbers": count()},
        lambda: [[count()]],
        lambda: Endless(numbers=count()),
        lambda: map(str, count()),
        lambda: (["x" * 1000] for _ in count()),
        lambda: (count() for _ in count()),
        lambda: LARGE,
        lambda: {"list": LARGE},
        lambda: Endless(numbers=LARGE),
        lambda: NESTED,
        lambda: "x" * 100_000_000,
    ],
    ids=range(12),
)
@pytest.mark.parametrize("annotation", [Any, list[int], None], ids=str)
async def test_an_endless_result_ends(make: Callable[[], Any], annotation: Any) -> None:
    """An infinite generator, or a huge value: the block fails in time, with a sentence."""

    async def handler(ctx: Context) -> Any:
        return make()

    if annotation is not None:
        handler.__annotations__["return"] = annotation
    run, _ = await run_one(handler)
    assert run.data["error"]["code"] == "bad_result"


@pytest.mark.unmeasured
async def test_an_endless_result_of_a_step_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler gets a TypeError."""
    monkeypatch.setattr(steps, "MAX_RESULT_BYTES", 1024 * 1024)

    async def handler(ctx: Context) -> Any:
        with pytest.raises(TypeError, match="too large"):
            await ctx.step("numbers", count)
        return 1

    run, _ = await run_one(handler)
    assert run.data == {"result": 1}


@pytest.mark.parametrize(
    "data",
    [count(), LARGE, {"nan": float("nan")}, float("inf"), object()],
    ids=["endless", "large", "nan", "infinity", "object"],
)
async def test_data_of_a_failure_that_is_not_json_is_left_out(data: Any) -> None:
    """As a result would be refused: also NaN, and what is endless."""

    async def handler(ctx: Context) -> None:
        raise BlockFailed("odd", "Odd.", data)

    run, _ = await run_one(handler)
    assert run.data == {"ok": False, "error": {"code": "odd", "message": "Odd."}}


@pytest.mark.parametrize("chunk", [b"bytes", 1, Note(text="delta"), ["text"]], ids=repr)
@pytest.mark.parametrize("by_thread", [False, True])
async def test_a_chunk_that_is_no_text(chunk: Any, by_thread: bool) -> None:
    """The error names ctx.stream and the chunk's type."""

    async def asynchronous(ctx: Context) -> Any:
        with pytest.raises(TypeError, match=f"ctx.stream needs .*got {type(chunk).__name__}"):
            await ctx.stream(["text", chunk])

    def plain(ctx: SyncContext) -> Any:
        with pytest.raises(TypeError, match=f"ctx.stream needs .*got {type(chunk).__name__}"):
            ctx.stream(["text", chunk])

    run, _ = await run_one(plain if by_thread else asynchronous)
    assert run.ok


@pytest.mark.parametrize("name", [None, 1, b"name"], ids=repr)
async def test_a_step_s_name_that_is_no_text(name: Any) -> None:
    """The error says what is needed."""

    async def handler(ctx: Context) -> Any:
        with pytest.raises(TypeError, match="step needs a name"):
            await ctx.step(name, lambda: 1)

    run, _ = await run_one(handler)
    assert run.ok
