"""I2, I10 and I12: invariants with limits of time and number."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tests.chaos.observed import Observed
from vertexkit.execution import EVENT_POSITION, Phase


def progress(seen: Observed, *, now: float, within: float, pause: float) -> list[str]:
    """I2. Every execution is held by a worker or due, and ends in time.

    Args:
        seen: at any moment.
        now: Unix seconds of that moment.
        within: seconds in which every execution ends after its acceptance.
        pause: the longest delay of an execution.
    """
    wrongs = []
    for record in seen.records:
        if record.phase is Phase.SETTLED:
            continue
        name = f"I2: {record.execution} ({record.phase.value})"
        if record.phase in {Phase.RUNNING, Phase.COMPLETING} and not record.worker:
            wrongs.append(f"{name} is held by no worker")
        if record.due_at is not None and record.due_at > now + pause:
            wrongs.append(f"{name} is due in {record.due_at - now:.0f} s, which is too late")
        if now - record.accepted_at > within:
            wrongs.append(f"{name} has not ended in {now - record.accepted_at:.0f} s")
    return wrongs


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of concurrency."""

    running: int
    """Handlers in total."""
    waiting: int
    blocks: Mapping[str, int]
    """Handlers by block, where a block has its own limit."""


def bounded(seen: Observed, limits: Limits) -> list[str]:
    """I10. No more executions run and wait than allowed; a rejected call gets a Retry-After."""
    running = Counter(r.block for r in seen.records if r.phase is Phase.RUNNING)
    waiting = sum(r.phase in {Phase.WAITING, Phase.COMPLETING} for r in seen.records)
    wrongs = []
    for block, number in running.items():
        allowed = limits.blocks.get(block, number)
        if number > allowed:
            wrongs.append(f"I10: {number} handlers of {block} run, {allowed} may")
    if running.total() > limits.running:
        wrongs.append(f"I10: {running.total()} handlers run, {limits.running} may")
    if waiting > limits.waiting:
        wrongs.append(f"I10: {waiting} executions wait, {limits.waiting} may")
    wrongs += [
        "I10: a call was rejected with 503 without a Retry-After"
        for call in seen.calls
        if call.status == 503 and not call.retry_after
    ]
    return wrongs


@dataclass(frozen=True, slots=True)
class Stop:
    """A shutdown of a process. Unix seconds, as in the journal."""

    asked_at: float
    ended_at: float
    grace: float
    """Seconds for the handlers."""
    spare: float
    """Seconds for the rest of the shutdown."""


def clean_stop(seen: Observed, stop: Stop) -> list[str]:
    """I12. After SIGTERM nothing is claimed; after the grace period nothing is started.

    Args:
        seen: what the stopped process left, before the next one began.
        stop: when it was asked to stop, and when it had.
    """
    wrongs = []
    last = stop.asked_at + stop.grace
    for record in seen.records:
        claims = [record.claimed_at or 0.0]
        claims += [event.at for event in record.history if event.name == "claimed"]
        if max(claims) > stop.asked_at:
            wrongs.append(f"I12: {record.execution} was claimed after the signal")
        wrongs += [
            f"I12: effect {effect.position} of {record.execution} began after the grace period"
            for effect in record.effects
            if effect.began > last and effect.position < EVENT_POSITION  # events come from outside
        ]
    if stop.ended_at > last + stop.spare:
        wrongs.append(f"I12: the process took {stop.ended_at - stop.asked_at:.1f} s to end")
    return wrongs
