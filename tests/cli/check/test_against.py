"""`vertexkit check --against`: the changes of blocks since a deployed version."""

import json
from typing import Any

import pytest

from tests.cli.shell import Shell
from vertexkit import App
from vertexkit.cli.check.changes import Change, compare
from vertexkit.cli.check.documents import current_contracts, read_contracts
from vertexkit.ingress.openapi import openapi

OLD = """
from typing import Literal

from pydantic import BaseModel, Field
from vertexkit import App, Context

app = App()


class Loan(BaseModel):
    amount: int = Field(gt=0)
    months: int = Field(12, ge=1, le=360)
    currency: Literal["RUB", "USD"] = "RUB"
    note: str = ""


class Offer(BaseModel):
    monthly: float
    fee: int | None = None


@app.block("loan", title="Loan")
async def loan(ctx: Context, request: Loan) -> Offer: ...


@app.block("bye", title="Bye")
async def bye(ctx: Context, name: str) -> str: ...
"""
WIDER = OLD.replace("le=360", "le=480").replace(
    'note: str = ""', 'note: str = ""\n    city: str = ""'
)
NARROWER = (
    OLD.replace("le=360", "le=120")
    .replace('Literal["RUB", "USD"]', 'Literal["RUB"]')
    .replace('note: str = ""', "passport: str")
    .replace("monthly: float", "monthly: str")
    .replace("    fee: int | None = None\n", "")
    .replace('"bye"', '"farewell"')
)


@pytest.fixture
def deployed(shell: Shell) -> Shell:
    """A folder with the catalogue of the deployed version, and its code in `old.py`."""
    (shell.folder / "old.py").write_text(OLD, encoding="utf-8")
    saved = shell.run("check", "old.py", "--output", "deployed.json")
    assert saved.returncode == 0, saved.stderr
    return shell


def changes(deployed: Shell, code: str) -> tuple[int, list[dict[str, Any]]]:
    (deployed.folder / "new.py").write_text(code, encoding="utf-8")
    ended = deployed.run("check", "new.py", "--against", "deployed.json", "--json")
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


def test_the_same_code_has_no_changes(deployed: Shell) -> None:
    """The code that the catalogue was saved from differs in nothing."""
    assert changes(deployed, OLD) == (0, [])


def test_compatible_changes_pass(deployed: Shell) -> None:
    """A wider limit and a new optional input are listed and pass."""
    code, found = changes(deployed, WIDER)
    assert code == 0
    assert {(change["member"], change["verdict"]) for change in found} == {
        ("months", "compatible"),
        ("city", "compatible"),
    }


def test_breaking_changes_fail(deployed: Shell) -> None:
    """Each change that breaks published bots is listed with old, new and the reason."""
    code, found = changes(deployed, NARROWER)
    assert code == 1
    by_member = {(c["block"], c["side"], c["member"]): c for c in found}
    breaking = {key for key, change in by_member.items() if change["verdict"] == "breaks"}
    assert breaking == {
        ("bye", "", ""),
        ("loan", "input", "months"),
        ("loan", "input", "currency"),
        ("loan", "input", "passport"),
        ("loan", "result", "monthly"),
        ("loan", "result", "fee"),
    }
    months = by_member["loan", "input", "months"]
    assert (months["old"], months["new"]) == ("integer from 1 to 360", "integer from 1 to 120")
    assert "120" in months["reason"]
    assert by_member["loan", "input", "note"]["verdict"] == "compatible"
    assert by_member["farewell", "", ""]["verdict"] == "compatible"


def test_lines(deployed: Shell) -> None:
    """Without --json, a line for each change names block, member, old, new and the reason."""
    (deployed.folder / "new.py").write_text(NARROWER, encoding="utf-8")
    ended = deployed.run("check", "new.py", "--against", "deployed.json")
    assert ended.returncode == 1
    line = "breaks      loan input currency: 'RUB' | 'USD' → 'RUB'. 'USD' is not accepted."
    assert line in ended.stdout
    assert "8 changes: 6 breaks, 2 compatible, compared with deployed.json" in ended.stdout


