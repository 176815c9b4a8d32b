"""What processes have used, from /proc."""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROCESS_CLOCK = 2
"""The clock of a process's scheduled time (`clock_getcpuclockid`), in nanoseconds."""


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process, user and system, with that of its descendants."""
    return sum(_of_each(_seconds, pid))


def peak_megabytes(pid: int) -> float:
    """Return the peak memory of a process and its descendants, in MiB."""
    return sum(_of_each(_peak, pid))


def tree(pid: int) -> Iterator[int]:
    """Yield the pid of a process and of all its descendants."""
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            yield from tree(int(child))
        except OSError:  # it has ended
            continue


def _of_each(read: Callable[[int], float], pid: int) -> Iterator[float]:
    """Yield what is read of a process and of each descendant that has not ended meanwhile."""
    yield read(pid)
    for one in itertools.islice(tree(pid), 1, None):
        with suppress(OSError):
            yield read(one)


def _seconds(pid: int) -> float:
    """Return the time of a process, exactly, and that of its children that have ended, in ticks.

    In ticks of 10 ms, a short measurement of a process could show nothing.
    """
    own = time.clock_gettime(~pid << 3 | PROCESS_CLOCK)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return own + sum(map(int, fields[13:15])) / TICKS


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next((line for line in status.splitlines() if line.startswith("VmHWM")), "- 0")
    return int(peak.split()[1]) / 1024
