"""`vertexkit trigger --url` and `replay --url`: call a block of a running service, and be its platform.

A call needs a token of a platform that the service reaches. This command serves the fake platform at
the address that the service has as its platform, issues a token, and calls the block.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, cast
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

import uvicorn
from rich.console import Console

from vertexkit.cli import output
from vertexkit.cli.develop.call_options import CallOptions
from vertexkit.cli.develop.editing import asks_to_edit_again, edit_inputs, prefilled_inputs
from vertexkit.cli.develop.inputs import read_inputs
from vertexkit.cli.develop.transcript import Transcript
from vertexkit.cli.develop.waits import read_events
from vertexkit.cli.options import EXIT_FAILED, EXIT_USAGE
from vertexkit.errors import SettingsError, VertexkitError
from vertexkit.loading import suggestion
from vertexkit.server.listen import bind, local_config
from vertexkit.server.local_guard import LocalGuard
from vertexkit.testing.live_run import event_path
from vertexkit.testing.platform.app import BASE_PATH, FakePlatform
from vertexkit.testing.platform.ledger import Entry

TIMEOUT_SECONDS = 30.0
"""Time for each response of the service: it answers before a handler runs."""
MAX_BODY_BYTES = 4 * 1024 * 1024
EXAMPLE = f"http://127.0.0.1:9000{BASE_PATH}"
TYPING_SECONDS = 0.7


class ServiceUnreachable(VertexkitError):
    """The service of `--url` does not respond as a service of vertexkit."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, as its catalogue describes it.

    Attributes:
        url: without the path of a block.
        blocks: their descriptions, by name.
        platform: URL of its platform; empty if that is not on this machine.
    """

    url: SplitResult
    blocks: Mapping[str, Mapping[str, Any]]
    platform: str

    def path(self, path: str) -> str:
        """Return a path of the service with the secret of its URL."""
        query = f"?{self.url.query}" if self.url.query else ""
        return f"{self.url.path}{path}{query}"


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """How a service is called, and how that is shown.

    Attributes:
        url: of the service, or of one of its blocks.
        platform_host: address on which the fake platform listens.
        edit: let the user edit the inputs first, and again if the service rejects them.
        fast: the bot does not type.
        as_json: print JSON instead of the dialog.
    """

    url: str
    platform_host: str = "127.0.0.1"
    edit: bool = False
    fast: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a service gets.

    Attributes:
        block: None means that of the URL, or the service's only block.
        read_inputs: returns the inputs, from the schema of the block.
        events: data of events by name; they are sent when the call is accepted.
        dialog_id: of the token; None means a new dialog.
    """

    block: str | None
    read_inputs: Callable[[Mapping[str, Any]], dict[str, Any]]
    events: dict[str, list[Any]] = field(default_factory=dict)
    dialog_id: int | None = None


def call_service(options: CallOptions, block_name: str | None) -> int:
    """Call a block of a running service as the command line says. See `send_call`."""
    remote = RemoteOptions(
        options.url or "", options.platform_host, options.edit, options.fast, options.as_json
    )

    def read(schema: Mapping[str, Any]) -> dict[str, Any]:
        inputs = read_inputs(options.inputs or (), options.file, schema)
        return prefilled_inputs(schema, inputs) if options.edit else inputs

    return send_call(Call(block_name, read, read_events(options.events or ())), remote)


def send_call(call: Call, options: RemoteOptions) -> int:
    """Call a block of a running service and print the dialog.

    Args:
        call: The call.
        options: Where it is sent.

    Returns:
        The exit code: 0 if the block was completed, 1 if it was not, or the platform's rules were
        violated, 2 if the call was rejected.

    Raises:
        SettingsError: The URL, the block or an input is wrong, or the service has another platform.
        ServiceUnreachable: The service does not respond.
    """
    url, named = _split_url(options.url)
    service = read_catalogue(url)
    block = _find_block(service, call.block or named)
    port = platform_port(service.platform)
    inputs = call.read_inputs(block["input"])
    console = output.console(quiet=options.as_json)
    while True:
        if options.edit:
            inputs = edit_inputs(inputs, lambda _: [])  # the service validates them
        with bind_platform(options.platform_host, port) as listener:
            code = asyncio.run(
                RemoteCall(service, block, inputs, call, console).run(listener, options)
            )
        if code != EXIT_USAGE or not options.edit or not asks_to_edit_again():
            return code


