"""Shows when the core of a service was slower than usual.

A virtual core can share the units of a physical core with another virtual machine. While that one
computes, the same code needs up to 1.9 times the processor time, for parts of a second or for minutes,
and no clock of the system says so. A `Watch` runs a short loop, always the same, on the core of a
service all the time: what is measured between two runs of usual speed was measured on a core of its own.
"""

import os
import statistics
import subprocess
import sys
import time
from bisect import bisect
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, NamedTuple, Self

from processes import processor_seconds

INTERVAL_SECONDS = 0.01
"""From the end of a loop to the start of the next."""
STEPS = 4000
"""Of a loop: 0.3 ms, or 0.6 on a core that is shared."""
LOOPS = 3
"""The shortest of this number of loops counts, so that an interrupt does not."""
SLOWER = 1.4
"""A core whose loop takes this multiple of the usual time is shared. Measured: 0.9 to 1.3 times on a core
of its own, with any service, 1.5 to 2.1 times on a shared one."""


class Sample(NamedTuple):
    """What was read at one moment."""

    at: float
    """Of `time.perf_counter`, which is the same in all processes of a machine."""
    loop: float
    """Seconds of the loop."""
    used: tuple[float, ...]
    """Processor seconds that each of the processes has used until now, with its descendants."""


class Watch:
    """Takes samples until it is left.

    Args:
        core: of the service.
        pids: of the service, and of others whose processor time is read.
    """

    _loops: ClassVar[list[float]] = []

    def __init__(self, core: int, *pids: int) -> None:
        self._core, self._pids = core, pids
        self._folder = TemporaryDirectory()
        self._lines = Path(self._folder.name, "samples")

    def __enter__(self) -> Self:
        command = [sys.executable, __file__, str(self._core), *map(str, self._pids)]
        with self._lines.open("w") as output:
            self._process = subprocess.Popen(command, stdout=output)
        self._read(until=time.perf_counter())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def samples(self, since: float, until: float) -> list[Sample]:
        """Return the samples between two times, the last one before and the first one after.

        The usual time of a loop is learnt from them.
        """
        found = self._read(until)
        times = [one.at for one in found]
        chosen = found[max(0, bisect(times, since) - 1) : bisect(times, until) + 1]
        self._loops.extend(one.loop for one in chosen)
        return chosen

    def _read(self, until: float) -> list[Sample]:
        """Wait for a sample that was taken after a time; return all samples until then."""
        while True:
            lines = self._lines.read_text().splitlines(keepends=True)
            numbers = (map(float, line.split()) for line in lines if line.endswith("\n"))
            found = [Sample(at, loop, tuple(used)) for at, loop, *used in numbers]
            if found and found[-1].at > until:
                return found
            if self._process.poll() is not None:
                raise SystemExit("the service has ended")
            time.sleep(INTERVAL_SECONDS)

    @classmethod
    def slowest(cls) -> float:
        """Return the seconds of a loop that took as long as one can on a core that is not shared.

        The usual time is that of the fastest twentieth of all samples that were returned.
        """
        return statistics.quantiles(cls._loops, n=20, method="inclusive")[0] * SLOWER


def _loop() -> float:
    start = time.thread_time()
    total = 0
    for number in range(STEPS):
        total += number * number % 7
    return time.thread_time() - start


def _main(core: int, *pids: int) -> None:
    os.sched_setaffinity(0, {core})
    while True:
        loop = min(_loop() for _ in range(LOOPS))
        used = [processor_seconds(pid) for pid in pids]
        print(time.perf_counter(), loop, *used, flush=True)
        time.sleep(INTERVAL_SECONDS)


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:]))
