"""`vertexkit run`: a real process, from its start to SIGTERM."""

import asyncio
import json
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.waiting import until_outside
from vertexkit.server.listen import bind

WAITING = """
import asyncio
from pathlib import Path
from vertexkit import App, Context

app = App()


@app.block("waiting")
async def waiting(ctx: Context, name: str = "x") -> dict[str, str]:
    await ctx.send_message("started", typing=False)
    while not Path(name).exists():
        await asyncio.sleep(0.01)
    await ctx.send_message("done", typing=False)
    return {"waited": name}
"""
SECRET = "a-secret-of-the-url"
NOT_STARTED = "vertexkit: the app did not start; the reason is logged above [VK-001]"


def post(url: str, **body: Any) -> tuple[int, dict[str, Any]]:
    """Call a block as the platform does."""
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())


def api(platform: Any) -> str:
    return f"http://127.0.0.1:{platform.port}/api"


def token(platform: Any) -> str:
    with urlopen(f"http://127.0.0.1:{platform.port}/token", timeout=60) as answer:
        text: str = answer.read().decode()
        return text


def requests(platform: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in platform.lines if line.startswith("{")]


def test_a_call_is_answered_served_and_logged_in_two_lines(shell: Any, platform: Any) -> None:
    """From a real HTTP call to the completion, over real sockets, with uvicorn and two processes."""
    # Without a watchdog: on a loaded machine it would log lines of its own.
    service = shell.start("run", "hello:app", "--port", "0", platform_url=api(platform), stall="0")
    service.wait_for('"started"')
    issued = token(platform)
    status, answer = post(
        f"http://127.0.0.1:{service.port}/blocks/hello", token=issued, name="Аня", times=2
    )
    assert (status, list(answer)) == (200, ["execution"])
    service.wait_for('"settled"')
    platform.wait_for('"complete"')
    first, second, last = requests(platform)
    assert first["body"] == second["body"] == {"text": "Привет, Аня!", "typing": True}
    assert last["body"] == {"data": {"greeted": "Аня"}}
    assert last["status"] == 204
    assert not first["violations"] + second["violations"] + last["violations"]
    assert service.end(signal.SIGTERM) == 0
    lines = [json.loads(line) for line in service.lines]
    own = [line["event"] for line in lines if line.get("execution") == answer["execution"]]
    assert own == ["accepted", "greeted", "settled"]
    assert [line["event"] for line in lines][-2:] == ["drain_started", "stopped"]
    assert issued not in "".join(service.lines)


def test_sigterm_lets_handlers_finish(shell: Any, platform: Any) -> None:
    """A running handler gets its grace period; the process then exits with 0."""
    (shell.folder / "waiting.py").write_text(WAITING, encoding="utf-8")
    service = shell.start("run", "waiting:app", "--port", "0", platform_url=api(platform))
    service.wait_for('"started"')
    url = f"http://127.0.0.1:{service.port}/blocks/waiting"
    assert post(url, token=token(platform), name="go")[0] == 200
    platform.wait_for("started")
    service.forked.send_signal(signal.SIGTERM)
    service.wait_for('"drain_started"')
    (shell.folder / "go").touch()
    code = service.finish()
    assert code == 0, service.lines
    platform.wait_for('"complete"')
    bodies = [request["body"] for request in requests(platform)]
    sent = [body.get("text", body.get("data")) for body in bodies]
    assert sent == ["started", "done", {"waited": "go"}]


@pytest.mark.unmeasured
@pytest.mark.parametrize("twice", [False, True], ids=["grace over", "asked twice"])
def test_what_does_not_finish_in_time_is_completed_as_failed(
    shell: Any, platform: Any, twice: bool
) -> None:
    """Without a durable journal, no dialog hangs because a service was stopped."""
    (shell.folder / "waiting.py").write_text(WAITING, encoding="utf-8")
    service = shell.start(
        "run",
        "waiting:app",
        "--port=0",
        platform_url=api(platform),
        grace="3600" if twice else "0",
        journal="memory:",
    )
    service.wait_for('"started"')
    url = f"http://127.0.0.1:{service.port}/blocks/waiting"
    assert post(url, token=token(platform), name="never")[0] == 200
    platform.wait_for("started")
    service.forked.send_signal(signal.SIGTERM)
    if twice:
        service.wait_for('"drain_started"')
        service.forked.send_signal(signal.SIGTERM)
    assert service.finish() == 0
    line = json.loads(platform.wait_for('"complete"'))
    assert line["body"]["data"]["error"]["code"] == "shutdown"
    assert line["status"] == 204


def test_the_secret_opens_and_is_never_shown(shell: Any, platform: Any) -> None:
    """With VERTEXKIT_URL_SECRETS only ?key= opens; the URLs are printed with it masked."""
    service = shell.start(
        "run", "hello:app", "--port=0", url_secrets=SECRET, platform_url=api(platform)
    )
    service.wait_for('"started"')
    url = f"http://127.0.0.1:{service.port}/blocks/hello"
    assert post(url, token=token(platform), name="x")[0] == 404
    assert post(f"{url}?key={SECRET}", token=token(platform), name="x")[0] == 200
    service.wait_for('"settled"')
    assert service.end(signal.SIGTERM) == 0
    output = "\n".join(service.lines)
    assert f"{url}?key=[secret]" in output
    assert SECRET not in output


