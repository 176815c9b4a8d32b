"""The settings of runs that a command makes in its own process."""

from typing import Any

from vertexkit.settings import Settings

HANDLER_SETTINGS = ("timeout", "attempts", "cleanup", "result_limit", "send_timeout", "threads")
"""The settings that apply to a single run; the others are about serving."""


def handler_settings() -> dict[str, Any]:
    """Return the settings that apply to a single run, by name.

    After Ctrl+C, the handler has no time to finish: nothing waits for its result.
    """
    return Settings.load().flat(*HANDLER_SETTINGS) | {"grace": 0.0}
