"""What must hold in a simulation, beside the invariants that hold of every run."""

from collections.abc import Mapping, Sequence

from tests.chaos.invariants import AT_THE_END, all_ended
from tests.chaos.limits import progress
from tests.chaos.observed import COMPLETE, Observed
from tests.chaos.simulation.callers import Answered
from tests.chaos.waits import none_forgotten
from vertexkit.execution import OutcomeStatus
from vertexkit.testing import FakePlatform

Calls = Mapping[str, Sequence[Answered]]
"""The answered calls of each token."""
WITHIN = 4000.0
"""More seconds than an execution of a simulation takes."""
RESUMES_SECONDS = 700.0
"""More than a queue, a frozen process and a slow platform delay the end of a wait."""
PAUSE = 70.0
"""The longest delay of an execution."""
NETWORK_SECONDS = 0.1
"""More than a request is on its way: one that was sent before the next call cannot be stopped."""


def at_any_moment(seen: Observed, now: float) -> list[str]:
    """Return the violations at a moment at which no process has the journal open."""
    found = [wrong for judge in AT_THE_END if judge is not all_ended for wrong in judge(seen)]
    late = progress(seen, now=now, within=WITHIN, pause=PAUSE)
    late += none_forgotten(seen, now=now, late=RESUMES_SECONDS)
    # What a dead process has held has no worker in the file; the next process claims it.
    return found + [wrong for wrong in late if "is held by no worker" not in wrong]


def stale(seen: Observed, answered: Calls) -> list[str]:
    """Rule 7: after its completion a call is a new execution, which gets no old result.

    It is not judged if a process was frozen, which may send what it was about to send.
    """
    if seen.unique_tokens:
        return []
    found = []
    for entry in seen.ledger:
        owner, calls = seen.owner(entry), answered.get(entry.token or "", [])
        if entry.method != COMPLETE or not entry.processed or owner in seen.afresh:
            continue
        own = [call.activation for call in calls if call.execution == owner]
        if any(activation > (entry.activation or 0) for activation in own):
            found.append(f"rule 7: {owner} was named for a call after its completion")
        later = [call for call in calls if own and call.activation > max(own)]
        late = [
            call
            for call in later
            if call.activation == entry.activation and call.at + NETWORK_SECONDS < entry.at
        ]
        if late:
            found.append(
                f"rule 7: {owner} completed the activation of {late[0].execution} with its result"
            )
    return found


def hanging(seen: Observed, platform: FakePlatform, answered: Calls) -> list[str]:
    """Return the dialogs that wait forever, though their call was answered 2xx.

    A 403 after a completion of unknown outcome confirms it (rule 3), even if it was temporary.
    """
    found = []
    for token, calls in answered.items():
        activation = platform.activation(token)
        if activation.state != "open" or token in seen.unlike:
            continue
        if calls[-1].activation != activation.number:
            continue
        records = [seen.by_id[call.execution] for call in calls if call.execution in seen.by_id]
        outcomes = [record.outcome for record in records if record.outcome]
        if all(o.status is OutcomeStatus.COMPLETED and o.confirmed_by != "403" for o in outcomes):
            found.append(f"the dialog of {calls[-1].execution} hangs: {outcomes}")
    return found
