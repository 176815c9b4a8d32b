"""Pages and filters of lists of the fake platform."""

from tests.testing.dialog_reader import DialogReader


async def test_pages_divide_a_list_without_gaps_or_doubles(reader: DialogReader) -> None:
    """Each dialog is on one page; pages after the last are empty, with a correct pagination."""
    ids = [dialog["id"] for dialog in await reader.all(PageCount=7)]
    assert len(ids) == len(set(ids)) == 200
    beyond, meta = await reader.page(PageCount=7, PageNumber=99)
    assert beyond == []
    assert (meta["total"], meta["count"], meta["current_page"]) == (200, 0, 99)
    first, meta = await reader.page()
    assert (len(first), meta["per_page"], meta["total_pages"]) == (40, 40, 5)


async def test_filters_by_update_filter(reader: DialogReader) -> None:
    """Each dialog of the period is listed, and none from outside of it or without a date."""
    everything = await reader.all()
    wanted = {
        dialog["id"]
        for dialog in everything
        if "2023-03-01" <= dialog["updated"][:10] <= "2023-03-31"
    }
    found = await reader.all(UpdatedFrom="2023-03-01", UpdatedTo="2023-03-31")
    assert {dialog["id"] for dialog in found} == wanted
    assert 0 < len(wanted) < 200


async def test_filters_by_bot_and_creation_filter(reader: DialogReader) -> None:
    """A dialog is in the list of its own bot only; a period includes its last second."""
    bots = [await reader.all(BotID=bot) for bot in (1446, 698)]
    one, other = ({dialog["id"] for dialog in dialogs} for dialogs in bots)
    assert one
    assert other
    assert not one & other
    created = reader.platform.conversations.add(698, created=1_700_000_000)
    second = "2023-11-14T22:13:{}+00:00"
    hit = await reader.all(CreatedFrom=second.format(20), CreatedTo=second.format(20))
    assert [dialog["id"] for dialog in hit] == [str(created.uuid)]
    assert not await reader.all(CreatedFrom=second.format(21))