@contextmanager
def bind_platform(host: str, port: int) -> Iterator[Any]:
    """Listen where the service expects its platform.

    Raises:
        SettingsError: The port is in use.
    """
    try:
        listener = bind(host, port)
    except SettingsError as error:
        raise SettingsError(
            f"the service expects its platform on port {port}, where this command cannot serve "
            f"one: {error.__cause__}. End the program that uses the port, for example "
            "`vertexkit platform`"
        ) from None
    with listener:
        yield listener


def _split_url(text: str) -> tuple[SplitResult, str | None]:
    """Return the URL of the service, and the block if the URL is that of a block."""
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise SettingsError(
            f"--url must start with http:// or https://, got {text!r}; for example "
            "http://127.0.0.1:8000"
        )
    before, blocks, name = url.path.rstrip("/").partition("/blocks")
    block, _, key = name.strip("/").partition("/")
    if key and not url.query:
        url = url._replace(query=f"key={quote(key)}")
    return url._replace(path=before if blocks else url.path.rstrip("/")), block or None


def read_catalogue(url: SplitResult) -> Service:
    """Read which blocks and which platform a service has.

    Raises:
        SettingsError: The URL has no secret, or the catalogue is elsewhere.
        ServiceUnreachable: The service does not respond.
    """
    service = Service(url, {}, "")
    status, answer = request(url, "GET", service.path("/blocks"))
    shown = f"{url.scheme}://{url.netloc}{url.path}/blocks"
    if status in {401, 404} and not dict(parse_qsl(url.query)).get("key"):
        raise SettingsError(
            f"{shown} answered {status}. If the service has VERTEXKIT_URL_SECRETS, append "
            "?key=SECRET to --url; if it has VERTEXKIT_OPS_PORT, unset that for this test"
        )
    if status != 200 or "blocks" not in answer:
        raise ServiceUnreachable(
            f"{shown} answered {status}, not a catalogue of blocks. Check --url; the service must be "
            "one of vertexkit"
        )
    blocks = {str(block["name"]): block for block in answer["blocks"]}
    return Service(url, blocks, str(answer.get("platform", "")))


def _find_block(service: Service, name: str | None) -> Mapping[str, Any]:
    names = ", ".join(service.blocks)
    if name is None and len(service.blocks) == 1:
        return next(iter(service.blocks.values()))
    if name is None:
        raise SettingsError(f"no block given, and the service has several. Choose one of: {names}")
    if name not in service.blocks:
        raise SettingsError(
            f"there is no block {name!r}.{suggestion(name, service.blocks)} The service has: {names}"
        )
    return service.blocks[name]


def platform_port(platform: str) -> int:
    """Return the port on which this command must serve a service's platform.

    Args:
        platform: URL of the platform that the service uses; empty if that is not on this machine.

    Raises:
        SettingsError: This command cannot be that platform.
    """
    url = urlsplit(platform)
    if url.path != BASE_PATH:
        has = f"{platform!r}" if platform else "one that is not on this machine"
        raise SettingsError(
            f"the platform of the service is {has}, so it must not get a token of a fake one. Start "
            "it with the fake platform that this command serves: "
            f"VERTEXKIT_PLATFORM_URL={EXAMPLE} (any free port; from a container "
            f"http://host.docker.internal:9000{BASE_PATH} and --platform-host 0.0.0.0)"
        )
    return url.port or 80


