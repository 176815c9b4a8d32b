"""The playground: the author's app in its process, the fake platform, the runs, the subscribers."""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watchfiles import Change, PythonFilter, awatch

from vertexkit.botone.http_client import HttpClient, HttpError, http_client
from vertexkit.errors import SettingsError
from vertexkit.loading import display_path
from vertexkit.playground.dev_journal import DEV_JOURNAL
from vertexkit.playground.faults import NO_FAULTS, Rule, RunFaults, run_faults
from vertexkit.playground.runs import ActiveRun, ActiveRuns
from vertexkit.playground.supervisor import AppSupervisor
from vertexkit.recordings import RecordingsFolder
from vertexkit.telemetry.events import Event
from vertexkit.testing.live_run import event_path
from vertexkit.testing.paced_clock import PacedClock
from vertexkit.testing.platform.app import DEFAULT_LOGIN, DEFAULT_PASSWORD, FakePlatform
from vertexkit.testing.platform.ledger import Entry
from vertexkit.text import encodable

APP_START_TIMEOUT_SECONDS = 20.0
"""How long a call waits for the app to be served."""
MAX_RESTARTS_WITHOUT_CHANGE = 5
"""How often the app's process is restarted until the code changes."""
RELOAD_DEBOUNCE_MILLISECONDS = 200
LOOP_BLOCKED = "loop_blocked"
"""Event of the log line that names the line of code that blocks the event loop."""
TEST_FILES = ("conftest.py", "test_*.py", "*_test.py")
"""Files that the app does not import: a change of them does not restart it."""

