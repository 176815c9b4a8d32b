"""A probe: finds out what the platform's documentation does not say, and writes `report.md`.

Run one dialog of a test bot through the block twice, then once with `hold` and `second_complete`.
The observations are kept in PROBE_FOLDER, by default `.vertexkit/probe`. Empty that folder if you
have tried the block with `vertexkit trigger`, whose platform is a fake.
"""

from asyncio import sleep
from typing import Annotated

import httpx
from pydantic import Field

from example_blocks.findings import fingerprint
from example_blocks.report import observe, read_findings
from vertexkit import App, Call, Context, RawCall, Settings, http_client, read_call

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
REACTIVATION_SECONDS = 3
"""Time for the bot to call the block again before the second `complete`."""
TOKENS = {
    "unique": "свой у каждого выполнения",
    "reused": "общий для всех выполнений",
    "": "неизвестно",
}


def observe_call(raw: RawCall) -> Call:
    """Read a call and record it, including calls that start no execution."""
    call = read_call(raw)
    observe("call", call.token, body=fingerprint(raw.body))
    return call


app = App(read_call=observe_call)


# on_crash: in a second run, messages are not sent again, so they could not be timed.
@app.block("probe", title="Проверка платформы", timeout=4000, on_crash="fail")
async def probe(
    ctx: Context,
    hold: Annotated[float, Field(ge=0, le=3600, title="Сколько секунд держать диалог")] = 0,
    second_complete: Annotated[bool, Field(title="Завершить блок дважды")] = False,
    dialog: Annotated[str, Field(title="UUID диалога (переменная бота)")] = "",
) -> None:
    kind = JSON if ctx.raw.lstrip().startswith(b"{") else FORM
    token = read_call(RawCall("/", ctx.raw, {"content-type": kind})).token
    if not dialog and (claims := ctx.claims) is not None:
        dialog = f"{claims.instance} {claims.dialog_id} {claims.vertex_id}"
    observe("started", token, dialog=fingerprint(dialog) if dialog else None)
    for typing, text in ((False, "Проверяю платформу: раз"), (True, "Проверяю платформу: два")):
        before = ctx.remaining
        await ctx.send_message(text, typing)
        # `remaining` uses the deadline's clock, which is virtual in tests.
        observe("sent", token, typing=typing, seconds=round(before - ctx.remaining, 3))
    await sleep(hold)
    found = read_findings()
    calls = f"Токен: {TOKENS[found.tokens]}. Повторных вызовов: {len(found.repeats)}."
    typing_delay = f"С typing ответ приходит на {found.delay:.1f} с позже."
    await ctx.send_message(f"{calls} {typing_delay}", typing=False)
    # Recorded first, because the platform may continue the dialog before it answers `complete`.
    observe("ended", token, held=hold)
    await ctx.complete({"tokens": found.tokens or None, "send_timeout": found.send_timeout})
    await sleep(REACTIVATION_SECONDS if second_complete else 0)
    # If the block was called again with this token, a second `complete` would end that activation.
    if second_complete and fingerprint(token) not in read_findings().reactivated:
        observe("second", token, answer=await complete_again(ctx, token))


async def complete_again(ctx: Context, token: str) -> str:
    url = Settings.load().platform.url
    if ctx.claims is not None:  # a listed instance, because vertexkit has accepted the call
        url = url.replace("{instance}", ctx.claims.instance or "")
    try:
        async with http_client() as client:
            body = {"token": token, "data": None}
            return str((await client.post(f"{url}/vertex/v1/complete", json=body)).status_code)
    except httpx.UnsupportedProtocol:
        return "not sent: VERTEXKIT_PLATFORM_URL is not set"
    except httpx.HTTPError as error:
        return type(error).__name__
