"""The API of the page: runs, their events and time, named inputs."""

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vertexkit.errors import SettingsError
from vertexkit.playground.faults import preset_rules
from vertexkit.playground.input_presets import InputPresets
from vertexkit.playground.playground import Playground, RunRequest
from vertexkit.playground.replays import replay_in_process
from vertexkit.recordings import Recording
from vertexkit.recordings.generated_test import generate_test, generated_test_name

MAX_LISTED_RUNS = 500
"""Number of recorded runs in the list, newest first."""
MAX_SKIP_SECONDS = 366 * 24 * 3600.0
TESTS_FOLDER = Path("tests")
RUN_FORM = "the body must be {block, inputs, fault, after, faults, seed}; only block is required"


class RunApi:
    """Answers the requests of the page.

    Args:
        playground: does what is asked for.
    """

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._presets = InputPresets()

    def routes(self) -> list[Route]:
        """Return the routes, all under `/playground/`."""
        run = "/playground/runs/{run}"
        inputs = "/playground/inputs/{block}"
        return [
            Route("/playground/runs", self._list),
            Route("/playground/runs", self._start, methods=["POST"]),
            Route(run, self._show),
            Route(run, self._delete, methods=["DELETE"]),
            Route(f"{run}/test", self._save_test, methods=["POST"]),
            Route(f"{run}/replay", self._replay, methods=["POST"]),
            Route(f"{run}/stop", self._stop, methods=["POST"]),
            Route(f"{run}/events/{{name}}", self._send_event, methods=["POST"]),
            Route("/playground/skip", self._skip, methods=["POST"]),
            Route("/playground/speed", self._set_speed, methods=["POST"]),
            Route(inputs, self._list_inputs),
            Route(f"{inputs}/{{name}}", self._save_inputs, methods=["PUT"]),
            Route(f"{inputs}/{{name}}", self._delete_inputs, methods=["DELETE"]),
        ]

    async def _list(self, _: Request) -> Response:
        runs = []
        for run in self._playground.recordings:
            active = run.end is None and self._playground.is_active(run.header.id)
            runs.append(_summary(run) | {"active": active})
            if len(runs) == MAX_LISTED_RUNS:
                break
        return JSONResponse(runs)

    async def _start(self, request: Request) -> Response:
        content = await _json_object(request)
        try:
            fault = str(content.get("fault") or "")
            rules = content.get("faults")
            if rules is None:
                rules = preset_rules(fault, int(content.get("after") or 1))
            seed = content.get("seed")
            run_request = RunRequest(
                str(content["block"]),
                dict(content.get("inputs") or {}),
                fault,
                tuple(dict(rule) for rule in rules),
                None if seed is None else int(seed),
            )
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise SettingsError(RUN_FORM) from error
        return JSONResponse({"run": await self._playground.start_run(run_request)}, 201)

    async def _show(self, request: Request) -> Response:
        run = self._find(request)
        active = self._playground.is_active(run.header.id)
        return JSONResponse({"run": run.header.line(), "lines": run.lines, "active": active})

    async def _delete(self, request: Request) -> Response:
        self._playground.recordings.delete(request.path_params["run"])
        return Response(status_code=204)

    async def _save_test(self, request: Request) -> Response:
        run = self._find(request)
        if run.end is None:
            raise SettingsError("this run has not ended; a test can be saved after its end")
        path = TESTS_FOLDER / f"test_{generated_test_name(run)}.py"
        path.parent.mkdir(exist_ok=True)
        schemas = {block["name"]: block["input"] for block in self._playground.state["blocks"]}
        folders = self._playground.app_folders
        code = generate_test(run, path, schemas.get(run.header.block), folders)
        path.write_text(code, encoding="utf-8")
        return JSONResponse({"path": str(path), "code": code}, 201)

    async def _replay(self, request: Request) -> Response:
        run = self._find(request)
        if run.end is None:
            raise SettingsError("this run has not ended; it can be replayed after its end")
        target = str(self._playground.state["target"])
        return JSONResponse(await replay_in_process(run.header.id, target))

    async def _stop(self, request: Request) -> Response:
        self._playground.stop_run(request.path_params["run"])
        return Response(status_code=204)

    async def _send_event(self, request: Request) -> Response:
        run, name = request.path_params["run"], request.path_params["name"]
        data = await _json_object(request)
        status, answer = await self._playground.send_event(run, name, data)
        return JSONResponse(answer, status)

    async def _skip(self, request: Request) -> Response:
        seconds = await _number(request, "seconds", MAX_SKIP_SECONDS)
        self._playground.skip(seconds)
        return Response(status_code=204)

    async def _set_speed(self, request: Request) -> Response:
        self._playground.set_speed(await _number(request, "speed", 1000.0))
        return Response(status_code=204)

    async def _list_inputs(self, request: Request) -> Response:
        return JSONResponse(self._presets.list(request.path_params["block"]))

    async def _save_inputs(self, request: Request) -> Response:
        inputs = await _json_object(request)
        path = self._presets.save(request.path_params["block"], request.path_params["name"], inputs)
        return JSONResponse({"path": str(path)}, 201)

    async def _delete_inputs(self, request: Request) -> Response:
        self._presets.delete(request.path_params["block"], request.path_params["name"])
        return Response(status_code=204)

    def _find(self, request: Request) -> Recording:
        return self._playground.recordings.find(request.path_params["run"])


async def invalid_request(_: Request, error: Exception) -> Response:
    """Answer a request that asks for something impossible."""
    return JSONResponse({"detail": str(error)}, 422)


def _summary(run: Recording) -> dict[str, Any]:
    return run.header.line() | {
        "outcome": run.outcome,
        "code": run.code,
        "messages": len(run.messages),
        "seconds": None if run.end is None else run.end["at"],
    }


async def _json_object(request: Request) -> dict[str, Any]:
    try:
        content = await request.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise SettingsError("the body must be a JSON object")
    return content


async def _number(request: Request, name: str, maximum: float) -> float:
    """Return a number of a request's body."""
    value = (await _json_object(request)).get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= maximum:
        return float(value)
    raise SettingsError(f"{name} must be a number from 0 to {maximum:g}")
