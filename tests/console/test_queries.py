"""What the console's page reads."""

import time

import pytest

from tests.console.client import ConsoleClient
from tests.journal.driver import JournalDriver
from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Effect, Outcome, OutcomeStatus
from vertexkit.journal.protocol import Query, Record

STATES = ["waiting", "suspended", "running", "completed", "gone", "parked", "ended"]


async def fill(driver: JournalDriver) -> dict[str, str]:
    """Executions of each state; returns their ids by state."""
    ids = {}
    for status in OutcomeStatus:
        lease = await driver.held()
        await driver.journal.settle(lease, Outcome(status, "timeout"))
        ids[status.value] = lease.execution.id
    ids["running"] = (await driver.held()).execution.id
    lease = await driver.held()
    await driver.journal.record_intent(lease, Effect(0, "wait:paid"))
    await driver.journal.suspend(lease, 60, 0.0)
    ids["suspended"] = lease.execution.id
    ids["waiting"] = (await driver.accept()).execution
    return ids


async def listed(console: ConsoleClient, query: str) -> set[str]:
    answer = await console.get("executions", query)
    return {execution["execution"] for execution in answer.json["executions"]}


async def test_the_filters_find_each_state(driver: JournalDriver) -> None:
    """`ended` has all three outcomes; filters can be combined."""
    ids = await fill(driver)
    console = ConsoleClient(driver.journal)
    for state in STATES:
        expected = {ids[s.value] for s in OutcomeStatus} if state == "ended" else {ids[state]}
        assert await listed(console, f"state={state}") == expected, state
    assert await listed(console, "") == set(ids.values())
    assert await listed(console, "waiting_for=paid") == {ids["suspended"]}
    assert await listed(console, "code=timeout&state=gone&block=loan") == {ids["gone"]}
    assert await listed(console, "block=none") == set()
    assert await listed(console, f"id={ids['gone']}") == {ids["gone"]}
    assert await listed(console, "dialog=314") == set()


async def test_the_list_says_that_there_are_more(driver: JournalDriver) -> None:
    """It has as many executions as the page asks for, the newest first."""
    accepted = [(await driver.accept()).execution for _ in range(3)]
    console = ConsoleClient(driver.journal)
    answer = (await console.get("executions", "limit=2")).json
    assert [e["execution"] for e in answer["executions"]] == accepted[:0:-1]
    assert answer["more"] is True
    assert (await console.get("executions", "limit=3")).json["more"] is False


@pytest.mark.parametrize(
    "query", ["state=lost", "dialog=one", "limit=0", "limit=501", "seconds=-1", "color=red"]
)
async def test_a_wrong_filter_is_named(query: str, driver: JournalDriver) -> None:
    """The problem has the filter's name and not its value."""
    answer = await ConsoleClient(driver.journal).get("executions", query)
    name, _, value = query.partition("=")
    assert answer.rejection == (422, "invalid_filter")
    assert name in answer.json["detail"]
    assert f" {value}" not in answer.json["detail"]


async def test_an_execution_is_found_by_the_start_of_its_id(driver: JournalDriver) -> None:
    """As with `vertexkit executions show`; an unknown one is reported."""
    accepted = await driver.accept()
    console = ConsoleClient(driver.journal)
    answer = (await console.get(f"executions/{accepted.execution[:22]}")).json
    assert answer["execution"]["execution"] == accepted.execution
    assert answer["execution"]["history"] == []
    missing = await console.get("executions/ffff")
    assert missing.rejection == (409, "not_allowed")
    assert "there is no execution ffff" in missing.json["detail"]


async def test_recent_executions_are_found_by_their_time(driver: JournalDriver) -> None:
    """A number of seconds means accepted since then."""
    asked: list[Query] = []

    class Journal:
        async def search(self, query: Query) -> list[Record]:
            asked.append(query)
            return []

    console = ConsoleClient(Journal())  # pyrefly: ignore[bad-argument-type]
    before = time.time()
    await console.get("executions", "seconds=3600")
    [query] = asked
    assert query.since is not None
    assert before <= query.since + 3600 <= time.time()


async def test_a_journal_that_does_not_answer_is_reported(driver: JournalDriver) -> None:
    """The problem has the reason, and the page can ask again."""

    class Journal:
        async def search(self, query: Query) -> list[Record]:
            raise JournalUnavailable("the journal did not answer in time")

    answer = await ConsoleClient(Journal()).get("executions")  # pyrefly: ignore[bad-argument-type]
    assert answer.rejection == (503, "journal_unavailable")
    assert "did not answer" in answer.json["detail"]


async def test_other_paths_belong_to_the_other_app(driver: JournalDriver) -> None:
    """Only `/console` and what is under it are the console's."""
    console = ConsoleClient(driver.journal)
    assert (await console.get("/consoles")).status == 299
    assert (await console.get("/metrics")).status == 299
    redirect = await console.get("/console")
    assert (redirect.status, redirect.headers["location"]) == (307, "console/")
    assert (await console.get("/console/static/../server.py")).status == 404
    assert (await console.get("/console/none")).status == 404
