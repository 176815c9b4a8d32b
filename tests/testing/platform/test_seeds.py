"""The seeded dialogs of the fake platform."""

from collections import Counter
from typing import Any

from tests.testing.dialog_reader import DialogReader
from vertexkit.testing.platform.app import FakePlatform


async def test_the_seeded_dialogs_are_of_many_kinds(reader: DialogReader) -> None:
    """Several bots, cities, sources and statuses; files; dialogs without messages."""
    dialogs = await reader.all(PageCount=50)
    assert len(dialogs) == 200
    for field, kinds in (("location", 8), ("source", 4), ("status", 4)):
        assert len({dialog[field] for dialog in dialogs}) >= kinds, field
    assert {""} < {dialog["updated"] for dialog in dialogs}
    whole = [await reader.ask("GET", f"/v2/conversation/{dialog['id']}") for dialog in dialogs[:60]]
    assert "[]" in [dialog["data"] for dialog in whole]
    types = Counter(
        answer["type"] for dialog in whole if dialog["data"] != "[]" for answer in dialog["data"]
    )
    assert {"Text", "Number", "Buttons", "File"} <= set(types)


async def test_dialogs_depend_on_the_seed() -> None:
    """The same seed gives the same dialogs, another seed gives others."""

    async def dialogs_of(seed: int) -> list[Any]:
        reader = DialogReader(FakePlatform(seed=seed, dialogs=30))
        async with reader.http:
            return await reader.all()

    assert await dialogs_of(1) == await dialogs_of(1) != await dialogs_of(2)