Subscriber = Callable[[dict[str, Any]], object]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A request for a run.

    Attributes:
        block: the block's name.
        inputs: the block's inputs.
        fault: the name of the faults, if they have one.
        faults: what to simulate; see `faults.Rule`.
        seed: of the faults' probabilities; None: that of the playground.
    """

    block: str
    inputs: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    faults: tuple[Rule, ...] = ()
    seed: int | None = None


class Playground:
    """The state and the actions of the page.

    Args:
        target: the author's app.
        folder: watched for changes.
        url: the playground's own URL, where the author's app finds the fake platform.
        typing: seconds of simulated typing before a message.
        seed: of the fake platform.
    """

    def __init__(
        self, target: str, folder: Path, url: str, *, typing: float = 0.7, seed: int = 0
    ) -> None:
        self._clock = PacedClock(max_pause=math.inf)
        self.platform: FakePlatform = FakePlatform(
            seed=seed, clock=self._clock, tokens="any", typing_seconds=typing
        )
        self.platform.subscribe(self._on_platform_request, arrivals=True)
        self.recordings: RecordingsFolder = RecordingsFolder()
        self.state: dict[str, Any] = {
            "phase": "starting",
            "target": target,
            "blocks": [],
            "speed": 1.0,
            "seed": seed,
        }
        path = target.partition(":")[0]
        self.app_folders: list[Path] = [Path(path).resolve().parent] if path.endswith(".py") else []
        """Where the app's module is, if the target is a file."""
        self._seed = seed
        self._folder = folder
        self._runs = ActiveRuns(self.recordings, self)
        self._subscribers: set[Subscriber] = set()
        self._ready = asyncio.Event()
        self._restarts = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: HttpClient | None = None
        self._app = AppSupervisor(
            target,
            {
                "VERTEXKIT_PLATFORM_URL": f"{url}/api",
                "VERTEXKIT_INSTANCES": "",
                "VERTEXKIT_JOURNAL": f"sqlite:{DEV_JOURNAL.as_posix()}",
                "VERTEXKIT_LOGIN": DEFAULT_LOGIN,
                "VERTEXKIT_PASSWORD": DEFAULT_PASSWORD,
                "VERTEXKIT_GRACE": "1",
                "VERTEXKIT_OPS_PORT": "0",
                "VERTEXKIT_PUBLIC_URL": url,  # the URLs of events lead to the playground
                "VERTEXKIT_LEASE": "86400",  # skipped time must not end the leases
            },
            self,
        )

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve the app inside this context, and restart it when a file changes."""
        async with http_client(timeout=APP_START_TIMEOUT_SECONDS) as client:
            self._client = client
            try:
                await self._start_app()
                watching = asyncio.ensure_future(self._watch())
                try:
                    yield
                finally:
                    watching.cancel()
                    await asyncio.gather(watching, *self._tasks, return_exceptions=True)
            finally:  # also if Ctrl+C comes while the app starts
                await self._app.stop()

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call back with each message for the page.

        Returns:
            A function that ends the subscription.
        """
        self._subscribers.add(callback)
        return lambda: self._subscribers.discard(callback)

    async def start_run(self, request: RunRequest) -> str:
        """Call a block from a new dialog, in the background.

        Returns:
            The run's id; subscribers get what happens.

        Raises:
            SettingsError: the block or the fault is unknown.
        """
        blocks = [block["name"] for block in self.state["blocks"]]
        if request.block not in blocks:
            raise SettingsError(
                f"unknown block {request.block!r}; the app has {', '.join(blocks) or 'none'}"
            )
        faults = run_faults(request.faults)
        token = self.platform.issue(request.block)
        run = self._record_run(token, request, faults)
        if faults.platform:
            self.platform.plan_faults(token, faults.platform, run.recorder.header.seed)
        self._start_task(self._call_block(run, token, request, faults.calls))
        return run.id

    async def send_event(self, run_id: str, name: str, data: Any) -> tuple[int, dict[str, Any]]:
        """Send an event to the execution of a run, as a caller from outside does.

        Returns:
            Status and JSON of the app's response.

        Raises:
            SettingsError: the run has ended.
        """
        run = self._active(run_id)
        path = event_path(run.recorder.header.block, run.token, run.execution, name)
        body = json.dumps(encodable(data), ensure_ascii=False).encode()
        status, answer = await self._post(path, body, "application/json")
        return status, _json_object(answer)

    def skip(self, seconds: float) -> None:
        """Let time pass for the app and the platform."""
        for run in self._runs:
            at = asyncio.get_running_loop().time()
            run.add_event(Event("time_skipped", run.execution, at, {"seconds": seconds}))
        self._app.send("skip", seconds=seconds)
        self._clock.skip(seconds)

    def set_speed(self, speed: float) -> None:
        """Let pauses pass this many times faster; 0: they take no time."""
        self.state["speed"] = speed
        self._clock.speed = speed or math.inf
        self._app.send("speed", value=speed)
        self._publish({"kind": "state", **self.state})

    def stop_run(self, run_id: str) -> None:
        """Stop the handler of a run: its block fails.

        Raises:
            SettingsError: the run has ended.
        """
        run = self._active(run_id)
        self._app.send("stop", execution=run.execution)
        if run.waits and not any(wait.event for wait in run.waits.values()):
            self._app.send("skip", seconds=min(w.until for w in run.waits.values()) - time.time())

    def is_active(self, run_id: str) -> bool:
        """Whether a run has not ended, and was started by this process."""
        return self._runs.get(run_id) is not None

    def _active(self, run_id: str) -> ActiveRun:
        run = self._runs.get(run_id)
        if run is None or not run.execution:
            raise SettingsError("this run has ended, or was started by an earlier vertexkit dev")
        return run

    async def forward(
        self, path: str, query: str, body: bytes, media_type: str
    ) -> tuple[int, bytes]:
        """Forward a call from outside of the page to the app; record it if it has a token.

        Returns:
            Status and body of the app's response.
        """
        run = None
        with suppress(ValueError):
            content = json.loads(body)
            token = content.pop("token", None) if isinstance(content, dict) else None
            block = path.rpartition("/")[2]
            if not block and self.state["blocks"]:
                block = self.state["blocks"][0]["name"]
            if isinstance(token, str) and token and block:
                run = self._record_run(token, RunRequest(block, content), NO_FAULTS)
        status, answer = await self._post(f"{path}{'?' if query else ''}{query}", body, media_type)
        if run is not None:
            self._on_answer(run, status, answer)
        return status, answer

    def _record_run(self, token: str, request: RunRequest, faults: RunFaults) -> ActiveRun:
        header = {
            "block": request.block,
            "target": self.state["target"],
            "inputs": request.inputs,
            "seed": self._seed if request.seed is None else request.seed,
            "fault": request.fault,
            "faults": [dict(rule) for rule in faults.rules],
        }
        with suppress(LookupError):
            header["dialog_id"] = self.platform.dialog(token).dialog_id
        return self._runs.start(token, faults, header)

    async def _call_block(
        self, run: ActiveRun, token: str, request: RunRequest, calls: int
    ) -> None:
        content = encodable({"token": token, **request.inputs})
        body = json.dumps(content, ensure_ascii=False).encode()
        for _ in range(calls):
            status, answer = await self._post(f"/blocks/{request.block}", body, "application/json")
            self._on_answer(run, status, answer)

    def _on_answer(self, run: ActiveRun, status: int, body: bytes) -> None:
        answer = _json_object(body)
        if status == 200 and answer.get("execution"):
            self._runs.accept(run, answer["execution"])
        elif not run.execution:
            self._runs.reject(run, status, answer)

    async def _post(self, path: str, body: bytes, media_type: str) -> tuple[int, bytes]:
        """Call the app; wait for it while it is restarted."""
        assert self._client is not None, "use it inside `async with playground.serving():`"  # noqa: S101
        with suppress(TimeoutError):
            async with asyncio.timeout(APP_START_TIMEOUT_SECONDS):
                await self._ready.wait()
        if not self._app.port:
            return _problem(503, "not_serving", "The app is not running. See the error above.")
        url = f"http://127.0.0.1:{self._app.port}{path}"
        try:
            response = await self._client.post(
                url, content=body, headers={"Content-Type": media_type}
            )
        except HttpError as error:
            return _problem(502, "no_answer", f"The app did not respond: {error}")
        return response.status_code, response.content

    def _on_platform_request(self, entry: Entry) -> None:
        """Handle a request of the app to the platform, when it arrives and when it ends."""
        run = self._runs.find(entry.token)
        if run is None:
            return
        now = asyncio.get_running_loop().time()
        if entry.answered_at is None:
            run.arrivals[entry.number] = now
            content = entry.json if isinstance(entry.json, dict) else {}
            if entry.method == "send_message" and content.get("typing"):
                self._publish({"kind": "typing", "run": run.id})
            return
        run.add_request(entry, now)
        if run.crash_is_due:
            run.crashed = True
            self._app.kill()

    def on_ready(self, target: str, blocks: list[dict[str, Any]]) -> None:
        """Handle that the app is served."""
        self._restarts = 0
        self._ready.set()
        self._set_phase("ready", target=target, blocks=blocks)

    def on_broken(self, problem: dict[str, Any]) -> None:
        """Handle that the app cannot be served."""
        self._set_phase("broken", problem=problem)

    def on_event(self, event: Event) -> None:
        """Handle an event of an execution."""
        self._runs.add_event(event)

    def on_log_line(self, at: float, line: dict[str, Any]) -> None:
        """Handle a line of the app's log."""
        if line.get("event") == LOOP_BLOCKED:
            file, colon, rest = str(line.get("at", "")).partition(":")
            line["at"] = f"{display_path(file)}{colon}{rest}" if file else ""
        self._runs.add_log_line(at, line)
        self._publish({"kind": "log", "line": line})

    def on_exit(self, code: int) -> None:
        """Handle the end of the app's process: restart it, unless it ends again and again."""
        self._ready.clear()
        if self.state["phase"] == "broken":
            return
        self._restarts += 1
        if self._restarts > MAX_RESTARTS_WITHOUT_CHANGE:
            error = (
                f"the app's process ended {self._restarts} times, last with exit code {code}; "
                "it is started again when a file changes"
            )
            self._set_phase("broken", problem={"error": error, "place": "", "traceback": ""})
            return
        self._set_phase("crashed" if code < 0 else "starting")
        self._start_task(self._start_app())

    def on_line(self, run: str, number: int, line: dict[str, Any]) -> None:
        """Handle a new line of a recorded run."""
        self._publish({"kind": "line", "run": run, "number": number, "line": line})

    async def _watch(self) -> None:
        async for changes in awatch(
            self._folder,
            watch_filter=_AppFilter(ignore_paths=[".vertexkit"]),
            debounce=RELOAD_DEBOUNCE_MILLISECONDS,
        ):
            names = sorted({Path(path).name for _, path in changes})
            self._ready.clear()
            self._restarts = 0
            self._set_phase("starting", changed=names)
            await self._app.stop()
            await self._start_app()

    async def _start_app(self) -> None:
        await self._app.start()
        self._app.send("speed", value=self.state["speed"])

    def _set_phase(self, phase: str, **fields: Any) -> None:
        kept = {name: self.state[name] for name in ("target", "blocks", "speed", "seed")}
        self.state = kept | {"phase": phase} | fields
        self._publish({"kind": "state", **self.state})

    def _publish(self, message: dict[str, Any]) -> None:
        for callback in tuple(self._subscribers):
            callback(message)

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _AppFilter(PythonFilter):
    """Lets the changes of Python files through, except those of tests."""

    def __call__(self, change: Change, path: str) -> bool:
        name = Path(path)
        if any(name.match(pattern) for pattern in TEST_FILES):
            return False
        return super().__call__(change, path)


def _json_object(body: bytes) -> dict[str, Any]:
    """Return a response's JSON object; an empty one if it is something else."""
    with suppress(ValueError):
        content = json.loads(body)
        if isinstance(content, dict):
            return content
    return {}


def _problem(status: int, code: str, detail: str) -> tuple[int, bytes]:
    return status, json.dumps({"code": code, "detail": detail}).encode()
