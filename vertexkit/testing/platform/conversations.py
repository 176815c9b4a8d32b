"""All dialogs as methods 1 to 13 see them: the seeded ones, and those that came since."""

from array import array
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from vertexkit.clock import Clock
from vertexkit.testing.platform.bots import BOTS, UPLOADS
from vertexkit.testing.platform.conversation import Conversation
from vertexkit.testing.platform.dialogs import Dialog, Dialogs
from vertexkit.testing.platform.files import FakeFile, made
from vertexkit.testing.platform.seeds import FIRST_FILE, FIRST_ID, Seeds, place_of, uuid_of

REMEMBERED = 8
"""For how many filters the list of seeded dialogs is kept."""
LAST = 2**62
"""A second after every other."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dialogs a list holds; times are whole Unix seconds, both ends included.

    A dialog in which nothing was said yet passes no filter by update.
    """

    bot_id: int | None = None
    created_from: int = -LAST
    created_to: int = LAST
    updated_from: int = -LAST
    updated_to: int = LAST

    @property
    def by_update(self) -> bool:
        """It asks when a dialog was updated."""
        return self.updated_from > -LAST or self.updated_to < LAST

    def passes(self, bot_id: int, created: int, updated: int | None) -> bool:
        """Whether a dialog with these facts is in the list."""
        if self.bot_id not in (None, bot_id):
            return False
        if not self.created_from <= created <= self.created_to:
            return False
        if not self.by_update:
            return True
        return updated is not None and self.updated_from <= updated <= self.updated_to


