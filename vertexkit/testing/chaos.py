"""Runs a block under simulated failures, and says what a person in the dialog would have seen."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from vertexkit.app import App
from vertexkit.execution import OutcomeStatus
from vertexkit.failure import FAILURE_MESSAGES
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.dialog import DEFAULT_PATIENCE_SECONDS, FakeDialog
from vertexkit.testing.failures import describe
from vertexkit.testing.network import NetworkGuard
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.run import Run

MAX_MESSAGES = 5
"""Messages that are hit one by one: the first ones."""
MAX_EFFECTS = 20
"""Messages and steps after each of which the process is killed: the first ones."""
LOST = "lost"
REQUEST_FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lost answer to {}", {"kind": LOST}),
    ("429 to {}", {"status": 429, "retry_after": 1}),
    ("503 to {}, twice", {"status": 503, "times": 2}),
    ("dialog gone at {}", {"kind": "gone"}),
)
HANGS, COMPLETED_TWICE, CONFIRMED_TWICE, NOT_REPEATABLE = (
    "the dialog hangs",
    "the block is completed twice",
    "a message is sent twice",
    "the handler does something else after a crash",
)
"""The promises that a run can break."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One failure."""

    name: str
    fault: dict[str, Any] = field(default_factory=dict)
    """Arguments of `FakePlatform.fail`."""
    crash_after: int | None = None
    crash_everywhere: bool = False
    duplicate: bool = False
    """The platform makes the same call again while the block runs."""


NO_FAULT = Scenario("no fault")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person in the dialog has seen of one run."""

    block: str
    scenario: str
    messages: tuple[str, ...]
    missing: int
    """Messages of the run without a fault that did not arrive."""
    doubled: int
    """Messages that arrived more often than without a fault."""
    end: str
    """`completed`, `failed: CODE`, `dialog gone` or `hangs`."""
    broken: tuple[str, ...] = ()
    """The promises that were broken."""
    error: str = ""
    """What the handler raised, and where."""
    is_base: bool = False
    """The run without a fault."""


@dataclass(frozen=True, slots=True)
class Played:
    """A run, and what the platform has of it."""

    run: Run | None
    messages: tuple[str, ...]
    completed: bool
    repeatable: bool = True
    """No later run of the handler did something else than the first."""
    happened: bool = True
    """The failure happened."""
    violations: tuple[str, ...] = ()
    """Requests that break the platform's rules."""


class Chaos:
    """Runs the blocks of an app in this process, on a virtual clock.

    Requests of a block to other hosts are refused. Its steps and what it does to files are real.

    Args:
        app: that is run.
        seed: of the fake platform.
        allowed_hosts: patterns of hosts to which requests are made.
        patience: real seconds after which a run counts as hanging.
        settings: of the app.
    """

    def __init__(
        self,
        app: App[Any],
        *,
        seed: int = 0,
        allowed_hosts: Sequence[str] = (),
        patience: float = DEFAULT_PATIENCE_SECONDS,
        **settings: Any,
    ) -> None:
        self._app = app
        self._seed = seed
        self._allowed = tuple(allowed_hosts)
        self._patience = patience
        self._settings = settings

    async def check(self, block: str, inputs: dict[str, Any]) -> list[Seen]:
        """Run a block without a fault, and under each failure.

        Args:
            block: its name.
            inputs: that it accepts.

        Returns:
            What was seen, the run without a fault first.
        """
        base = await self._play(block, inputs, NO_FAULT)
        seen = [judge(block, NO_FAULT, base, base)]
        if base.run is None:
            return seen
        for scenario in _scenarios(base.run):
            played = await self._play(block, inputs, scenario)
            if played.happened:
                seen.append(judge(block, scenario, base, played))
        return seen

    async def _play(self, block: str, inputs: dict[str, Any], scenario: Scenario) -> Played:
        platform = FakePlatform(clock=VirtualClock(), seed=self._seed)
        if scenario.fault:
            platform.fail(**scenario.fault)
        dialog = FakeDialog(self._app, platform, patience=self._patience, **self._settings)
        token = platform.issue(block)
        run: Run | None = None
        happened = repeatable = True
        try:
            with NetworkGuard(self._allowed, _explain_refusal).active():
                async with dialog:
                    run = await _call(dialog, (block, inputs, token), scenario)
        except TimeoutError:
            run = None
        except AssertionError:  # a later run did something else, or did not get to the crash
            happened, repeatable = scenario.crash_everywhere, False
        if run is not None and run.outcome is not None:
            repeatable = run.outcome.code != "nondeterministic"
        activation = platform.activation(token)
        texts = tuple(message.text for message in activation.messages)
        completed = bool(activation.completions)
        return Played(run, texts, completed, repeatable, happened, tuple(platform.violations))