@pytest.mark.parametrize(
    "arguments, settings, text",
    [
        (["hello:app"], {}, "VERTEXKIT_PLATFORM_URL is not set"),
        (["no_such:app"], {"platform_url": "http://x/api"}, "there is no module 'no_such'"),
        (["hello:app", "--host", "0.0.0.0"], {"platform_url": "http://x/api"}, "no secret"),
        (["hello:app", "--host", "300.0.0.1"], {"platform_url": "http://x/api", "allow_anonymous": "1"}, "cannot listen on"),
        (["hello:app", "--reload", "--workers", "2"], {"platform_url": "http://x/api"}, "--reload needs a single worker"),
        (["empty:app"], {"platform_url": "http://x/api"}, "has no block"),
        (["hello:app"], {"platform_url": "http://x/api", "timeout": "soon"}, "VERTEXKIT_TIMEOUT must be a valid number"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_an_error_before_anything_listens(
    shell: Any, arguments: list[str], settings: dict[str, str], text: str
) -> None:
    """One sentence names the setting and how to fix it; the exit code is 2."""
    (shell.folder / "empty.py").write_text("from vertexkit import App\napp = App()\n")
    done = shell.run("run", *arguments, **settings)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_told(shell: Any) -> None:
    """Two services on one port are an error: the port is not shared silently."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = shell.run("run", "hello:app", "--port", port, platform_url="http://x/api")
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr


@pytest.mark.parametrize(
    "error, text, other_text, last_line",
    [
        (
            "ValueError('no database')",
            "ValueError: no database",
            "nothing of the kind",
            NOT_STARTED,
        ),
        ("SettingsError('set CITY')", "set CITY", "Traceback", "vertexkit: set CITY [VK-001]"),
    ],
)
def test_a_lifespan_that_fails_ends_the_service(
    shell: Any, error: str, text: str, other_text: str, last_line: str
) -> None:
    """Exit code 1; the author's exception with its traceback, an error of vertexkit as a sentence."""
    (shell.folder / "failing.py").write_text(
        "from contextlib import asynccontextmanager\n"
        "from vertexkit import App, Context\nfrom vertexkit.errors import SettingsError\n"
        f"@asynccontextmanager\nasync def lifespan(app):\n    raise {error}\n    yield\n"
        "app = App(lifespan=lifespan)\n@app.block('a')\nasync def a(ctx: Context) -> None: ...\n"
    )
    done = shell.run("run", "failing:app", "--port=0", platform_url="http://127.0.0.1:9/api")
    assert done.returncode == 1
    assert text in done.stdout
    assert other_text not in done.stdout
    assert done.stderr.splitlines() == [last_line]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_journal_that_cannot_be_opened_is_named(shell: Any, workers: str) -> None:
    """The last line is the journal's own reason; the app is not blamed; the exit code is 1."""
    (shell.folder / "a-file").touch()
    done = shell.run(
        "run",
        "hello:app",
        "--port=0",
        f"--workers={workers}",
        platform_url="http://127.0.0.1:9/api",
        journal="sqlite:a-file/x.db",
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("vertexkit: the journal a-file/x.db cannot be opened: Not a directory.")
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    "journal, forks",
    [
        ("sqlite:.vertexkit/journal.db", False),
        pytest.param("memory:", True, marks=pytest.mark.unmeasured),
    ],
)
def test_workers_share_the_port_and_end_together(
    shell: Any, platform: Any, journal: str, forks: bool
) -> None:
    """--workers serves with several processes, over one journal of any kind; all exit normally."""
    arguments = ["hello:app", "--port=0", "--workers=2"]
    shell.forks_workers = forks
    service = shell.start("run", *arguments, platform_url=api(platform), journal=journal)
    service.wait_for('"event":"started"')
    service.wait_for('"event":"started"')
    url = f"http://127.0.0.1:{service.port}/blocks/hello"
    for name in "abcd":
        assert post(url, token=token(platform), name=name)[0] == 200
    for _ in "abcd":
        platform.wait_for('"complete"')
    code = service.end(signal.SIGTERM)
    assert code == 0, service.lines
    assert "\n".join(service.lines).count('"stopped"') == 2


def is_watching(process: Any) -> bool:
    """Whether Linux reports changes of files to a process."""
    folder = Path(f"/proc/{process.forked.pid}/fdinfo")
    for file in folder.iterdir() if folder.exists() else ():
        with suppress(OSError):  # it has just been closed
            if "inotify wd:" in file.read_text():
                return True
    return not folder.exists()


@pytest.mark.unmeasured  # its processes are started again and again
def test_reload_serves_what_was_saved(shell: Any, platform: Any) -> None:
    """With --reload the next call runs the saved file; after a broken one it waits for a fix."""
    source = shell.folder / "hello.py"
    text = source.read_text(encoding="utf-8")
    options = ("hello:app", "--port=0", "--reload")
    shell.forks_workers = True
    service = shell.start("run", *options, platform_url=api(platform))
    service.wait_for('"started"')
    until_outside(lambda: is_watching(service), "the service watches its folder")
    url = f"http://127.0.0.1:{service.port}/blocks/hello"
    source.write_text(text.replace("Привет", "Пока"), encoding="utf-8")
    service.wait_for('"started"')
    assert post(url, token=token(platform), name="Аня")[0] == 200
    platform.wait_for("Пока, Аня!")
    source.write_text("def broken(:\n", encoding="utf-8")
    service.wait_for("SyntaxError")
    source.write_text(text, encoding="utf-8")
    service.wait_for('"started"')
    code = service.end(signal.SIGTERM)
    assert code in {0, -signal.SIGTERM}, service.lines


async def test_answers_in_parts_are_not_held_back() -> None:
    """Connections have Nagle's algorithm off with asyncio's own loop too, where it costs 40 ms."""
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    class Looking(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            taken: socket.socket = transport.get_extra_info("socket")
            accepted.set_result(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    with bind("127.0.0.1", 0) as listener:
        server = await asyncio.get_running_loop().create_server(Looking, sock=listener)
        async with server:
            _, writer = await asyncio.open_connection(*listener.getsockname())
            assert await accepted
            writer.close()
            await writer.wait_closed()
