"""How the limits of a block are written."""

from typing import Any

import pytest

from vertexkit import App, Context
from vertexkit.blocks.limits import hash_key, parse_rate
from vertexkit.blocks.policies import DEFAULT_MAX_WAIT_SECONDS
from vertexkit.blocks.registry import fleet_limits
from vertexkit.cli.executions.timeline import timeline_lines
from vertexkit.cli.serve.check import _check_app
from vertexkit.errors import DefinitionError
from vertexkit.execution import Phase
from vertexkit.ingress.openapi import catalogue
from vertexkit.journal.limits import BlockLimits, FleetLimits, Rate
from vertexkit.journal.protocol import Record


def app_with(**options: Any) -> App:
    app = App()

    @app.block("order", title="Order", **options)
    async def order(ctx: Context, printer: str = "laser") -> None:
        return None

    return app


def by_printer(call: object, request: Any) -> str:
    printer: str = request.printer
    return printer


@pytest.mark.parametrize(
    "text, rate",
    [
        ("10/second", Rate(10, 1.0)),
        ("100/minute", Rate(100, 60.0)),
        ("5 / hour", Rate(5, 3600.0)),
        ("1/day", Rate(1, 86_400.0)),
        ("3/10s", Rate(3, 10.0)),
        ("2/5minutes", Rate(2, 300.0)),
        ("10000/7d", Rate(10_000, 604_800.0)),
    ],
)
def test_a_rate_is_a_number_and_a_period(text: str, rate: Rate) -> None:
    """The period is a unit, or a number of them."""
    assert parse_rate("", text) == rate


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"rate": "ten/second"}, "rate must be a number of runs and a period, .* got 'ten/second'"),
        ({"rate": "10/fortnight"}, "rate must be a number of runs and a period"),
        ({"rate": 10}, "rate must be a number of runs and a period, .* got 10"),
        ({"rate": "0/second"}, "rate must allow 1 to 10000 runs in its period, got '0/second'"),
        ({"rate": "10001/day"}, ".*for more, use a shorter period"),
        ({"rate": "1/0s"}, "the period of rate must be 1 second to 7 days"),
        ({"rate": "1/8d"}, "the period of rate must be 1 second to 7 days"),
        ({"fleet_concurrency": 0}, "fleet_concurrency must be greater than 0, got 0"),
        ({"fleet_concurrency": 1.5}, "fleet_concurrency must be a whole number, got 1.5"),
        ({"key": by_printer}, "key has no effect without a limit"),
        ({"rate": "1/second", "key": "printer"}, "key must be a function of the call"),
    ],
)
def test_a_limit_that_cannot_hold_is_an_error_at_import(
    options: dict[str, Any], reason: str
) -> None:
    """The error names the block, the option and what it may be."""
    with pytest.raises(DefinitionError, match=f"block 'order': {reason}"):
        app_with(**options)


def test_an_app_has_the_limits_of_its_blocks() -> None:
    """The journal gets the blocks with limits, with their `max_wait`, and the app's own limit."""
    plain = app_with(concurrency=5)
    assert fleet_limits(plain.blocks, None) is None
    assert fleet_limits(plain.blocks, 3) == FleetLimits({}, 3)
    limited = app_with(rate="1/second", fleet_concurrency=2, key=by_printer, max_wait=60)
    limits = FleetLimits({"order": BlockLimits(Rate(1, 1.0), 2, 60)})
    assert fleet_limits(limited.blocks, None) == limits
    block = app_with(fleet_concurrency=2).blocks["order"]
    assert block.limits == BlockLimits(None, 2, DEFAULT_MAX_WAIT_SECONDS)


def test_a_key_is_stored_as_a_hash() -> None:
    """Keys are equal if their texts are; a key with half of a character does not fail."""
    assert hash_key("+7 900") != hash_key("+7 901")
    assert hash_key(7) == hash_key("7")
    assert "900" not in hash_key("+7 900")
    assert len(hash_key("\ud83d")) == len(hash_key("")) == 32


def test_limits_are_shown() -> None:
    """The catalogue, `check` and `executions show` name the limits of a block."""
    app = app_with(rate="1/second", fleet_concurrency=2, key=by_printer)
    [entry] = catalogue(app.blocks)["blocks"]
    assert entry["limits"] == {
        "concurrency": None,
        "fleet_concurrency": 2,
        "rate": "1/second",
        "by_key": True,
    }
    found = {finding.subject: finding.message for finding in _check_app("app", app)}
    assert found["order"].endswith("; rate 1/second and fleet_concurrency 2 for each key")
    waiting = Record("1", "order", Phase.WAITING, 0, 1000.0, limited_by="rate")
    assert "It waits for the rate of its block." in "\n".join(
        map(str, timeline_lines(waiting, 1001.0))
    )
