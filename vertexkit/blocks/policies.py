"""The options of a block: how its handler is run."""

import math
from typing import Literal, TypedDict, get_args, get_type_hints

from vertexkit.blocks.hooks import KEY, check_plain
from vertexkit.blocks.limits import LimitKey, parse_rate
from vertexkit.context.runtime import OnUnknown
from vertexkit.errors import DefinitionError
from vertexkit.journal.limits import BlockLimits

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
    fleet_concurrency: int | None
    """Maximum number of runs at the same time in all processes that share the journal, for each
    key; None: no limit."""
    rate: str | None
    """How many runs start in a period, in all processes that share the journal, for each key:
    `10/second`, `100/minute`, `3/10s`; None: no limit."""
    key: LimitKey | None
    """Returns the key of a call, for `fleet_concurrency` and `rate`; None: all calls of the block
    share them."""
    max_wait: float | None
    """Seconds since the call in which the execution may wait for a limit, and its handler with
    `ctx.sleep` and `ctx.wait_for`; None: 7 days."""
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
    fleet_concurrency=None,
    rate=None,
    key=None,
    max_wait=None,
    attempts=None,
    on_unknown="assume_sent",
    on_crash="run",
    on_park="complete",
)
_TYPES = get_type_hints(BlockOptions)
_OTHER_TYPES = {"rate", "key"}
"""Options that are neither a number nor a choice."""


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
        if name not in _OTHER_TYPES:
            _check_option(at, name, value)
    _check_limits(at, options)
    timeout, longest = options.get("timeout"), options.get("max_timeout")
    if timeout is not None and longest is not None and longest < timeout:
        raise DefinitionError(
            f"{at}: max_timeout must be at least timeout ({timeout:g}), got {longest:g}"
        )
    return DEFAULT_OPTIONS | options


def _check_option(at: str, name: str, value: object) -> None:
    """Check an option that is a number or one of some words."""
    choices = get_args(_TYPES[name])
    if isinstance(choices[0], str):
        if value not in choices:
            raise DefinitionError(
                f"{at}: {name} must be one of {', '.join(choices)}, got {value!r}"
            )
    elif value is not None and not (isinstance(value, (int, float)) and 0 < value < math.inf):
        raise DefinitionError(f"{at}: {name} must be greater than 0, got {value!r}")


def _check_limits(at: str, options: BlockOptions) -> None:
    running, key = options.get("fleet_concurrency"), options.get("key")
    if running is not None and not isinstance(running, int):
        raise DefinitionError(f"{at}: fleet_concurrency must be a whole number, got {running!r}")
    if options.get("rate") is not None:
        parse_rate(at, options["rate"])
    if key is None:
        return
    if not callable(key):
        raise DefinitionError(f"{at}: key must be a function of the call and its inputs")
    check_plain(KEY, key, at)
    if running is None and options.get("rate") is None:
        raise DefinitionError(
            f"{at}: key has no effect without a limit: add rate or fleet_concurrency"
        )


def block_limits(options: BlockOptions) -> BlockLimits | None:
    """Return the limits that the journal applies to a block; None if it has none.

    Args:
        options: All options of the block.
    """
    rate, running = options["rate"], options["fleet_concurrency"]
    if rate is None and running is None:
        return None
    max_wait = options["max_wait"] or DEFAULT_MAX_WAIT_SECONDS
    return BlockLimits(None if rate is None else parse_rate("", rate), running, max_wait)
