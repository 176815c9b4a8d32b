"""`vertexkit run --workers`: processes that share one journal, and are killed."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.reserved_port import reserved_port
from tests.waiting import until_outside
from vertexkit.clock import Clock
from vertexkit.execution import Phase
from vertexkit.journal.admin import open_admin
from vertexkit.journal.protocol import Query
from vertexkit.settings import JournalSettings

pytestmark = pytest.mark.unmeasured

SHARED = """
import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path
from vertexkit import App, Context


@asynccontextmanager
async def lifespan(app):
    os.write(1, b"worker %d\\n" % os.getpid())  # at once: other workers write there, too
    yield


app = App(lifespan=lifespan)


@app.block("shared")
async def shared(ctx: Context) -> dict[str, int]:
    await ctx.send_message(f"working {os.getpid()}", typing=False)
    while not Path("go").exists():
        await asyncio.sleep(0.01)
    await ctx.send_message("done", typing=False)
    return {"by": os.getpid()}
"""
"""An author's file: its handler waits for a file `go`, and reports which process runs it."""
FOREVER = "3600"
"""Seconds of a lease that does not expire in a test: executions are taken over after a death."""


class Scene:
    """The platform and a service, as processes."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        shell.forks_workers = True
        (shell.folder / "shared.py").write_text(SHARED, encoding="utf-8")
        self.journal: Path = shell.folder / ".vertexkit/journal.db"
        self._platform = shell.start("platform", "--port", "0", "--typing", "0", "--json")
        self._platform.wait_for("-H 'content-type: application/json'")
        self.service: Any = None

    def serve(self, lease: str = FOREVER, workers: int = 2, **settings: str) -> None:
        """Start the service, and wait until all of its workers serve."""
        base = f"http://127.0.0.1:{self._platform.port}/api"
        arguments = ["run", "shared:app", "--port=0", f"--workers={workers}"]
        # Without a watchdog: on a loaded machine it would report that workers are not ready.
        self.service = self._shell.start(
            *arguments, platform_url=base, lease=lease, stall="0", **settings
        )
        for _ in range(workers):
            self.service.wait_for('"event":"started"')

    def token(self) -> str:
        with urlopen(f"http://127.0.0.1:{self._platform.port}/token", timeout=60) as answer:
            text: str = answer.read().decode()
            return text

    def call(self, token: str) -> str:
        """Call the block; return the execution's id."""
        request = Request(
            f"http://127.0.0.1:{self.service.port}/blocks/shared",
            json.dumps({"token": token}).encode(),
            {"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=60) as answer:
            name: str = json.loads(answer.read())["execution"]
            return name

    def until_figures(self, **expected: int) -> dict[str, float]:
        """Scrape until the metrics have these values: on a loaded machine a worker reports late."""
        seen: dict[str, float] = {}

        def have_them() -> bool:
            seen.clear()
            seen.update(self.figures())
            return all(seen.get(f"vertexkit_{name}") == value for name, value in expected.items())

        try:
            until_outside(have_them, f"the metrics have {expected}")
        except AssertionError as error:
            raise AssertionError(f"{error}; they are {seen}") from None
        return seen

    def figures(self, port: str = "") -> dict[str, float]:
        """Scrape the metrics at any worker; return the sum of each metric over the blocks."""
        found: dict[str, float] = {}
        port = port or self.service.port
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            for family in text_string_to_metric_families(answer.read().decode()):
                for sample in family.samples:
                    found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def running_in(self) -> int:
        """Wait for a handler's first message; return the process that sent it."""
        line = json.loads(self._platform.wait_for("working "))
        return int(line["body"]["text"].split()[1])

    def workers(self) -> list[int]:
        """The processes that serve, as they have printed."""
        lines = [line.split() for line in self.service.lines]
        return [int(words[1]) for words in lines if words[:1] == ["worker"]]

    def go(self) -> None:
        """Let handlers continue."""
        (self._shell.folder / "go").touch()

    def completed(self, number: int) -> list[int]:
        """Wait for a number of completions; return the processes that sent them."""
        lines = [json.loads(self._platform.wait_for('"complete"')) for _ in range(number)]
        return [line["body"]["data"]["by"] for line in lines]

    def close(self, calls: int) -> None:
        """End the service, and check that each call was served once."""
        code = self.service.end(signal.SIGTERM)
        assert code == 0, self.service.lines
        self._platform.end(signal.SIGTERM)
        requests = [json.loads(line) for line in self._platform.lines if line.startswith("{")]
        texts = Counter(
            line["body"].get("text", "complete").split()[0]
            for line in requests
            if line["processed"]
        )
        assert texts == {"working": calls, "done": calls, "complete": calls}
        assert not any(line["violations"] for line in requests)


@pytest.fixture
def ops_port() -> Iterator[str]:
    """A port on which no process listens yet."""
    with reserved_port() as port:
        yield str(port)


@pytest.fixture
def scene(shell: Any) -> Scene:
    return Scene(shell)


def test_the_same_call_at_another_worker_is_a_duplicate(scene: Scene) -> None:
    """The other worker recognises the call: the response is the same, nothing starts."""
    scene.serve()
    first, second = scene.workers()
    token = scene.token()
    os.kill(first, signal.SIGSTOP)
    execution = scene.call(token)
    assert scene.running_in() == second
    os.kill(first, signal.SIGCONT)
    os.kill(second, signal.SIGSTOP)
    assert scene.call(token) == execution
    os.kill(second, signal.SIGCONT)
    scene.go()
    scene.completed(1)
    scene.close(calls=1)


def test_a_killed_workers_executions_are_taken_over(scene: Scene) -> None:
    """After kill -9 of a worker another one completes each of its executions once."""
    scene.serve()
    for _ in range(6):
        scene.call(scene.token())
    victim, *_ = [scene.running_in() for _ in range(6)]
    os.kill(victim, signal.SIGKILL)
    scene.service.wait_for('"event":"started"')
    scene.go()
    assert victim not in scene.completed(6)
    scene.close(calls=6)


def test_a_worker_that_is_told_to_end_leaves_its_execution_to_another(scene: Scene) -> None:
    """SIGTERM to one worker, without a grace period: another one continues, and sends nothing twice."""
    scene.serve(grace="0")
    scene.call(scene.token())
    leaving = scene.running_in()
    os.kill(leaving, signal.SIGTERM)
    scene.service.wait_for('"released"')
    scene.go()
    assert leaving not in scene.completed(1)
    scene.close(calls=1)


def test_a_stopped_worker_is_fenced(scene: Scene) -> None:
    """An execution whose lease expired is completed by another worker; the first one is fenced."""
    scene.serve(lease="1")
    scene.call(scene.token())
    sleeper = scene.running_in()
    os.kill(sleeper, signal.SIGSTOP)
    scene.go()
    [by] = scene.completed(1)
    assert by != sleeper
    os.kill(sleeper, signal.SIGCONT)
    scene.service.wait_for('"fenced"')
    scene.close(calls=1)


def test_the_death_of_the_parent_ends_the_workers_and_loses_nothing(scene: Scene) -> None:
    """After kill -9 of the parent its workers end; the next service completes all executions."""
    scene.serve()
    for _ in range(3):
        scene.call(scene.token())
    for _ in range(3):
        scene.running_in()
    scene.service.end(signal.SIGKILL)  # reads until the last worker has closed its end
    assert sum('"journal_lost"' in line for line in scene.service.lines) == 2
    scene.serve()
    scene.go()
    scene.completed(3)
    scene.close(calls=3)


@pytest.mark.parametrize("workers", [1, 2])
async def test_an_operator_reads_the_journal_of_a_running_service(
    scene: Scene, workers: int
) -> None:
    """An operator's command sees the executions of a service with one worker or more."""
    scene.serve(workers=workers)
    execution = scene.call(scene.token())
    by = scene.running_in()
    async with open_admin(JournalSettings(url=f"sqlite:{scene.journal}"), Clock()) as journal:
        [record] = await journal.search(Query())
    assert (record.execution, record.phase) == (execution, Phase.RUNNING)
    assert record.worker.startswith(f"{by}-")
    scene.go()
    scene.completed(1)
    scene.close(calls=1)


def test_one_scrape_is_the_sum_of_all_workers(scene: Scene) -> None:
    """Any worker returns the sum of all, with their parent's commits; a death loses no counts."""
    scene.serve()
    for _ in range(6):
        scene.call(scene.token())
    victim, *_ = [scene.running_in() for _ in range(6)]
    seen = scene.until_figures(
        messages_total=6, calls_total=6, handlers_running=6, workers=2, workers_ready=2
    )
    assert seen["vertexkit_journal_commit_seconds_count"] > 0
    assert seen["vertexkit_journal_writes_total"] >= 18
    os.kill(victim, signal.SIGKILL)
    scene.service.wait_for('"event":"started"')
    scene.go()
    scene.completed(6)
    scene.until_figures(executions_settled_total=6, calls_total=6, handlers_running=0, workers=2)
    scene.close(calls=6)


def test_all_workers_share_the_operators_port(scene: Scene, ops_port: str) -> None:
    """Each worker returns the sum there; the blocks' port has no metrics."""
    scene.serve(ops_port=ops_port)
    event = next(json.loads(line) for line in scene.service.lines if '"address_bound"' in line)
    assert event["ops"] == f"http://127.0.0.1:{ops_port}"
    scene.call(scene.token())
    with pytest.raises(HTTPError, match="404"):
        scene.figures()
    for _ in range(8):
        assert scene.figures(ops_port)["vertexkit_workers"] == 2
    scene.running_in()
    scene.go()
    scene.completed(1)
    scene.close(calls=1)


def test_a_stopped_worker_does_not_block_the_metrics(scene: Scene) -> None:
    """The last report of a stopped worker counts."""
    scene.serve()
    first, _ = scene.workers()
    scene.call(scene.token())
    scene.running_in()
    scene.until_figures(calls_total=1)
    os.kill(first, signal.SIGSTOP)
    assert scene.figures()["vertexkit_calls_total"] == 1
    os.kill(first, signal.SIGCONT)
    scene.go()
    scene.completed(1)
    scene.close(calls=1)
