"""ctx.memory: what blocks keep for a dialog, and what a later run of a handler finds."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from vertexkit import App, Context, DialogUnknown, MemoryFull, SyncContext
from vertexkit.testing import FakeDialog, FakePlatform


class Visitor(BaseModel):
    """A value of the memory."""

    name: str
    visits: int = 0


async def test_blocks_remember(app: App, dialog: FakeDialog) -> None:
    """What one execution of a dialog keeps, another block of the same dialog finds, typed."""

    @app.block("greet")
    async def greet(ctx: Context, name: str) -> None:
        known = await ctx.memory.get("visitor", Visitor, Visitor(name=name))
        known.visits += 1
        await ctx.memory.set("visitor", known)
        again = await ctx.memory.get("visitor", Visitor)
        assert again == known

    @app.block("who")
    async def who(ctx: Context) -> Any:
        return await ctx.memory.get("visitor")

    anna = dialog.in_dialog(1)
    await anna.run("greet", name="Anna")
    await anna.run("greet", name="Oleg")
    assert (await anna.run("who")).data == {"name": "Anna", "visits": 2}
    assert (await dialog.in_dialog(2).run("who")).data is None
    assert anna.memory == {"visitor": {"name": "Anna", "visits": 2}}


async def test_a_test_seeds_and_inspects_the_memory(app: App, dialog: FakeDialog) -> None:
    """`memory` is a mapping that a test can fill before a run, and compare after it."""

    @app.block("count")
    async def count(ctx: Context) -> None:
        visits = await ctx.memory.get("visits", int, 0)
        await ctx.memory.set("visits", visits + 1)
        await ctx.memory.delete("old")
        await ctx.memory.delete("nothing")

    fresh = dialog.in_dialog(1)
    fresh.memory["visits"] = 41
    fresh.memory["old"] = True
    async with fresh:
        run = await fresh.run("count")
    assert run.ok
    assert fresh.memory == {"visits": 42}
    assert len(fresh.memory) == 1
    del fresh.memory["visits"]
    assert repr(fresh.memory) == "<memory of dialog 1: {}>"
    with pytest.raises(KeyError):
        del fresh.memory["visits"]
    with pytest.raises(ValueError, match="in_dialog"):
        dialog.memory["visits"] = 1


def test_a_def_handler_remembers(app: App, dialog: FakeDialog) -> None:
    """A `SyncContext` has the same memory, with blocking methods."""

    @app.block("count")
    def count(ctx: SyncContext) -> int:
        visits = ctx.memory.get("visits", int, 0) + 1
        ctx.memory.set("visits", visits)
        ctx.memory.delete("other")
        return ctx.memory.get("visits", int, 0)

    dialog = dialog.in_dialog(1)
    assert dialog.run_sync("count").data == {"result": 1}
    assert dialog.run_sync("count").data == {"result": 2}


@pytest.mark.parametrize(
    "crash_after, crashes",
    [("memory.get:visits", 1), ("memory.set:visits", 1), ("memory.delete:old", 1), (None, 4)],
)
async def test_a_crash_changes_nothing_twice(
    app: App, dialog: FakeDialog, crash_after: str | None, crashes: int
) -> None:
    """Wherever the process dies, the next run reads what the first one read, and counts once."""
    read = set[int]()

    @app.block("count")
    async def count(ctx: Context) -> int:
        visits = await ctx.memory.get("visits", int, 0)
        read.add(visits)
        await ctx.memory.set("visits", visits + 1)
        await ctx.memory.delete("old")
        return await ctx.memory.get("visits", int, 0)

    dialog = dialog.in_dialog(1)
    dialog.memory["visits"] = 7
    everywhere = crash_after is None
    run = await dialog.run("count", crash_after=crash_after, crash_everywhere=everywhere)
    assert (run.data, run.crashes, read) == ({"result": 8}, crashes, {7})
    assert dialog.memory == {"visits": 8}


async def test_a_value_of_another_execution_does_not_change_what_was_read(
    app: App, dialog: FakeDialog
) -> None:
    """A later run of a handler gets the value that the first run got, also after another change."""

    @app.block("count")
    async def count(ctx: Context) -> Any:
        first = await ctx.memory.get("visits", int, 0)
        await ctx.sleep(3600)
        return [first, await ctx.memory.get("visits", int, 0)]

    dialog = dialog.in_dialog(1)
    async with dialog:
        run = await dialog.start("count")
        dialog.memory["visits"] = 5
        await run.skip(hours=1)
        assert (await run.finish()).data == {"result": [0, 5]}


async def test_executions_of_a_dialog_change_its_memory_at_once(
    app: App, dialog: FakeDialog
) -> None:
    """Two executions that set different names side by side lose nothing of each other."""

    @app.block("keep")
    async def keep(ctx: Context, name: str) -> None:
        await ctx.gather(*(ctx.memory.set(f"{name}.{n}", n) for n in range(5)))

    dialog = dialog.in_dialog(1)
    async with dialog:
        await asyncio.gather(dialog.run("keep", name="a"), dialog.run("keep", name="b"))
    assert dialog.memory == {f"{name}.{n}": n for name in "ab" for n in range(5)}


async def test_a_memory_is_bounded(app: App, dialog: FakeDialog) -> None:
    """A value that makes it larger than 64 KiB is refused with its size, and nothing is changed."""
    errors = list[str]()

    @app.block("keep")
    async def keep(ctx: Context) -> None:
        for value in ("x" * 70_000, "x" * 40_000, "y" * 30_000):
            try:
                await ctx.memory.set(value[0], value)
            except MemoryFull as error:
                errors.append(str(error))

    dialog = dialog.in_dialog(1)
    await dialog.run("keep")
    assert dialog.memory.keys() == {"x"}
    assert len(dialog.memory["x"]) == 40_000
    assert "'x' is too large" in errors[0]
    assert "would have 70015 bytes; the limit is 65536" in errors[1]


WRONG_USES: dict[str, tuple[Any, type[Exception]]] = {
    "a space in a name": (lambda memory: memory.get("a b"), ValueError),
    "an empty name": (lambda memory: memory.set("", 1), ValueError),
    "a number as a name": (lambda memory: memory.delete(7), TypeError),
    "not JSON": (lambda memory: memory.set("a", object()), TypeError),
    "another type": (lambda memory: memory.get("secret", int), TypeError),
    "an update of another type": (lambda memory: memory.update("secret", int, int), TypeError),
    "an update to no JSON": (lambda memory: memory.update("b", lambda _: {1, object()}), TypeError),
    "an update that fails": (lambda memory: memory.update("a", lambda _: 1 / 0), ArithmeticError),
}


@pytest.mark.parametrize("wrong", WRONG_USES)
async def test_a_wrong_use_is_refused(app: App, dialog: FakeDialog, wrong: str) -> None:
    """A name that is none, and a value of another type, raise an error without the value."""
    use, error = WRONG_USES[wrong]

    @app.block("use")
    async def use_it(ctx: Context) -> None:
        await ctx.memory.set("secret", "Anna")
        with pytest.raises(error) as raised:
            await use(ctx.memory)
        assert "Anna" not in str(raised.value)

    assert (await dialog.run("use")).ok


async def test_a_dialog_without_an_id_has_no_memory(app: App) -> None:
    """A token that is not a JWT does not name the dialog: the memory says so."""

    @app.block("use")
    async def use(ctx: Context) -> None:
        with pytest.raises(DialogUnknown, match="has no memory"):
            await ctx.memory.get("a")

    dialog = FakeDialog(app, FakePlatform(tokens="any"))
    assert (await dialog.call("use", {}, "opaque-token-1")).ok


async def test_what_is_remembered_is_in_no_log(
    app: App, dialog: FakeDialog, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reads and changes are events of the run, with their values; the log does not have them."""

    @app.block("keep")
    async def keep(ctx: Context) -> None:
        await ctx.memory.set("phone", "+7 900 000")
        await ctx.memory.get("phone")
        await ctx.memory.delete("phone")

    run = await dialog.run("keep")
    used = [(e.name, e.fields) for e in run.timeline if e.name.startswith("memory_")]
    assert used == [
        ("memory_changed", {"name": "phone", "value": "+7 900 000"}),
        ("memory_read", {"name": "phone", "value": "+7 900 000"}),
        ("memory_changed", {"name": "phone"}),
    ]
    output = capsys.readouterr()
    assert "+7 900" not in output.out + output.err


