"""What can be made to go wrong in a run, by a switch on the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vertexkit.errors import SettingsError
from vertexkit.testing.platform.app import FakePlatform

SLOW = 4.0
Order = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Switch:
    """One thing to go wrong; its words are on the page."""

    orders: tuple[Order, ...] = ()
    """For `FakePlatform.fail`."""
    calls: int = 1
    """How often the platform calls the block, with one token."""
    crash_after: int = 0
    """Messages after which the process is killed; 0: it is not."""


SEND, COMPLETE = "send_message", "complete"
SWITCHES: dict[str, Switch] = {
    "": Switch(),
    "rate_limit": Switch(({"method": SEND, "status": 429, "retry_after": 2, "times": 2},)),
    "server_error": Switch(
        (
            {"method": SEND, "status": 503, "retry_after": 1},
            {"method": COMPLETE, "status": 502, "times": 2},
        )
    ),
    "slow": Switch(({"method": SEND, "kind": "slow", "seconds": SLOW},)),
    "lost": Switch(
        ({"method": SEND, "kind": "lost"}, {"method": COMPLETE, "kind": "lost"}),
    ),
    "gone": Switch(({"method": SEND, "kind": "gone", "after": 1},)),
    "duplicate": Switch(calls=2),
    "crash": Switch(crash_after=1),
}


def switch(name: str, after: int) -> Switch:
    """The switch of this name.

    Args:
        name: a key of `SWITCHES`.
        after: messages before a crash; 1 or more.

    Raises:
        SettingsError: there is no such switch.
    """
    if name not in SWITCHES:
        raise SettingsError(f"no fault {name!r}: it is one of {', '.join(filter(None, SWITCHES))}")
    return Switch(crash_after=max(1, after)) if name == "crash" else SWITCHES[name]


def order(platform: FakePlatform, chosen: Switch) -> None:
    """Let it go wrong from now on; what earlier runs left unused is forgotten."""
    platform.clear_faults()
    for each in chosen.orders:
        platform.fail(**each)
