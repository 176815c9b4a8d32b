"""Pass completed dialogs on to a CRM, each with its answers and its uploaded files, and each once.

Sections 6 and 7 of the platform's document describe such a workflow: list the dialogs, read the data
of each, download its files, call another service. Run it again at any time, from cron for example.

    export VERTEXKIT_PLATFORM_URL=... VERTEXKIT_LOGIN=... VERTEXKIT_PASSWORD=...
    CRM_URL=http://127.0.0.1:8080 python crm.py 1502
"""

import asyncio
import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from vertexkit import BotOne, Conversation, ConversationDetails, http_client

PERIOD = timedelta(days=30)
PASSED_ON = Path("passed-on.txt")
"""The ids of dialogs that the CRM has; the CRM gets the id too, as its own safeguard."""


async def pass_on(bot: BotOne, crm: str, bot_id: int, since: datetime) -> int:
    """Pass on the completed dialogs that the CRM does not have; return their number."""
    known = set(PASSED_ON.read_text().split()) if PASSED_ON.exists() else set()

    def is_done(dialog: Conversation) -> bool:
        return dialog.status != "completed" or str(dialog.id) in known

    count = 0
    async with http_client(base_url=crm) as client:
        async for dialog in bot.v2.conversations(bot_id=bot_id, created_from=since).detailed(
            skip=is_done
        ):
            if dialog.unread:
                continue  # the next run tries it again
            await _pass_on_one(bot, client, dialog)
            with PASSED_ON.open("a") as file:
                file.write(f"{dialog.id}\n")
            count += 1
    return count


async def _pass_on_one(bot: BotOne, client: Any, dialog: ConversationDetails) -> None:
    answers = {
        answer.variable or answer.question or "": answer.answer
        for answer in dialog.data
        if answer.file_id is None
    }
    lead = {"id": str(dialog.id), "city": dialog.city, "answers": answers}
    response = await client.put(f"/leads/{dialog.id}", json=lead)
    response.raise_for_status()
    with tempfile.TemporaryDirectory() as folder:
        for file_id in dialog.files:
            path = await bot.v2.download(file_id, folder)
            response = await client.put(
                f"/leads/{dialog.id}/files/{path.name}", content=path.read_bytes()
            )
            response.raise_for_status()


async def main() -> None:
    """Pass on the dialogs of the bot on the command line."""
    names = ("PLATFORM_URL", "LOGIN", "PASSWORD")
    since = datetime.fromisoformat(os.environ.get("SINCE") or str(datetime.now(UTC) - PERIOD))
    async with BotOne(*(os.environ[f"VERTEXKIT_{name}"] for name in names)) as bot:
        count = await pass_on(bot, os.environ["CRM_URL"], int(sys.argv[1]), since)
    print(f"Passed on {count} dialogs.")


if __name__ == "__main__":
    asyncio.run(main())
