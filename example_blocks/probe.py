"""Deployed once, it finds out what the platform's document leaves open: see `report.md`.

Lead one dialog of a test bot through it twice, then once with `hold` and `second_complete`. What
was seen is kept in the folder PROBE_FOLDER, `.vertexkit/probe` by default; empty it after a trial
with `vertexkit trigger`, whose platform is a fake.
"""

from asyncio import sleep
from typing import Annotated

import httpx
from pydantic import Field

from example_blocks.findings import fingerprint
from example_blocks.report import note, read
from vertexkit import App, Call, Context, RawCall, Settings, http_client, read_call

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
PAUSE = 3
"""Seconds for a dialog to come round again."""
TOKENS = {"unique": "свой у каждого захода", "reused": "один на все заходы", "": "пока не ясно"}


def counted(raw: RawCall) -> Call:
    """Every call that arrives is noted, also the ones that start nothing."""
    call = read_call(raw)
    note("call", call.token, body=fingerprint(raw.body))
    return call


app = App(read_call=counted)


# Not run again after a crash: a message that is not sent again takes no time to be answered.
@app.block("probe", title="Проверка платформы", timeout=4000, on_crash="fail")
async def probe(
    ctx: Context,
    hold: Annotated[float, Field(ge=0, le=3600, title="Сколько секунд держать диалог")] = 0,
    second_complete: Annotated[bool, Field(title="Завершить блок дважды")] = False,
    dialog: Annotated[str, Field(title="UUID диалога: переменная бота")] = "",
) -> None:
    kind = JSON if ctx.raw.lstrip().startswith(b"{") else FORM
    token = read_call(RawCall("/", ctx.raw, {"content-type": kind})).token
    if not dialog and (claims := ctx.claims) is not None:
        dialog = f"{claims.instance} {claims.dialog_id} {claims.vertex_id}"
    note("began", token, dialog=fingerprint(dialog) if dialog else None)
    for typing, text in ((False, "Проверяю платформу: раз"), (True, "Проверяю платформу: два")):
        before = ctx.remaining
        await ctx.send_message(text, typing)
        # By the deadline's clock: it is a virtual one in tests.
        note("sent", token, typing=typing, seconds=round(before - ctx.remaining, 3))
    await sleep(hold)
    found = read()
    token_said = f"Токен: {TOKENS[found.tokens]}. Повторов вызова: {len(found.repeats)}."
    typing_said = f"typing замедляет ответ на {found.delay:.1f} с."
    await ctx.send_message(f"{token_said} {typing_said}", typing=False)
    # Before it is asked for: a platform may go on with the dialog while it answers.
    note("ended", token, held=hold)
    await ctx.complete({"tokens": found.tokens or None, "send_timeout": found.send_timeout})
    await sleep(PAUSE if second_complete else 0)
    # If the dialog is here again with this token, a second `complete` would end that activation.
    if second_complete and fingerprint(token) not in read().back:
        note("second", token, answer=await complete_again(ctx, token))


async def complete_again(ctx: Context, token: str) -> str:
    url = Settings.load().platform.url
    if ctx.claims is not None:  # of the listed instances: vertexkit has accepted the call
        url = url.replace("{instance}", ctx.claims.instance or "")
    try:
        async with http_client() as client:
            body = {"token": token, "data": None}
            return str((await client.post(f"{url}/vertex/v1/complete", json=body)).status_code)
    except httpx.UnsupportedProtocol:
        return "not asked: no VERTEXKIT_PLATFORM_URL"
    except httpx.HTTPError as error:
        return type(error).__name__
