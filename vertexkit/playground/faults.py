"""The faults that a run in the playground can simulate: rules, and named lists of rules."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from vertexkit.errors import SettingsError
from vertexkit.recordings.generated_test import CRASH
from vertexkit.testing.platform.fault_rules import FaultRule

SLOW_SECONDS = 4.0
MAX_CALLS = 10
DUPLICATE = "duplicate"
Rule = Mapping[str, Any]
"""A rule as the page sends it: the fields of `FaultRule`; or `kind` is `crash` (the app's process is
killed after this many messages, `after`) or `duplicate` (the platform calls `times` times more)."""

FAULT_PRESETS: dict[str, list[Rule]] = {
    "rate_limit": [{"method": "send_message", "status": 429, "retry_after": "2", "times": 2}],
    "server_error": [
        {"method": "send_message", "status": 503, "retry_after": "1"},
        {"method": "complete", "status": 502, "times": 2},
    ],
    "slow": [{"method": "send_message", "kind": "slow", "seconds": SLOW_SECONDS}],
    "lost": [{"method": "send_message", "kind": "lost"}, {"method": "complete", "kind": "lost"}],
    "gone": [{"method": "send_message", "kind": "gone", "after": 1}],
    "duplicate": [{"kind": DUPLICATE, "times": 1}],
    "crash": [{"kind": CRASH, "after": 1}],
}
"""The texts of their names are in `static/texts.js`."""


@dataclass(frozen=True, slots=True)
class RunFaults:
    """The faults of one run.

    Attributes:
        rules: as they were given.
        platform: rules for the fake platform.
        calls: how often the platform calls the block, with one token.
        crash_after: the number of messages after which the app's process is killed; 0: never.
    """

    rules: tuple[Rule, ...] = ()
    platform: tuple[FaultRule, ...] = ()
    calls: int = 1
    crash_after: int = 0


NO_FAULTS = RunFaults()


def preset_rules(name: str, after: int) -> list[Rule]:
    """Return the rules of a preset.

    Args:
        name: a key of `FAULT_PRESETS`; an empty text for no fault.
        after: the number of messages before a crash; less than 1 counts as 1.

    Raises:
        SettingsError: the name is unknown.
    """
    if not name:
        return []
    if name not in FAULT_PRESETS:
        raise SettingsError(f"unknown fault {name!r}; use one of {', '.join(FAULT_PRESETS)}")
    if name == CRASH:
        return [{"kind": CRASH, "after": max(1, after)}]
    return FAULT_PRESETS[name]


def run_faults(rules: Iterable[Rule]) -> RunFaults:
    """Read the rules of a run.

    Args:
        rules: as the page sends them.

    Raises:
        SettingsError: a rule is invalid.
    """
    given, platform, calls, crash_after = tuple(rules), [], 1, 0
    for rule in given:
        try:
            if rule.get("kind") == CRASH:
                crash_after = max(1, int(rule.get("after") or 1))
            elif rule.get("kind") == DUPLICATE:
                calls += int(rule.get("times") or 1)
            else:
                platform.append(_platform_rule(rule))
        except (AttributeError, TypeError, ValueError) as error:
            raise SettingsError(f"the fault {dict(rule)} is invalid: {error}") from error
    return RunFaults(given, tuple(platform), min(calls, MAX_CALLS), crash_after)


def _platform_rule(rule: Rule) -> FaultRule:
    known = {field.name for field in fields(FaultRule)}
    if unknown := rule.keys() - known:
        raise ValueError(f"unknown {', '.join(sorted(unknown))}; use {', '.join(sorted(known))}")
    return FaultRule(**{name: value for name, value in rule.items() if value not in ("", None)})