def test_lines_are_in_the_language_of_the_terminal(deployed: Shell) -> None:
    """Schemas and reasons are described in Russian; verdicts, names and JSON stay the same."""
    (deployed.folder / "new.py").write_text(NARROWER, encoding="utf-8")
    command = "check", "new.py", "--against", "deployed.json"
    shown = deployed.run(*command, lang="ru").stdout
    for line in (
        "breaks      loan входное поле months: целое число от 1 до 360 → целое число от 1 до 120.",
        "loan входное поле currency: 'RUB' | 'USD' → 'RUB'. 'USD' не принимается.",
        "loan входное поле passport: нет → строка, обязательное поле.",
        "breaks      bye: блок → нет.",
    ):
        assert line in shown
    english = deployed.run(*command, "--json", lang="en").stdout
    assert deployed.run(*command, "--json", lang="ru").stdout == english


@pytest.mark.parametrize("content", ["no JSON", "{}", '{"blocks": [{"name": "x"}]}', None])
def test_a_wrong_file_is_a_usage_error(shell: Shell, content: str | None) -> None:
    """A file that describes no blocks exits with 2 and says how to save one that does."""
    if content is not None:
        (shell.folder / "deployed.json").write_text(content, encoding="utf-8")
    ended = shell.run("check", "hello.py", "--against", "deployed.json")
    assert ended.returncode == 2
    assert "--output" in ended.stderr
    assert "Traceback" not in ended.stderr


def blocks_of(code: str) -> App:
    namespace: dict[str, Any] = {}
    exec(compile(code, "app.py", "exec"), namespace)
    app = namespace["app"]
    assert isinstance(app, App)
    return app


def test_openapi_documents_are_read(tmp_path: Any) -> None:
    """The OpenAPI document of a service serves for the inputs; results cannot be decided."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(openapi(blocks_of(OLD).blocks, "1", 200)), encoding="utf-8")
    old = read_contracts(path)
    same = list(compare(old, current_contracts(blocks_of(OLD).blocks)))
    assert {(c.side, c.verdict) for c in same} == {("result", "cannot be decided")}
    narrower = list(compare(old, current_contracts(blocks_of(NARROWER).blocks)))
    found = {c.member for c in narrower if c.side == "input" and c.verdict == "breaks"}
    assert found == {"months", "currency", "passport"}


def single(annotation: str, result: str = "None") -> list[Change]:
    """The changes of a block whose input `x: int` and result `int` get other types."""
    code = """
from typing import Any
from vertexkit import App, Context
app = App()
@app.block("one")
async def one(ctx: Context, x: {}) -> {}: ...
"""
    old, new = (
        current_contracts(blocks_of(code.format(*types)).blocks)
        for types in (("int", "int"), (annotation, result))
    )
    return list(compare(old, new))


def test_results() -> None:
    """A result of another type breaks, one that is not described cannot be decided."""
    assert single("int", "int") == []
    assert [(c.side, c.verdict) for c in single("int", "str")] == [("result", "breaks")]
    assert {c.verdict for c in single("int", "Any")} == {"cannot be decided"}
    assert {c.verdict for c in single("int", "dict[str, Any]")} == {"cannot be decided"}
    assert {c.verdict for c in single("int", "None")} == {"breaks"}


def test_a_changed_default_is_named() -> None:
    """Another default is compatible, and the line names both."""
    old, new = (
        current_contracts(blocks_of(code).blocks) for code in (OLD, OLD.replace("(12,", "(24,"))
    )
    (change,) = compare(old, new)
    assert (change.member, change.verdict) == ("months", "compatible")
    assert (change.old, change.new) == ("default 12", "default 24")


def test_a_second_block_takes_the_short_address() -> None:
    """Bots that call / of an app with one block get 404 from an app with two."""
    second = "@app.block('two')\nasync def two(ctx: Context) -> None: ...\n"
    first = OLD.partition('@app.block("bye"')[0]
    old, new = (current_contracts(blocks_of(code).blocks) for code in (first, first + second))
    assert ("loan", "cannot be decided") in {(c.block, c.verdict) for c in compare(old, new)}