class Archive:
    """The dialogs, found by id and uuid, and listed in pages.

    It is made in no time: what is seeded is made when it is first asked for. Dialogs that blocks
    see are here too, by their number: the same number is the same dialog.

    Args:
        seed: of the seeded dialogs, their files, and the uuids of all.
        count: how many are seeded.
        clock: dates what happens.
        dialogs: those that reached blocks.
    """

    def __init__(self, seed: int, count: int, clock: Clock, dialogs: Dialogs) -> None:
        self._seed, self._count, self._clock = seed, count, clock
        self._dialogs = dialogs
        self._met = 0
        self._bots = {bot.id for bot in BOTS}
        self._kept: dict[int, Conversation] = {}
        """By place, those that may have changed: all that are not just as they were seeded."""
        self._places: dict[int, int] = {}
        """By id, of those that were not seeded."""
        self._files: dict[int, FakeFile] = {}
        self._lists: dict[Filter, array[int]] = {}
        self._next_place = count

    @cached_property
    def _seeds(self) -> Seeds:
        return Seeds(self._seed, self._count)

    def __len__(self) -> int:
        """How many there are, those deleted included."""
        self._meet()
        return self._next_place

    def __iter__(self) -> Iterator[Conversation]:
        """All of them, oldest first; what a loop changes in one stays changed."""
        for place in range(len(self)):
            yield self._at(place, keep=True)

    def __getitem__(self, key: int | UUID | str) -> Conversation:
        """The dialog with this id of V1 or uuid of V2; what is changed in it stays changed.

        Raises:
            LookupError: there is none.
        """
        found = self.find(UUID(key) if isinstance(key, str) else key, keep=True)
        if found is None:
            raise LookupError(f"there is no dialog {key}")
        return found

    @property
    def bots(self) -> set[int]:
        """The ids of the bots that there are; a test may add its own."""
        return self._bots

    def add(self, bot_id: int = BOTS[0].id, **facts: Any) -> Conversation:
        """A new dialog, the newest: `add(698, city="Perm", status="operator")`.

        Args:
            bot_id: of a bot, which need not be known before.
            facts: attributes of `Conversation`; `status` is one too, and `created` is now.

        Raises:
            TypeError: an attribute that there is not.
            ValueError: an id that is taken.
        """
        self._meet()
        if "status" in facts:
            facts["marked"] = facts.pop("status")
        number = facts.pop("id", None)
        if number is not None and self.find(number) is not None:
            raise ValueError(f"there is a dialog {number} already")
        self._bots.add(bot_id)
        return self._enter(self._dialogs.take(number), bot_id, facts)

    def add_file(
        self, name: str, content: bytes, media_type: str = "application/octet-stream"
    ) -> FakeFile:
        """A new file; `FakeAnswer(..., file=it.id)` in a dialog's `answers` links to it."""
        number = FIRST_FILE + self._count * UPLOADS + len(self._files)
        file = self._files[number] = FakeFile(number, name, content, media_type)
        return file

    def file(self, number: int) -> FakeFile | None:
        """The file of this id; None if there is none or it was deleted."""
        if number in self._files:
            return self._files[number]
        return made(self._seed, number) if self._seeds.has_file(number) else None

    def find(self, key: int | UUID, *, keep: bool = False) -> Conversation | None:
        """The dialog with this id of V1 or uuid of V2.

        Args:
            key: the id or the uuid.
            keep: it is going to be changed.
        """
        self._meet()
        return self._find(key, keep=keep)

    def _find(self, key: int | UUID, *, keep: bool) -> Conversation | None:
        if isinstance(key, UUID):
            place = place_of(self._seed, key)
        else:
            place = self._places.get(key, key - FIRST_ID)
            if place >= self._count and key not in self._places:
                place = None
        if place is None or not 0 <= place < self._next_place:
            return None
        return self._at(place, keep=keep)

    def page(self, which: Filter, number: int, size: int) -> tuple[list[Conversation], int]:
        """One page of a list, newest first, without their answers; and how many there are.

        Args:
            which: the filter.
            number: of the page, from 1.
            size: of a page.
        """
        self._meet()
        places = array("q", self._untouched(which))
        for place, each in self._kept.items():
            if not each.deleted and which.passes(each.bot_id, each.created, each.updated):
                insort(places, place)
        end = max(0, len(places) - (number - 1) * size)
        chosen = reversed(places[max(0, end - size) : end])
        return [self._at(place, whole=False) for place in chosen], len(places)

    def now(self) -> int:
        """Unix seconds, whole."""
        return int(self._clock.unix())

    def _untouched(self, which: Filter) -> "array[int]":
        """The places of the seeded ones in a list, those kept apart; remembered for next pages."""
        found = self._lists.pop(which, None)
        if found is None:
            seeds = self._seeds
            columns = zip(seeds.bot, seeds.created, seeds.updated, strict=True)
            found = array(
                "q",
                (
                    place
                    for place, (bot, created, updated) in enumerate(columns)
                    if place not in self._kept
                    and which.passes(bot, created, None if updated < 0 else updated)
                ),
            )
            if len(self._lists) >= REMEMBERED:
                del self._lists[next(iter(self._lists))]
        self._lists[which] = found
        return found

    def _at(self, place: int, *, whole: bool = True, keep: bool = False) -> Conversation:
        found = self._kept.get(place)
        if found is None:
            found = self._seeds.conversation(place, whole=whole)
            if keep:
                self._kept[place] = found
                self._lists.clear()
        return found

    def _enter(self, number: int, bot_id: int, facts: dict[str, Any]) -> Conversation:
        place = self._next_place
        conversation = Conversation(
            id=number,
            uuid=uuid_of(self._seed, place),
            number=place + 1,
            bot_id=bot_id,
            **{"created": self.now()} | facts,
        )
        self._kept[place], self._places[number] = conversation, place
        self._next_place += 1
        return conversation

    def _meet(self) -> None:
        """Take in the dialogs that have reached a block since the last time."""
        while self._met < len(self._dialogs.all):
            dialog = self._dialogs.all[self._met]
            self._met += 1
            self._take_in(dialog)

    def _take_in(self, dialog: Dialog) -> None:
        number = self._dialogs.take() if dialog.dialog_id is None else dialog.dialog_id
        conversation = self._find(number, keep=True)
        if conversation is None:
            facts = {"created": int(dialog.began)}
            conversation = self._enter(number, BOTS[0].id, facts)
        # A number in another instance: this platform shows the dialogs of one only.
        if conversation.dialog is None:
            conversation.meet(dialog)
