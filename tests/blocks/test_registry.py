"""Blocks: valid declarations, and the errors of invalid ones at import."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from vertexkit import App, Blocks, Context, SyncContext
from vertexkit.blocks.signature import Handler
from vertexkit.errors import DefinitionError

Load = Callable[[str, str], ModuleType]
HEAD = """\
from typing import Any, Callable
from vertexkit import App, Blocks, Context, SyncContext
app = App()
"""
WRONG = {
    "no ctx": (
        '@app.block("loan")\nasync def loan(): ...',
        "does not take ctx",
        "async def loan(ctx: Context, request: Loan) -> Offer",
    ),
    "another first parameter": (
        '@app.block("loan")\nasync def loan(amount: int): ...',
        "first parameter must be ctx: Context",
    ),
    "an unnamed first parameter": (
        '@app.block("loan")\nasync def loan(request): ...',
        "does not take ctx",
    ),
    "ctx by keyword only": (
        '@app.block("loan")\nasync def loan(*, ctx: Context): ...',
        "does not take ctx",
    ),
    "a method's self": (
        'class Bank:\n    @app.block("loan")\n    async def loan(self, ctx: Context): ...',
        "does not take ctx",
    ),
    "the context of the other kind, async": (
        '@app.block("loan")\nasync def loan(ctx: SyncContext): ...',
        "ctx of an `async def` handler must be a Context",
    ),
    "the context of the other kind, def": (
        '@app.block("loan")\ndef loan(ctx: Context): ...',
        "ctx of a `def` handler must be a SyncContext",
    ),
    "an input without a type": (
        '@app.block("loan")\nasync def loan(ctx: Context, amount): ...',
        "parameter 'amount' needs a type annotation",
    ),
    "an input that JSON has not": (
        '@app.block("loan")\nasync def loan(ctx: Context, file: type(open)): ...',
        "inputs cannot be read from JSON",
    ),
    "an input without a schema": (
        '@app.block("loan")\nasync def loan(ctx: Context, rate: Callable[[], int]): ...',
        "inputs have no JSON Schema",
    ),
    "a result that JSON has not": (
        'class Offer: ...\n@app.block("loan")\nasync def loan(ctx: Context) -> Offer: ...',
        "result cannot be serialised to JSON",
    ),
    "a name that does not exist": (
        '@app.block("loan")\nasync def loan(ctx: Context, request: "Lone") -> None: ...',
        "name 'Lone' is not defined",
    ),
    "any number of inputs": (
        '@app.block("loan")\nasync def loan(ctx: Context, **inputs: Any): ...',
        "*inputs cannot be an input",
    ),
    "an input by position only": (
        '@app.block("loan")\nasync def loan(ctx: Context, amount: int, /): ...',
        "'amount' must not be positional-only",
    ),
    "a private input": (
        '@app.block("loan")\nasync def loan(ctx: Context, _amount: int): ...',
        "'_amount' must not start with `_`",
    ),
    "a generator": (
        '@app.block("loan")\nasync def loan(ctx: Context):\n    yield "text"',
        "cannot `yield`",
        "ctx.send_message",
    ),
    "no name": ("@app.block\nasync def loan(ctx: Context): ...", "a block needs a name"),
    "an empty name": ('@app.block("")\nasync def loan(ctx: Context): ...', "a-z, 0-9, - and _"),
    "capitals": ('@app.block("Loan")\nasync def loan(ctx: Context): ...', "got 'Loan'"),
    "a path": ('@app.block("a/b")\nasync def loan(ctx: Context): ...', "got 'a/b'"),
    "Cyrillic": ('@app.block("заём")\nasync def loan(ctx: Context): ...', "got 'заём'"),
    "a long name": ('@app.block("x" * 65)\nasync def loan(ctx: Context): ...', "at most 64"),
    "no time": (
        '@app.block("loan", timeout=0)\nasync def loan(ctx: Context): ...',
        "timeout must be greater than 0, got",
    ),
    "endless time": (
        '@app.block("loan", timeout=float("nan"))\nasync def loan(ctx: Context): ...',
        "timeout must be greater than 0, got",
    ),
    "no room": (
        '@app.block("loan", concurrency=0)\nasync def loan(ctx: Context): ...',
        "concurrency must be greater than 0, got 0",
    ),
    "no attempt": (
        '@app.block("loan", attempts=-1)\nasync def loan(ctx: Context): ...',
        "attempts must be greater than 0, got -1",
    ),
    "a policy of its own": (
        '@app.block("loan", on_unknown="hope")\nasync def loan(ctx: Context): ...',
        "on_unknown must be one of assume_sent, resend, raise, park, got 'hope'",
    ),
}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Import a module from its text."""

    def load_module(name: str, text: str) -> ModuleType:
        path = tmp_path / f"{name}.py"
        path.write_text(HEAD + dedent(text), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load_module


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_block_fails_at_import_with_its_line(
    wrong: tuple[str, ...], load: Load, tmp_path: Path
) -> None:
    """The error starts with the handler's file and line, and says how to fix it."""
    text, *words = wrong
    before = text.partition("@app")[0].count("\n")
    with pytest.raises(DefinitionError) as caught:
        load("bank", text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'bank.py'}:{HEAD.count(chr(10)) + before + 1}: ")
    for word in words:
        assert word in message


def test_a_name_used_twice_says_where_both_are(load: Load, tmp_path: Path) -> None:
    """Two blocks with one name in an app fail at import, with the file and line of each."""
    text = """\
    @app.block("loan")
    async def loan(ctx: Context): ...

    @app.block("loan")
    async def other(ctx: Context): ...
    """
    with pytest.raises(DefinitionError) as caught:
        load("bank", text)
    path = tmp_path / "bank.py"
    assert str(caught.value) == (
        f"{path}:7: the name 'loan' is taken by the block at {path}:4; rename one of them"
    )


def test_a_name_used_twice_across_modules_says_where_both_are(load: Load, tmp_path: Path) -> None:
    """`app.include` of a name that is served already names both files."""
    block = '@{}.block("loan")\nasync def loan(ctx: Context): ...\n'
    more = load("more", "blocks = Blocks()\n" + block.format("blocks"))
    bank = load("bank", block.format("app"))
    with pytest.raises(DefinitionError) as caught:
        bank.app.include(more.blocks)
    assert f"{tmp_path / 'more.py'}:5: the name 'loan' is taken" in str(caught.value)
    assert f"the block at {tmp_path / 'bank.py'}:4;" in str(caught.value)


def test_include_adds_every_block_of_a_collection() -> None:
    """An app serves its own blocks and those of the collections it includes, in that order."""
    app, first, second = App(), Blocks(), Blocks()
    app.block("own")(_handler())
    first.block("a")(_handler())
    first.block("b")(_handler())
    second.block("c")(_handler())
    app.include(first)
    app.include(second)
    assert list(app.blocks) == ["own", "a", "b", "c"]
    assert app.blocks["b"] is first["b"]


def test_a_rejected_collection_adds_nothing() -> None:
    """An `include` that fails has taken in none of the collection's blocks."""
    app, more = App(), Blocks()
    app.block("loan")(_handler())
    more.block("greeting")(_handler())
    more.block("loan")(_handler())
    with pytest.raises(DefinitionError):
        app.include(more)
    assert list(app.blocks) == ["loan"]


def test_the_decorator_returns_the_handler() -> None:
    """A decorated function stays a plain function that a test or another block can call."""
    app, handler = App(), _handler()
    assert app.block("hello")(handler) is handler


def test_one_handler_may_serve_two_names() -> None:
    """Stacked decorators make two blocks of one function."""
    app = App()

    @app.block("old")
    @app.block("new", title="Новый")
    async def hello(ctx: Context) -> None: ...

    assert {name: block.title for name, block in app.blocks.items()} == {
        "new": "Новый",
        "old": "old",
    }


def test_a_block_keeps_its_options() -> None:
    """A block has the decorator's options, and defaults for the others."""
    app = App()

    @app.block("loan", title="Кредит", timeout=30, concurrency=50, attempts=2, on_unknown="park")
    async def loan(ctx: Context) -> None:
        """Считает платёж."""

    @app.block("plain", description="Сама по себе")
    async def plain(ctx: Context) -> None:
        """Не это."""

    block = app.blocks["loan"]
    assert (block.name, block.title, block.description) == ("loan", "Кредит", "Считает платёж.")
    assert block.options == {
        "timeout": 30,
        "max_timeout": None,
        "concurrency": 50,
        "fleet_concurrency": None,
        "rate": None,
        "key": None,
        "max_wait": None,
        "attempts": 2,
        "on_unknown": "park",
        "on_crash": "run",
        "on_park": "complete",
    }
    other = app.blocks["plain"]
    assert (other.title, other.description) == ("plain", "Сама по себе")
    assert [other.options[name] for name in ("timeout", "concurrency", "attempts")] == [None] * 3
    assert other.options["on_unknown"] == "assume_sent"


@pytest.mark.parametrize("name", ["a", "7", "loan-2024_v2", "x" * 64])
def test_a_plain_name_is_accepted(name: str) -> None:
    """Letters, digits, `-` and `_`, up to 64 of them, are a block's name and its URL's end."""
    app = App()
    app.block(name)(_handler())
    assert list(app.blocks) == [name]


def test_annotations_may_be_strings_that_use_local_names() -> None:
    """A handler inside a function may use a model of that function as a quoted name."""
    app = App()

    class Local(BaseModel):
        amount: int

    @app.block("loan")
    async def loan(ctx: "Context", request: "Local") -> "Local":
        return request

    assert app.blocks["loan"].signature.model is Local


def test_local_names_are_found_through_other_decorators() -> None:
    """An author's own decorator may register the handler: the defining function is looked up."""
    app = App()

    class Local(BaseModel):
        amount: int

    def named(name: str) -> Callable[[Handler], Handler]:
        def decorate(handler: Handler) -> Handler:
            return app.block(name)(handler)

        return decorate

    @named("loan")
    async def loan(ctx: "Context", request: "Local") -> "Local":
        return request

    assert app.blocks["loan"].signature.model is Local


def test_ctx_may_be_generic_in_the_state() -> None:
    """`Context[Pool]` and `SyncContext[Pool]` type `ctx.state`, also as strings."""
    app = App()

    class Pool: ...

    @app.block("typed")
    async def typed(ctx: Context[Pool], name: str) -> None: ...

    @app.block("quoted")
    async def quoted(ctx: "Context[Pool]", name: str) -> None: ...

    @app.block("thread")
    def thread(ctx: SyncContext[Pool], name: str) -> None: ...

    assert list(app.blocks) == ["typed", "quoted", "thread"]
    with pytest.raises(DefinitionError, match="must be a SyncContext"):

        @app.block("other")
        def other(ctx: Context[Pool]) -> None: ...


def test_ctx_needs_no_annotation() -> None:
    """`ctx` is recognised by its name or by its type."""
    app = App()

    @app.block("untyped")
    async def untyped(ctx, name: str = ""):  # pyrefly: ignore[implicit-any-parameter, unannotated-return]  # noqa: ANN001 - the claim
        return None

    @app.block("renamed")
    def renamed(dialog: SyncContext) -> None: ...

    assert list(app.blocks["untyped"].signature.input_schema()["properties"]) == ["name"]
    assert not app.blocks["renamed"].signature.is_async


def test_apps_and_collections_show_their_blocks() -> None:
    """A repr says what is served."""
    app, blocks = App(), Blocks()
    assert (repr(app), repr(blocks)) == ("App(no blocks)", "Blocks(none)")
    app.block("loan")(_handler())
    app.block("greeting")(_handler())
    assert repr(app) == "App(loan, greeting)"
    assert repr(app.blocks) == "Blocks(loan, greeting)"


def _handler() -> Callable[..., Any]:
    async def handler(ctx: Context) -> None: ...

    return handler
