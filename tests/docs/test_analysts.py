"""docs/analysts and docs/examples: data frames, the notebook, a pipeline, and a CRM."""

import contextlib
import io
import json
import os
import runpy
import signal
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.docs.reader import DOCS
from tests.postgres_server import PORT, PostgresServer
from tests.testing.platform_server import served_in_thread
from vertexkit import BotOne
from vertexkit.botone.dialog_rows import DIALOG_COLUMNS
from vertexkit.testing import FakePlatform

EXAMPLES = DOCS / "examples"
MOSCOW = timezone(timedelta(hours=3))


@pytest.fixture
def platform() -> FakePlatform:
    return FakePlatform(seed=1, dialogs=120)


@pytest.fixture
def url(platform: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The platform's address, also in the environment, with the login."""
    with served_in_thread(platform) as base:
        known = {"PLATFORM_URL": f"{base}/api", "LOGIN": "demo", "PASSWORD": "demo"}
        for name, value in known.items():
            monkeypatch.setenv(f"VERTEXKIT_{name}", value)
        yield f"{base}/api"


def test_frames_have_the_schema_of_an_export(url: str, platform: FakePlatform) -> None:
    """Arrow, pandas and Polars have the same columns, with times in UTC and missing numbers."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("polars")
    with BotOne.sync(url, "demo", "demo") as bot:
        table = bot.v2.conversations(bot_id=1446).to_arrow()
        frame = bot.v2.conversations(bot_id=1446).to_pandas()
        polars_frame = bot.v2.conversations(bot_id=1446).to_polars()
        wide = bot.v2.conversations(bot_id=1446).to_pandas("wide")
    assert table.column_names == list(frame.columns) == polars_frame.columns == list(DIALOG_COLUMNS)
    assert str(frame["updated"].dt.tz) == "UTC"
    assert isinstance(frame["number"].dtype, pandas.Int64Dtype)
    assert table.num_rows == sum(one.bot_id == 1446 for one in platform.conversations)
    assert {"name", "score"} <= set(wide.columns)
    assert len(wide) == table.num_rows


@pytest.mark.unmeasured
def test_the_notebook_answers_its_questions(url: str, platform: FakePlatform) -> None:
    """Each of its five answers equals what the fake platform's own dialogs say."""
    for package in ("pandas", "polars", "duckdb"):
        pytest.importorskip(package)
    cells = json.loads((EXAMPLES / "questions.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in cells:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
    dialogs = list(platform.conversations)
    two = [one for one in dialogs if one.bot_id in (698, 1446)]
    assert names["question_1"] == Counter(one.bot_id for one in two)
    cities = Counter(one.city for one in two if one.city)
    assert sorted(names["question_2"].values()) == sorted(n for _, n in cities.most_common(3))
    sources = Counter(one.source for one in dialogs)
    completed = Counter(one.source for one in dialogs if one.status == "completed")
    assert {row[0]: row[1:] for row in names["question_3"]} == {
        source: (count, pytest.approx(completed[source] / count, abs=0.001))
        for source, count in sources.items()
    }
    days = Counter(
        datetime.fromtimestamp(one.updated, MOSCOW).isoweekday() for one in dialogs if one.updated
    )
    assert dict(names["question_4"]) == days
    scores = [
        int(answer.answer)
        for one in dialogs
        for answer in one.answers
        if one.bot_id == 1446 and answer.variable == "score"
    ]
    assert names["question_5"] == (len(scores), round(statistics.fmean(scores), 2))


RUN_EACH = """
import importlib
import json
import os
import runpy
import sys

import dlt
from vertexkit import BotOne

for kind in ("duckdb.duck", "postgres.postgres"):
    try:
        importlib.import_module(f"dlt.destinations.impl.{kind}")
    except ImportError:
        pass
for line in sys.stdin:
    script, destination, folder, variables = json.loads(line)
    process = os.fork()
    if not process:
        os.chdir(folder)
        os.environ.update(variables)
        sys.argv = [script, destination]
        os.dup2(2, 1)
        runpy.run_path(script, run_name="__main__")
        sys.stdout.flush()
        os._exit(0)
    print(os.waitpid(process, 0)[1], flush=True)
"""
"""Runs each script in a process that is forked from one which has imported dlt, once."""
Run = Callable[..., None]


@pytest.fixture(scope="module")
def pipelines(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that runs pipelines, and the file to which they print."""
    pytest.importorskip("dlt")
    output = tmp_path_factory.mktemp("pipelines") / "output.txt"
    with output.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN_EACH],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | {"RUNTIME__DLTHUB_TELEMETRY": "false"},
            encoding="utf-8",
            start_new_session=True,
        )
        try:
            yield process, output
        finally:  # with the pipeline that still runs, if a test has reached its limit
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def run_pipeline(pipelines: tuple[subprocess.Popen[str], Path], url: str, tmp_path: Path) -> Run:
    """Runs the example's pipeline, as its docstring shows: `run_pipeline("duckdb")`."""

    def run(destination: str, **variables: str) -> None:
        known = {key: text for key, text in os.environ.items() if key.startswith("VERTEXKIT_")}
        environment = known | variables | {"DLT_DATA_DIR": str(tmp_path / "dlt")}
        asked = str(EXAMPLES / "dlt_source.py"), destination, str(tmp_path), environment
        process, output = pipelines
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "0\n", output.read_text()[-2000:]

    return run


@pytest.mark.unmeasured
def test_a_pipeline_loads_into_duckdb(
    run_pipeline: Run, platform: FakePlatform, tmp_path: Path
) -> None:
    """All dialogs are there once, also those without a message; the second run has what changed."""
    duckdb = pytest.importorskip("duckdb")
    run_pipeline("duckdb")
    newest = list(platform.conversations)[-1]
    newest.own_status = "operator"
    platform.conversations.add(698, created=newest.created + 60, last_message_at=None)
    run_pipeline("duckdb")
    with duckdb.connect(str(tmp_path / "botone_dialogs.duckdb")) as database:
        rows = database.sql("select id, status from botone.dialogs").fetchall()
        answers = database.sql("select count(*) from botone.dialogs__data").fetchall()[0][0]
    assert len(rows) == len({row[0] for row in rows}) == 121
    assert dict(rows)[str(newest.uuid)] == "operator"
    assert answers == sum(len(one.answers) for one in platform.conversations)


@pytest.mark.unmeasured
def test_a_pipeline_loads_into_postgres(run_pipeline: Run, postgres_server: PostgresServer) -> None:
    """The same source fills a PostgreSQL database."""
    pytest.importorskip("psycopg2")
    # dlt needs a host and a password; the socket's folder replaces the one, nothing asks for the other.
    address = f"postgresql://postgres:none@localhost:{PORT}/postgres?host={postgres_server.folder}"
    run_pipeline("postgres", DESTINATION__POSTGRES__CREDENTIALS=address)
    found = postgres_server.sql("select count(*), count(distinct id) from botone.dialogs")
    assert found.strip() == "120|120"


def test_dialogs_are_passed_on_to_a_crm(
    url: str, platform: FakePlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each completed dialog arrives once with its answers and files, although it runs twice."""
    leads: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    requests: list[str] = []

    async def put(request: Request) -> Response:
        requests.append(request.url.path)
        if "name" in request.path_params:
            files[request.url.path] = await request.body()
        else:
            leads[request.path_params["id"]] = await request.json()
        return Response(status_code=204)

    routes = [
        Route("/leads/{id}", put, methods=["PUT"]),
        Route("/leads/{id}/files/{name}", put, methods=["PUT"]),
    ]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["crm.py", "1502"])
    with served_in_thread(Starlette(routes=routes)) as crm:
        monkeypatch.setenv("CRM_URL", crm)
        monkeypatch.setenv("SINCE", datetime(2023, 1, 1, tzinfo=UTC).isoformat())
        for _ in range(2):
            with contextlib.redirect_stdout(io.StringIO()):
                runpy.run_path(str(EXAMPLES / "crm.py"), run_name="__main__")
    expected = [
        one for one in platform.conversations if one.bot_id == 1502 and one.status == "completed"
    ]
    assert leads.keys() == {str(one.uuid) for one in expected}
    assert len(requests) == len(set(requests))
    uploads = [a for one in expected for a in one.answers if a.file and not a.deleted]
    assert len(files) == len(uploads) > 0
