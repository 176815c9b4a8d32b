"""The options of a block: how its handler is run."""

import math
from typing import Literal, TypedDict, get_args, get_type_hints

from vertexkit.context.runtime import OnUnknown
from vertexkit.errors import DefinitionError

OnCrash = Literal["run", "fail"]
"""After the process crashed during a run: run the handler again, or fail the block."""
OnPark = Literal["complete", "leave"]
"""Before an execution is parked: complete the block as failed, or leave the dialog waiting."""


class BlockOptions(TypedDict, total=False):
    """How a block's handler is run: keyword arguments of `@app.block`."""

    timeout: float | None
    """Seconds that one run may take; None: `VERTEXKIT_TIMEOUT`."""
    max_timeout: float | None
    """Seconds that one run may take after the handler has called `ctx.extend`; None: the handler
    cannot extend its deadline."""
    concurrency: int | None
    """Maximum number of runs at the same time in one process; None: `VERTEXKIT_CONCURRENCY`."""
    max_wait: float | None
    """Seconds since the call in which the handler may wait with `ctx.sleep` and `ctx.wait_for`;
    None: 7 days."""
    attempts: int | None
    """Maximum number of runs of one execution, including those after `Retry` and after a crash;
    None: `VERTEXKIT_ATTEMPTS`."""
    on_unknown: OnUnknown
    """What to do when it is unknown whether a message was sent: `assume_sent` (treat it as sent),
    `resend`, `raise` (`SendOutcomeUnknown`) or `park` (the execution)."""
    on_crash: OnCrash
    """What to do after the process crashed during a run: `run` the handler again from the top,
    without repeating its messages and steps, or `fail` the block with code `crashed`."""
    on_park: OnPark
    """What to do before an execution is parked: `complete` the block as failed, so that the dialog
    continues, or `leave` it for an operator's `vertexkit executions retry`."""


DEFAULT_MAX_WAIT_SECONDS = 7 * 24 * 3600.0
"""Default of the option `max_wait`."""
DEFAULT_OPTIONS = BlockOptions(
    timeout=None,
    max_timeout=None,
    concurrency=None,
    max_wait=None,
    attempts=None,
    on_unknown="assume_sent",
    on_crash="run",
    on_park="complete",
)
_TYPES = get_type_hints(BlockOptions)


def complete_options(at: str, options: BlockOptions) -> BlockOptions:
    """Check a block's options and add the defaults.

    Args:
        at: The block and its place in the source, for the error.
        options: What the author wrote.

    Raises:
        DefinitionError: An option does not exist or has an invalid value.
    """
    for name, value in options.items():
        if name not in _TYPES:
            known = ", ".join(("title", "description", *_TYPES))
            raise DefinitionError(f"{at}: unknown option {name!r}; the options are {known}")
        choices = get_args(_TYPES[name])
        if isinstance(choices[0], str):
            if value not in choices:
                raise DefinitionError(
                    f"{at}: {name} must be one of {', '.join(choices)}, got {value!r}"
                )
        elif value is not None and not (isinstance(value, int | float) and 0 < value < math.inf):
            raise DefinitionError(f"{at}: {name} must be greater than 0, got {value!r}")
    timeout, longest = options.get("timeout"), options.get("max_timeout")
    if timeout is not None and longest is not None and longest < timeout:
        raise DefinitionError(
            f"{at}: max_timeout must be at least timeout ({timeout:g}), got {longest:g}"
        )
    return DEFAULT_OPTIONS | options
