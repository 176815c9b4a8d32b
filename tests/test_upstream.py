"""The classes of other packages that vertexkit extends although they are not documented."""

import inspect
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
EXTENDED = {
    "uvicorn.protocols.http.httptools_impl.HttpToolsProtocol": (
        "_unset_keepalive_if_required connection_lost connection_made cycle data_received flow "
        "headers loop on_body on_headers_complete on_message_begin on_message_complete "
        "on_response_complete parser pause_writing pipeline resume_writing shutdown transport url"
    ),
    "uvicorn.protocols.http.httptools_impl.RequestResponseCycle": (
        "disconnected keep_alive message_event response_complete response_started"
    ),
    "uvicorn.server.ServerState": "connections",
    "uvicorn.server.Server": "_captured_signals force_exit handle_exit run serve should_exit started",
    "uvicorn.config.Config": "get_loop_factory load loaded_app",
    "uvicorn.supervisors.multiprocess.Multiprocess": "Process processes run should_exit",
    "uvicorn.supervisors.multiprocess.Process": "_server config exitcode server",
    "httpx_aiohttp.HttpxAiohttpClient": "_init_proxy_transport _init_transport send",
    "httpx_aiohttp.AiohttpTransport": "handle_async_request",
}
"""Each class with its methods and attributes that vertexkit calls, sets or overrides."""
CONSTANTS = ("uvicorn.protocols.http.httptools_impl.STATUS_LINE", "uvicorn.config.STARTUP_FAILURE")
BOUNDED = ("uvicorn", "httpx-aiohttp")
ADVICE = (
    "Adapt vertexkit/server, vertexkit/cli/serve or vertexkit/botone/http_client, or lower the "
    "upper bound in pyproject.toml."
)


def upstream(path: str) -> Any:
    """The object of this path; the test fails if there is none."""
    module, _, name = path.rpartition(".")
    found = getattr(import_module(module), name, None)
    if found is None:
        pytest.fail(f"{module} no longer defines {name}, which vertexkit uses. {ADVICE}")
    return found


def members(kind: type) -> set[str]:
    """The names of a class, and those that its methods use, for example to set an attribute."""
    names = set(dir(kind))
    for method in vars(kind).values():
        if inspect.isfunction(method):
            names |= set(method.__code__.co_names)
    return names


@pytest.mark.parametrize("path", EXTENDED)
def test_an_extended_class_has_what_is_used(path: str) -> None:
    """Each method and attribute that vertexkit uses is still there in the installed version."""
    missing = set(EXTENDED[path].split()) - members(upstream(path))
    assert not missing, f"{path} no longer has {', '.join(sorted(missing))}. {ADVICE}"


@pytest.mark.parametrize("path", CONSTANTS)
def test_a_constant_is_there(path: str) -> None:
    """The two constants of uvicorn that vertexkit reads still exist."""
    assert upstream(path)


@pytest.mark.parametrize("package", BOUNDED)
def test_an_extended_package_has_an_upper_bound(package: str) -> None:
    """The next minor version, which may rename what is used, is not installed by itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [requirement] = (
        r for line in project["dependencies"] if (r := Requirement(line)).name == package
    )
    assert any(specifier.operator == "<" for specifier in requirement.specifier)
