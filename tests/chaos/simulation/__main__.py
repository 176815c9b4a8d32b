"""Runs simulations of the service.

python -m tests.chaos.simulation --seed 7             one run, with its trace
python -m tests.chaos.simulation --seeds 500          that many runs with fresh seeds
python -m tests.chaos.simulation --seeds 50 --from 0  those of the gate
"""

import argparse
import sys
import time

from tests.chaos.simulation.world import Run, simulate

VIOLATIONS = 4
"""Violations of a run that are printed."""


def report(run: Run) -> str:
    """Return the violations of a run and the command that repeats it."""
    lines = run.wrongs[:VIOLATIONS]
    command = f"python -m tests.chaos.simulation --seed {run.seed}"
    return "\n".join([f"seed {run.seed}:", *lines, f"To repeat it with its trace: {command}"])


def run_seeds(first: int, number: int = 1 << 60, seconds: float = float("inf")) -> list[Run]:
    """Run seeds one after the other; print the failed ones, and how many there were.

    Args:
        first: the first seed.
        number: of seeds at most.
        seconds: after which no further one is started.

    Returns:
        The failed runs.
    """
    failed, executions, seed = [], 0, first
    until = time.monotonic() + seconds
    while seed < first + number and time.monotonic() < until:
        run = simulate(seed)
        executions += run.executions
        if run.wrongs:
            failed.append(run)
            print(report(run), flush=True)
        seed += 1
    print(
        f"simulated seeds {first} to {seed - 1}: {executions} executions, {len(failed)} failed runs"
    )
    return failed


def main() -> int:
    """Run one seed with its trace, or several."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, help="run this one, and print its trace")
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds are run")
    parser.add_argument("--from", dest="first", type=int, help="the first; by default fresh ones")
    asked = parser.parse_args()
    if asked.seed is None:
        first = int(time.time()) * 1000 if asked.first is None else asked.first
        return bool(run_seeds(first, asked.seeds))
    run = simulate(asked.seed)
    print("\n".join(run.trace))
    print(f"{run.executions} executions, {run.turns} turns; digest of the trace: {run.digest}")
    print(report(run) if run.wrongs else "Every invariant holds.")
    return bool(run.wrongs)


if __name__ == "__main__":
    sys.exit(main())
