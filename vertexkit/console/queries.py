"""What the console's page reads: executions, workers, the service and its figures."""

import time
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vertexkit.blocks.registry import Block
from vertexkit.console.guard import ConsoleGuard
from vertexkit.console.measurements import measurements
from vertexkit.console.source import ConsoleSource, ObservedService
from vertexkit.execution import OutcomeStatus, Phase
from vertexkit.journal.protocol import Query, Record
from vertexkit.operators.executions import as_object, find
from vertexkit.operators.workers import worker_state
from vertexkit.server.problems import problem
from vertexkit.text import encodable

MAX_LISTED = 500
"""Largest number of executions in one answer."""
MAX_COUNTED_PARKED = 100
"""Parked executions that are counted; there may be more."""
PHASES = {
    "waiting": Phase.WAITING,
    "suspended": Phase.SUSPENDED,
    "running": Phase.RUNNING,
    "completing": Phase.COMPLETING,
    "ended": Phase.SETTLED,
}
STATUSES = {status.value: status for status in OutcomeStatus}
NO_STORE = {"cache-control": "no-store"}


class Filters(BaseModel, extra="forbid"):
    """The filters of the list, as the page sends them; an empty one matches every execution."""

    state: str = Field(
        "", pattern="^(|waiting|suspended|running|completing|ended|completed|gone|parked)$"
    )
    block: str = ""
    dialog: int | None = None
    code: str = ""
    id: str = ""
    waiting_for: str = ""
    seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Accepted within the last seconds."""
    limit: int = Field(50, ge=1, le=MAX_LISTED)

    def query(self, now: float) -> Query:
        """Return the journal's query; one execution more shows that there are more.

        Args:
            now: Unix seconds.
        """
        return Query(
            phase=PHASES.get(self.state),
            status=STATUSES.get(self.state),
            block=self.block or None,
            dialog=self.dialog,
            code=self.code or None,
            since=None if self.seconds is None else now - self.seconds,
            limit=self.limit + 1,
            prefix=self.id.lower() or None,
            waiting_for=self.waiting_for or None,
        )


class QueryApi:
    """Answers the page's questions. No answer has a token, an input or a text.

    Args:
        source: what the console reads from.
        guard: names the operator.
    """

    def __init__(self, source: ConsoleSource, guard: ConsoleGuard) -> None:
        self._source = source
        self._guard = guard

    def routes(self, path: str) -> list[Route]:
        """Return the routes.

        Args:
            path: start of their paths.
        """
        return [
            Route(f"{path}/service", self._service),
            Route(f"{path}/executions", self._executions),
            Route(f"{path}/executions/{{execution}}", self._execution),
        ]

    async def _service(self, request: Request) -> Response:
        operator = self._guard.operator(request.scope)
        now = time.time()
        async with self._source.open_journal() as journal:
            workers = await journal.workers()
            parked = await journal.search(
                Query(status=OutcomeStatus.PARKED, limit=MAX_COUNTED_PARKED + 1)
            )
        service = self._source.service
        return json_response(
            {
                "now": now,
                "version": version("vertexkit"),
                "writable": self._source.writable and operator is not None,
                "user": operator.user if operator is not None else "",
                "journal": self._source.journal_url,
                "parked": min(len(parked), MAX_COUNTED_PARKED),
                "more_parked": len(parked) > MAX_COUNTED_PARKED,
                "workers": [asdict(w) | {"state": worker_state(w, now)} for w in workers],
                "service": None if service is None else await _describe(service),
            }
        )

    async def _executions(self, request: Request) -> Response:
        try:
            filters = Filters.model_validate(dict(request.query_params))
        except ValidationError as error:
            fields = ", ".join(str(detail["loc"][0]) for detail in error.errors())
            return problem(422, "invalid_filter", f"These filters are not valid: {fields}.")
        now = time.time()
        async with self._source.open_journal() as journal:
            records = await journal.search(filters.query(now))
        listed = [listed_object(record) for record in records[: filters.limit]]
        more = len(records) > filters.limit
        return json_response({"now": now, "executions": listed, "more": more})

    async def _execution(self, request: Request) -> Response:
        async with self._source.open_journal() as journal:
            record = await find(journal, request.path_params["execution"])
        return json_response({"now": time.time(), "execution": console_object(record)})


def json_response(content: Any, status: int = 200) -> Response:
    """Make a JSON response that is not stored.

    Args:
        content: what JSON can hold.
        status: HTTP status.
    """
    return Response(to_json(encodable(content)), status, NO_STORE, "application/json")


def console_object(record: Record) -> dict[str, Any]:
    """Return an execution as `vertexkit executions show --json` does, with its worker."""
    return as_object(record) | {"worker": record.worker, "has_result": record.result is not None}


def listed_object(record: Record) -> dict[str, Any]:
    """Return an execution for the list: without its effects and its history."""
    fields = console_object(record)
    del fields["effects"], fields["history"]
    return fields


async def _describe(service: ObservedService) -> dict[str, Any]:
    """A running service: its readiness, limits, blocks and figures."""
    settings = service.settings
    _, readiness = service.readiness()
    return {
        "ready": readiness["ready"],
        "reasons": readiness.get("reasons", []),
        "durability": service.journal.durability,
        "trouble": service.journal.unavailable_reason(),
        "platform": settings.platform.url,
        "app_version": settings.journal.app_version,
        "limits": {
            "concurrency": settings.handlers.concurrency,
            "fleet_concurrency": settings.handlers.fleet_concurrency,
            "threads": settings.handlers.threads,
            "queue": settings.journal.queue,
            "connections": settings.platform.connections,
        },
        "blocks": [_describe_block(block) for block in service.blocks.values()],
        "figures": measurements(await service.snapshot()),
    }


def _describe_block(block: Block) -> dict[str, Any]:
    options = block.options
    names = ("timeout", "concurrency", "rate", "fleet_concurrency", "attempts", "max_wait")
    described: dict[str, Any] = {name: options.get(name) for name in names}
    return {
        "name": block.name,
        "title": block.title,
        "keyed": options["key"] is not None,
    } | described