def request(
    url: SplitResult, method: str, path: str, body: Any = None
) -> tuple[int, dict[str, Any]]:
    """Send a request to the service.

    Returns:
        Status and JSON object of the response; an empty one if it is something else.

    Raises:
        ServiceUnreachable: There is no response.
    """
    connect = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = connect(cast("str", url.hostname), url.port, timeout=TIMEOUT_SECONDS)
    data = None if body is None else json.dumps(body).encode()
    try:
        connection.request(method, path, data, {"content-type": "application/json"})
        response = connection.getresponse()
        status, content = response.status, response.read(MAX_BODY_BYTES)
    except (OSError, HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise ServiceUnreachable(
            f"{url.scheme}://{url.netloc} does not respond: {reason}. Start the service, for "
            f"example with VERTEXKIT_PLATFORM_URL={EXAMPLE} vertexkit run"
        ) from None
    finally:
        connection.close()
    try:
        answer = json.loads(content)
    except ValueError:
        answer = {}
    return status, answer if isinstance(answer, dict) else {}


class RemoteCall:
    """One call of a block of a running service.

    Args:
        service: Has the block.
        block: Its description in the catalogue.
        inputs: Of the call.
        call: Has the events and the dialog.
        console: Shows the dialog.
    """

    def __init__(
        self,
        service: Service,
        block: Mapping[str, Any],
        inputs: dict[str, Any],
        call: Call,
        console: Console,
    ) -> None:
        self._service = service
        self._block = block
        self._inputs = inputs
        self._events = call.events
        self._dialog_id = call.dialog_id
        self._transcript = Transcript(console)
        self._completed = asyncio.Event()
        self._data: Any = None
        self._messages: list[str] = []

    async def run(self, listener: Any, options: RemoteOptions) -> int:
        """Serve the platform, call the block, and wait until it is completed.

        Args:
            listener: Where the service expects its platform.
            options: Of the call.
        """
        platform = FakePlatform(typing_seconds=0.0 if options.fast else TYPING_SECONDS)
        platform.subscribe(self._transcript.request, arrivals=True)
        platform.subscribe(self._note)
        guarded = LocalGuard(platform, options.platform_host)
        server = uvicorn.Server(local_config(guarded, 1))
        serving = asyncio.ensure_future(server._serve([listener]))  # noqa: SLF001 - Ctrl+C is ours
        try:
            return await self._call(platform, as_json=options.as_json)
        finally:
            self._transcript.stop_typing()
            server.should_exit = True
            await serving

    async def _call(self, platform: FakePlatform, *, as_json: bool) -> int:
        name = str(self._block["name"])
        token = platform.issue(name, self._dialog_id)
        self._transcript.call(name, self._inputs)
        for unknown in self._inputs.keys() - self._block["input"].get("properties", {}).keys():
            self._transcript.unknown_input(unknown, self._block["input"])
        path = self._service.path(f"/blocks/{name}")
        body = {"token": token} | self._inputs
        status, answer = await asyncio.to_thread(request, self._service.url, "POST", path, body)
        if "execution" not in answer:
            self._transcript.rejected(status, answer)
            if as_json:
                output.print_json({"block": name, "status": status, "answer": answer}, indent=2)
            return EXIT_USAGE
        await self._send_events(name, token, str(answer["execution"]))
        await self._completed.wait()
        for sentence in platform.violations:
            self._transcript.violation(sentence)
        self._transcript.completed(self._data)
        if as_json:
            report = {
                "block": name,
                "execution": answer["execution"],
                "messages": self._messages,
                "data": self._data,
                "violations": platform.violations,
            }
            output.print_json(report, indent=2)
        failed = isinstance(self._data, dict) and self._data.get("ok") is False
        return EXIT_FAILED if failed or platform.violations else 0

    async def _send_events(self, block: str, token: str, execution: str) -> None:
        for name, given in self._events.items():
            path = self._service.path(event_path(block, token, execution, name))
            for data in given:
                status, answer = await asyncio.to_thread(
                    request, self._service.url, "POST", path, data
                )
                if status == 200:
                    self._transcript.event_sent(name, data)
                else:
                    self._transcript.event_rejected(answer)

    def _note(self, entry: Entry) -> None:
        """Note what the block did, once the platform has done it."""
        if not entry.processed:
            return
        content = entry.json if isinstance(entry.json, dict) else {}
        if entry.method == "send_message":
            self._messages.append(str(content.get("text", "")))
        elif entry.method == "complete":
            self._data = content.get("data")
            self._completed.set()
