"""How the garbage collector is set in the processes of a service."""

import gc

GC_THRESHOLDS = (20_000, 20, 50)
"""New objects, and younger collections, that start a collection of each generation. Measured: few
objects of an execution live long."""


def tune_garbage_collector() -> None:
    """Collect rarely, and never again what exists now.

    Called once all modules are loaded: what they have made lives until the end of the process, and
    need not be scanned again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