async def test_the_failure_hook_remembers(fake_platform: Any) -> None:
    """An `on_failure` hook uses the memory of the dialog too."""

    async def hook(ctx: Context, failure: Any) -> None:
        await ctx.memory.set("failed", failure.code)

    app = App(on_failure=hook)

    @app.block("fail")
    async def fail(ctx: Context) -> None:
        raise RuntimeError

    dialog = FakeDialog(app, fake_platform).in_dialog(1)
    await dialog.run("fail")
    assert dialog.memory == {"failed": "internal"}


async def test_an_update_follows_from_the_present_value(app: App, dialog: FakeDialog) -> None:
    """The change gets the stored value, or a copy of the default, and is made once."""
    seen = list[list[str]]()

    @app.block("add")
    async def add(ctx: Context, item: str) -> Any:
        def change(items: list[str]) -> list[str]:
            seen.append(list(items))
            items.append(item)
            return items

        await ctx.memory.update("items", change, list[str], default)
        return await ctx.memory.get("items")

    default: list[str] = []
    dialog = dialog.in_dialog(1)
    assert (await dialog.run("add", item="a", crash_after="memory.update:items")).data == {
        "result": ["a"]
    }
    assert (await dialog.run("add", item="b")).data == {"result": ["a", "b"]}
    assert (seen, default) == ([[], ["a"]], [])


async def test_an_update_is_repeated_after_another_change(app: App, dialog: FakeDialog) -> None:
    """A change that another execution has made meanwhile is not lost: the update sees it."""

    @app.block("count")
    async def count(ctx: Context) -> None:
        def change(visits: int) -> int:
            if visits == 1:
                dialog.memory["visits"] = 5  # another execution, between reading and writing
            return visits + 1

        await ctx.memory.update("visits", change, int, 1)

    dialog = dialog.in_dialog(1)
    await dialog.run("count")
    assert dialog.memory == {"visits": 6}


def test_a_def_handler_updates(app: App, dialog: FakeDialog) -> None:
    """A `SyncContext` has the same method; a type and a default may be left out."""

    @app.block("count")
    def count(ctx: SyncContext) -> Any:
        ctx.memory.update("visits", lambda visits: (visits or 0) + 1)
        return ctx.memory.get("visits")

    dialog = dialog.in_dialog(1)
    assert dialog.run_sync("count").data == {"result": 1}
    assert dialog.run_sync("count").data == {"result": 2}
