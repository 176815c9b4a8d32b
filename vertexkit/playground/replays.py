"""The replay of a recorded run on the current code, in a process of its own."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from typing import Any

from vertexkit.errors import SettingsError

REPLAY_TIMEOUT_SECONDS = 120.0
MAX_ERROR_CHARACTERS = 4000


async def replay_in_process(run: str, target: str) -> dict[str, Any]:
    """Replay a run, as `vertexkit replay` does.

    Args:
        run: id of the recording.
        target: the app.

    Returns:
        What `vertexkit replay --json` prints: `same`, `messages`, `data` and `difference`.

    Raises:
        SettingsError: the run could not be replayed.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "vertexkit", "replay", run, target, "--json"),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(REPLAY_TIMEOUT_SECONDS):
            output, errors = await process.communicate()
    except TimeoutError:
        raise SettingsError(f"the replay did not end within {REPLAY_TIMEOUT_SECONDS:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        return dict(json.loads(output))
    except ValueError:
        text = errors.decode(errors="replace").strip()[-MAX_ERROR_CHARACTERS:]
        raise SettingsError(text or f"the replay ended with code {process.returncode}") from None
