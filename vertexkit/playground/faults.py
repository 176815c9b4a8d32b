"""The faults that a run in the playground can simulate; the page shows them by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vertexkit.errors import SettingsError
from vertexkit.testing.platform.app import FakePlatform

SLOW_SECONDS = 4.0
FaultArguments = Mapping[str, Any]
"""Arguments of `FakePlatform.fail`."""


@dataclass(frozen=True, slots=True)
class FaultPreset:
    """One fault to simulate; its texts are in `static/words.js`.

    Attributes:
        faults: ordered from the fake platform.
        calls: how often the platform calls the block, with one token.
        crash_after: the number of messages after which the app's process is killed; 0: never.
    """

    faults: tuple[FaultArguments, ...] = ()
    calls: int = 1
    crash_after: int = 0

    def apply(self, platform: FakePlatform) -> None:
        """Order the faults, after removing those that earlier runs left unused."""
        platform.clear_faults()
        for arguments in self.faults:
            platform.fail(**arguments)


NO_FAULT = FaultPreset()
FAULT_PRESETS: dict[str, FaultPreset] = {
    "rate_limit": FaultPreset(
        ({"method": "send_message", "status": 429, "retry_after": 2, "times": 2},)
    ),
    "server_error": FaultPreset(
        (
            {"method": "send_message", "status": 503, "retry_after": 1},
            {"method": "complete", "status": 502, "times": 2},
        )
    ),
    "slow": FaultPreset(({"method": "send_message", "kind": "slow", "seconds": SLOW_SECONDS},)),
    "lost": FaultPreset(
        ({"method": "send_message", "kind": "lost"}, {"method": "complete", "kind": "lost"})
    ),
    "gone": FaultPreset(({"method": "send_message", "kind": "gone", "after": 1},)),
    "duplicate": FaultPreset(calls=2),
    "crash": FaultPreset(crash_after=1),
}


def fault_preset(name: str, crash_after: int) -> FaultPreset:
    """Return the preset with this name.

    Args:
        name: a key of `FAULT_PRESETS`; an empty text for no fault.
        crash_after: the number of messages before a crash; less than 1 counts as 1.

    Raises:
        SettingsError: the name is unknown.
    """
    if not name:
        return NO_FAULT
    if name not in FAULT_PRESETS:
        raise SettingsError(f"unknown fault {name!r}; use one of {', '.join(FAULT_PRESETS)}")
    if name == "crash":
        return FaultPreset(crash_after=max(1, crash_after))
    return FAULT_PRESETS[name]
