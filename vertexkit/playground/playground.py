"""The playground at work: the author's app in its process, the fake platform, runs, listeners."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watchfiles import PythonFilter, awatch

from vertexkit.botone.http_client import HttpClient, HttpError, http_client
from vertexkit.errors import SettingsError
from vertexkit.playground.faults import Switch, order, switch
from vertexkit.playground.runs import LiveRun, LiveRuns
from vertexkit.playground.supervisor import Child
from vertexkit.recordings import RecordingsFolder
from vertexkit.telemetry.events import Event
from vertexkit.testing.platform.app import FakePlatform
from vertexkit.testing.platform.ledger import Entry

STARTING = 20.0
"""Seconds that a call waits for the app to be there again."""
STARTING_AGAIN = 5
"""Deaths of the process without a change of the code, after which it is left alone."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run that somebody asks for."""

    block: str
    inputs: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    after: int = 1
    seed: int = 0


class Playground:
    """All that the page shows and does.

    Args:
        target: the author's app.
        folder: watched for changes.
        url: where the playground itself answers: the author's app finds the platform there.
        typing: seconds that the bot types before a message.
        seed: of what the platform makes up.
    """

    def __init__(
        self, target: str, folder: Path, url: str, *, typing: float = 0.7, seed: int = 0
    ) -> None:
        self.platform = FakePlatform(seed=seed, tokens="any", typing_seconds=typing)
        self.platform.subscribe(self._asked, arrivals=True)
        self.recordings = RecordingsFolder()
        self.state: dict[str, Any] = {"phase": "starting", "target": target, "blocks": []}
        self.seed = seed
        self._folder = folder
        self._live = LiveRuns(self.recordings, self.platform.clock, self._line)
        self._listeners: set[Callable[[dict[str, Any]], object]] = set()
        self._ready = asyncio.Event()
        self._deaths = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: HttpClient | None = None
        self._child = Child(
            target,
            {
                "VERTEXKIT_PLATFORM_URL": f"{url}/api",
                "VERTEXKIT_INSTANCES": "",
                "VERTEXKIT_JOURNAL": "sqlite:.vertexkit/dev/journal.db",
                "VERTEXKIT_LOGIN": "demo",
                "VERTEXKIT_PASSWORD": "demo",
                "VERTEXKIT_GRACE": "1",
                "VERTEXKIT_OPS_PORT": "0",
            },
            self._heard,
        )

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """From the first start of the app to its end; a change of a file starts it anew."""
        async with http_client(timeout=STARTING) as client:
            self._client = client
            await self._child.start()
            watching = asyncio.ensure_future(self._watch())
            try:
                yield
            finally:
                watching.cancel()
                await asyncio.gather(watching, *self._tasks, return_exceptions=True)
                await self._child.stop()

    def listen(self, listener: Callable[[dict[str, Any]], object]) -> Callable[[], None]:
        """Call back with all that happens from now on; gives what ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    async def run(self, wanted: Wanted) -> str:
        """Let a dialog reach a block; gives the run's id at once, the rest comes to listeners.

        Raises:
            SettingsError: there is no such block or fault.
        """
        blocks = [block["name"] for block in self.state["blocks"]]
        if wanted.block not in blocks:
            raise SettingsError(
                f"there is no block {wanted.block!r}: {', '.join(blocks) or 'none'}"
            )
        chosen = switch(wanted.fault, wanted.after)
        token = self.platform.issue(wanted.block)
        live = self._begin(token, wanted, chosen)
        order(self.platform, chosen)
        self._do(self._call(live, token, wanted, chosen.calls))
        return live.recorder.header.id

    async def forward(
        self, path: str, query: str, body: bytes, media_type: str
    ) -> tuple[int, bytes]:
        """A call that somebody else makes, with a token of his; gives status and body.

        It is a run as well if its token can be read.
        """
        live = None
        with suppress(ValueError):
            content = json.loads(body)
            token = content.pop("token", None) if isinstance(content, dict) else None
            block = path.rpartition("/")[2] or next(
                (each["name"] for each in self.state["blocks"]), ""
            )
            if isinstance(token, str) and token and block:
                live = self._begin(token, Wanted(block, content), Switch())
        status, said = await self._post(f"{path}{'?' if query else ''}{query}", body, media_type)
        if live is not None:
            self._answered(live, status, said)
        return status, said

    def _begin(self, token: str, wanted: Wanted, chosen: Switch) -> LiveRun:
        header = {
            "block": wanted.block,
            "target": self.state["target"],
            "inputs": wanted.inputs,
            "seed": self.seed,
            "fault": wanted.fault,
        }
        with suppress(LookupError):
            header["dialog_id"] = self.platform.dialog(token).dialog_id
        return self._live.begin(token, chosen, header)

    async def _call(self, live: LiveRun, token: str, wanted: Wanted, calls: int) -> None:
        body = json.dumps({"token": token, **wanted.inputs}, ensure_ascii=False).encode()
        for _ in range(calls):
            status, said = await self._post(f"/blocks/{wanted.block}", body, "application/json")
            self._answered(live, status, said)

    def _answered(self, live: LiveRun, status: int, said: bytes) -> None:
        answer: dict[str, Any] = {}
        with suppress(ValueError):
            answer = json.loads(said)
        if status == 200 and answer.get("execution"):
            self._live.accepted(live, answer["execution"])
        elif not live.execution:
            self._live.rejected(live, status, answer)

    async def _post(self, path: str, body: bytes, media_type: str) -> tuple[int, bytes]:
        """Call the app; while it starts again, wait for it."""
        assert self._client is not None, "use it inside `async with playground.at_work():`"  # noqa: S101
        with suppress(TimeoutError):
            async with asyncio.timeout(STARTING):
                await self._ready.wait()
        if not self._child.port:
            return 503, b'{"code": "not_serving", "detail": "The app is not there: see above."}'
        url = f"http://127.0.0.1:{self._child.port}{path}"
        try:
            answer = await self._client.post(
                url, content=body, headers={"Content-Type": media_type}
            )
        except HttpError as error:
            said = {"code": "no_answer", "detail": f"The app did not answer: {error}"}
            return 502, json.dumps(said).encode()
        return answer.status_code, answer.content

    def _asked(self, entry: Entry) -> None:
        """A request of the app to the platform, as it comes and as it is over."""
        live = self._live.of_token(entry.token)
        if live is None:
            return
        run = live.recorder.header.id
        content = entry.json if isinstance(entry.json, dict) else {}
        if entry.answered_at is None:
            if entry.method == "send_message" and content.get("typing"):
                self._tell({"kind": "typing", "run": run})
            return
        live.request(entry)
        if live.crashes_now:
            live.crashed = True
            self._child.kill()

    def _heard(self, told: dict[str, Any]) -> None:
        """A line of the app's process."""
        match told["kind"]:
            case "event":
                self._live.event(Event(told["name"], told["execution"], told["at"], told["fields"]))
            case "log":
                self._live.log(told["at"], told["line"])
                self._tell({"kind": "log", "line": told["line"]})
            case "ready":
                self._deaths = 0
                self._ready.set()
                self._become("ready", target=told["target"], blocks=told["blocks"])
            case "broken":
                self._become("broken", problem=told)
            case "ended":
                self._ended(told["code"])

    def _ended(self, code: int) -> None:
        self._ready.clear()
        if self.state["phase"] == "broken":
            return
        self._deaths += 1
        if self._deaths > STARTING_AGAIN:
            said = f"the process ended by itself, exit code {code}; a change starts it again"
            self._become("broken", problem={"error": said, "place": "", "traceback": ""})
            return
        self._become("crashed" if code < 0 else "starting")
        self._do(self._child.start())

    async def _watch(self) -> None:
        async for changes in awatch(
            self._folder, watch_filter=PythonFilter(ignore_paths=[".vertexkit"]), debounce=200
        ):
            names = sorted({Path(path).name for _, path in changes})
            self._ready.clear()
            self._deaths = 0
            self._become("starting", changed=names)
            await self._child.stop()
            await self._child.start()

    def _become(self, phase: str, **facts: Any) -> None:
        kept = {name: self.state[name] for name in ("target", "blocks")}
        self.state = kept | {"phase": phase} | facts
        self._tell({"kind": "state", **self.state})

    def _line(self, run: str, line: dict[str, Any]) -> None:
        self._tell({"kind": "line", "run": run, "line": line})

    def _tell(self, message: dict[str, Any]) -> None:
        for listener in tuple(self._listeners):
            listener(message)

    def _do(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
