"""Descriptions of what an app serves: the catalogue, OpenAPI, health."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pydantic import BaseModel, ConfigDict, Field

from vertexkit import App, Context, SyncContext
from vertexkit.asgi import http_app
from vertexkit.ingress.openapi import catalogue, openapi
from vertexkit.service import running_service
from vertexkit.settings import Settings
from vertexkit.testing import FakePlatform
from vertexkit.testing.asgi_wire import AsgiWire

pytestmark = pytest.mark.unmeasured

PAGES = ["/blocks", "/openapi.json", "/healthz", "/readyz"]


class City(BaseModel):
    name: str


class Loan(BaseModel):
    """The inputs of a loan."""

    amount: int = Field(gt=0, title="Сумма", examples=[100_000])
    months: int = Field(12, ge=1, le=360, title="Срок, мес.")
    city: City | None = None


class Offer(BaseModel):
    monthly: float


class Node(BaseModel):
    value: int
    below: list["Node"] = []


def another_city() -> type[BaseModel]:
    class City(BaseModel):
        postcode: int

    return City


def make_app() -> App:
    """An app of blocks that make their schemas hard to tell apart."""
    app = App()

    @app.block("loan", title="Кредит", description="Считает платёж.")
    async def loan(ctx: Context, request: Loan) -> Offer:
        return Offer(monthly=request.amount / request.months)

    @app.block("plain")
    def plain(ctx: SyncContext, name: str, times: int = 1) -> None:
        """Says a name."""

    @app.block("tree")
    async def tree(ctx: Context, request: Node) -> Node:
        return request

    @app.block("tokens")
    async def tokens(ctx: Context, token: str, x: int) -> dict[str, Any]:
        return {}

    @app.block("problem")
    async def problem(ctx: Context, city: another_city(), problem: City) -> None: ...  # pyrefly: ignore[invalid-annotation]

    return app


@asynccontextmanager
async def client(app: App, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The running app, and a client of it in this process."""
    # A machine that is frozen for a moment does not make the service unready.
    values = {"platform_url": "http://platform.test/api", "journal": "memory:", "stall": 0.0}
    wire = AsgiWire(FakePlatform(tokens="any"))
    async with running_service(app, Settings.of(**(values | settings)), wire=wire) as service:
        transport = httpx.ASGITransport(http_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://block.test") as http:
            yield http


class Cut(BaseModel):
    text: str = Field("\ud83d", title="\ud83d", description="\x00\ud83d", examples=["\ud83d"])


@pytest.mark.parametrize("path", [*PAGES, "/metrics"])
async def test_half_an_emoji_in_an_author_s_texts_breaks_no_page(path: str) -> None:
    """In titles, descriptions, defaults and examples it becomes U+FFFD."""
    app = App()

    @app.block("cut", title="\ud83d", description="\ud83d")
    async def cut(ctx: Context, request: Cut) -> Cut:
        return request

    async with client(app) as http:
        answer = await http.get(path)
    assert answer.status_code == 200
    if path == "/blocks":
        assert '"title":"\ufffd"' in answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_json_that_nobody_keeps(path: str) -> None:
    """Each response is JSON and must not be cached by a proxy."""
    async with client(make_app()) as http:
        answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()


async def test_health_and_readiness() -> None:
    """A service that has just started is alive and accepts calls."""
    async with client(make_app()) as http:
        assert (await http.get("/healthz")).json() == {"alive": True}
        assert (await http.get("/readyz")).json() == {"ready": True}


async def test_the_blocks_are_listed() -> None:
    """`GET /blocks` gives each block's name, title, description, path and both its schemas."""
    async with client(make_app()) as http:
        blocks = (await http.get("/blocks")).json()["blocks"]
    assert [block["name"] for block in blocks] == ["loan", "plain", "tree", "tokens", "problem"]
    loan, plain = blocks[:2]
    assert (loan["title"], loan["description"]) == ("Кредит", "Считает платёж.")
    assert (plain["title"], plain["description"]) == ("plain", "Says a name.")
    assert loan["path"] == "/blocks/loan"
    assert loan["input"]["properties"]["amount"]["title"] == "Сумма"
    assert loan["input"]["required"] == ["amount"]
    assert loan["result"]["properties"]["monthly"]["type"] == "number"
    assert plain["result"] == {"type": "null"}


def test_the_listed_schemas_are_those_that_calls_are_held_to() -> None:
    """A block accepts exactly the inputs that are valid by its schema."""
    app = make_app()
    for entry in catalogue(app.blocks)["blocks"]:
        Draft202012Validator.check_schema(entry["input"])
        Draft202012Validator.check_schema(entry["result"])
    schema = Draft202012Validator(catalogue(app.blocks)["blocks"][0]["input"])
    assert schema.is_valid({"amount": 1, "months": 360, "city": {"name": "Орёл"}})
    for wrong in ({}, {"amount": 0}, {"amount": 1, "months": 361}, {"amount": 1, "city": {}}):
        assert not schema.is_valid(wrong)


async def test_openapi_is_valid() -> None:
    """`GET /openapi.json` is OpenAPI 3.1 that a validator accepts, with a path for each block.

    Also where blocks take models of one name, models of themselves or an input named `token`.
    """
    app = make_app()
    async with client(app) as http:
        spec = (await http.get("/openapi.json")).json()
    validate(spec)
    assert spec["openapi"].startswith("3.1")
    assert list(spec["paths"]) == [f"/blocks/{name}" for name in app.blocks]
    for name, path in spec["paths"].items():
        assert path["post"]["operationId"] == name.removeprefix("/blocks/")
        request = path["post"]["requestBody"]
        assert request["required"] is True
        assert request["content"]["application/json"]["schema"]["required"].count("token") == 1


@pytest.mark.parametrize("status", [200, 202, 204, 205])
def test_openapi_names_the_answers(status: int) -> None:
    """The accepted call has the status that is set; every rejection is a problem.

    It has a body only where that status has one.
    """
    spec = openapi(make_app().blocks, "1.2.3", status)
    validate(spec)
    assert spec["info"]["version"] == "1.2.3"
    responses = spec["paths"]["/blocks/loan"]["post"]["responses"]
    accepted = responses.pop(str(status))
    assert ("content" in accepted) == (status < 204)
    assert set(responses) == {"400", "403", "404", "413", "415", "422", "500", "503"}
    for response in responses.values():
        [media_type] = response["content"]
        assert media_type == "application/problem+json"


def body_of(spec: dict[str, Any], block: str) -> Callable[[Any], bool]:
    """A checker of bodies for this block's path, by what OpenAPI says."""
    content = spec["paths"][f"/blocks/{block}"]["post"]["requestBody"]["content"]
    schema = content["application/json"]["schema"] | {"components": spec["components"]}
    return Draft202012Validator(schema).is_valid


def test_openapi_asks_for_the_token_and_the_inputs() -> None:
    """A block accepts the bodies that are valid by OpenAPI: a token and inputs of its schema."""
    takes = body_of(openapi(make_app().blocks, "1", 200), "loan")
    assert takes({"token": "t", "amount": 1, "city": {"name": "Орёл"}})
    for wrong in (
        {"amount": 1},
        {"token": "t"},
        {"token": "", "amount": 1},
        {"token": 7, "amount": 1},
        {"token": "t", "amount": 0},
        {"token": "t", "amount": 1, "city": {"postcode": 1}},
    ):
        assert not takes(wrong)


def test_blocks_may_have_models_of_one_name() -> None:
    """Two blocks whose models are both called `City` are each described by their own."""
    spec = openapi(make_app().blocks, "1", 200)
    loan, problem = body_of(spec, "loan"), body_of(spec, "problem")
    assert loan({"token": "t", "amount": 1, "city": {"name": "Орёл"}})
    assert not loan({"token": "t", "amount": 1, "city": {"postcode": 302}})
    assert problem({"token": "t", "city": {"postcode": 302}, "problem": {"name": "Орёл"}})
    assert not problem({"token": "t", "city": {"name": "Орёл"}, "problem": {"name": "Орёл"}})


def test_an_authors_model_does_not_replace_ours() -> None:
    """A model called `Problem` in an app leaves the description of rejections as it is."""
    app = App()

    class Problem(BaseModel):
        model_config = ConfigDict(extra="forbid")
        text: str

    @app.block("report")
    async def report(ctx: Context, problems: list[Problem]) -> None: ...

    spec = openapi(app.blocks, "1", 200)
    validate(spec)
    assert spec["components"]["schemas"]["Problem"]["required"][-1] == "detail"
    takes = body_of(spec, "report")
    assert takes({"token": "t", "problems": [{"text": "x"}]})
    assert not takes({"token": "t", "problems": [{"title": "x"}]})


async def test_a_rejection_is_what_openapi_says() -> None:
    """A real rejection is valid by the schema of problems in OpenAPI."""
    async with client(make_app()) as http:
        spec = (await http.get("/openapi.json")).json()
        answer = await http.post("/blocks/loan", json={"token": "t", "amount": -1})
    assert answer.status_code == 422
    Draft202012Validator(spec["components"]["schemas"]["Problem"]).validate(answer.json())


async def test_pages_hold_no_secret() -> None:
    """No response contains the URL's secret or the platform's address."""
    async with client(make_app(), url_secrets=["hush-hush"]) as http:
        pages = [(await http.get(f"{path}?key=hush-hush")).text for path in PAGES]
    assert all(json.loads(page) for page in pages)
    assert "hush" not in "".join(pages)
    assert "platform.test" not in "".join(pages)