def _explain_refusal(host: str) -> str:
    return f"a request to {host} was refused. To allow it: --allow-host {host}"


async def _call(
    dialog: FakeDialog, call: tuple[str, dict[str, Any], str], scenario: Scenario
) -> Run:
    block, inputs, token = call
    if scenario.duplicate:
        run, _ = await asyncio.gather(
            dialog.call(block, inputs, token), dialog.call(block, inputs, token)
        )
        return run
    return await dialog.call(
        block,
        inputs,
        token,
        crash_after=scenario.crash_after,
        crash_everywhere=scenario.crash_everywhere,
    )


def _scenarios(base: Run) -> Iterator[Scenario]:
    """Yield the failures that can hit a run."""
    for name, fault in REQUEST_FAULTS:
        for number in range(min(len(base.messages), MAX_MESSAGES)):
            place = f"message {number + 1}"
            yield Scenario(name.format(place), {"method": "send_message", "after": number, **fault})
        yield Scenario(name.format("the completion"), {"method": "complete", **fault})
    yield Scenario("duplicate call", duplicate=True)
    effects = sum(event.name in EFFECT_EVENTS for event in base.timeline)
    for number in range(1, min(effects, MAX_EFFECTS) + 1):
        yield Scenario(f"killed after effect {number}", crash_after=number)
    if effects:
        yield Scenario("killed after each effect", crash_everywhere=True)


EFFECT_EVENTS = frozenset({"sent", "step_completed"})
"""Events of messages and steps, which `crash_after` counts."""


def judge(block: str, scenario: Scenario, base: Played, played: Played) -> Seen:
    """Compare a run with the one without a fault.

    Args:
        block: that ran.
        scenario: of the run.
        base: the run without a fault.
        played: the run.
    """
    expected, got = Counter(base.messages), Counter(played.messages)
    doubled = sum((got - expected)[text] for text in expected)
    missing = (expected - got).total()
    broken = []
    end = _end(played)
    if end == "hangs":
        broken.append(HANGS)
    for violation in played.violations:
        is_second = violation.startswith("complete: the block was already completed")
        broken.append(COMPLETED_TWICE if is_second else violation)
    if doubled and scenario.fault.get("kind") != LOST:  # one of unknown fate may be sent again
        broken.append(CONFIRMED_TWICE)
    if not played.repeatable:
        broken.append(NOT_REPEATABLE)
    error = played.run.error if played.run is not None else None
    return Seen(
        block,
        scenario.name,
        played.messages,
        missing,
        doubled,
        end,
        tuple(broken),
        describe(error) if error is not None else "",
        scenario is NO_FAULT,
    )


def _end(played: Played) -> str:
    run = played.run
    if run is None or run.outcome is None:
        if run is not None:
            return f"call rejected: {run.answer.get('code', run.status)}"
        return "hangs" if played.repeatable else "failed: nondeterministic"
    outcome = run.outcome
    if outcome.status is OutcomeStatus.GONE or outcome.code == "gone":
        return "dialog gone"
    if outcome.status is OutcomeStatus.PARKED and not played.completed:
        return "hangs"
    return "completed" if outcome.code == "ok" else f"failed: {outcome.code}"


def is_failure(seen: Seen) -> bool:
    """Whether the run without a fault failed with a code that is not its author's."""
    return seen.end.removeprefix("failed: ") in FAILURE_MESSAGES
