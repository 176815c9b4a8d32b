"""An author's app that logs, raises and prints its token in every way."""

import asyncio
import gc
import logging
import threading
import warnings
from typing import Any
from unittest.mock import patch

import structlog
from pydantic import BaseModel, field_validator

from vertexkit import App, BlockFailed, Context, Retry
from vertexkit.worker.watchdog import Watchdog

app = App()
reported = threading.Event()
"""A blocked event loop was logged."""
report = Watchdog._report


def note_report(watchdog: Watchdog, *arguments: Any, **options: Any) -> None:
    report(watchdog, *arguments, **options)
    reported.set()


patch.object(Watchdog, "_report", note_report).start()


def block_until_reported() -> None:
    """Block the event loop, however late the watchdog's thread gets the processor."""
    reported.clear()
    assert reported.wait(60)


class Choosy(BaseModel):
    """Inputs whose validator repeats its value."""

    secret: str = ""
    worse: str = ""

    @field_validator("secret")
    @classmethod
    def refuse(cls, value: str) -> str:
        if value:
            raise ValueError(f"it is {value}")
        return value

    @field_validator("worse")
    @classmethod
    def break_down(cls, value: str) -> str:
        if value:
            raise RuntimeError(f"it is {value}")
        return value


@app.block("good")
async def good(ctx: Context) -> str:
    await ctx.send_message("canary text of a message")
    return "canary text of a message"


@app.block("choosy")
async def choosy(ctx: Context, request: Choosy) -> None:
    return None


@app.block("waits")
async def waits(ctx: Context) -> None:
    await asyncio.Event().wait()


@app.block("noisy")
async def noisy(ctx: Context, way: str) -> Any:
    token: str = ctx.inputs["copy"]
    match way:
        case "raise":
            raise RuntimeError(f"no good: {ctx.raw!r} {token}")
        case "group":
            raise ExceptionGroup(token, [ValueError(token), KeyError(token)])
        case "fail":
            raise BlockFailed("no_good", f"it was {len(token)} long", data={})
        case "retry":
            if ctx.attempt == 1:
                raise Retry(after=0.01, reason=f"again: {token}")
        case "send":  # the platform refuses it, and says it again
            await ctx.send_message(token)
        case "result":
            return type("Odd", (), {"__repr__": lambda _: token})()
        case "step":
            await ctx.step("look", broken, token)
        case "stall":
            await asyncio.sleep(0)
            block_until_reported()  # that is the fault
        case _:
            await log(ctx, way, token)
    return None


async def log(ctx: Context, way: str, token: str) -> None:
    own = logging.getLogger("own")
    match way:
        case "structlog":
            fields = {"raw": ctx.raw, "deep": {"deep": [token]}, "ctx": repr(ctx)}
            ctx.log.warning("logged", token=token, **fields)
            structlog.get_logger("own").error(token, k=token)
        case "stdlib":
            own.error("logged %s %r", token, {"token": token})
            logging.getLogger("httpx").warning("GET https://h/?key=%s", token)
        case "warning":
            logging.captureWarnings(capture=True)
            warnings.warn(f"deprecated: {token}", stacklevel=1)
        case "thread":
            thread = threading.Thread(target=own.error, args=(token,))
            thread.start()
            thread.join()
        case "forgotten":
            asyncio.get_running_loop().call_soon(asyncio.ensure_future, broken(token))
            await asyncio.sleep(0.01)
            gc.collect()


async def broken(token: str) -> None:
    raise RuntimeError(token)
