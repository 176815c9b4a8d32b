"""All dialogs as methods 1 to 13 show them: the seeded ones, and those created since."""

from array import array
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal
from uuid import UUID

from vertexkit.clock import Clock
from vertexkit.testing.platform.bots import BOTS, MAX_UPLOADS_PER_DIALOG
from vertexkit.testing.platform.conversation import FakeConversation
from vertexkit.testing.platform.dialogs import Dialog, DialogRegistry
from vertexkit.testing.platform.files import FakeFile, generate_file
from vertexkit.testing.platform.seeds import (
    FIRST_DIALOG_ID,
    FIRST_FILE_ID,
    SeededConversations,
    index_of,
    uuid_of,
)

UpdatedBy = Literal["user", "anybody"]
"""Whose last message the filters by update go by. The document has both: its tables of methods 1 and
5 name the respondent, its section 5 the last message in the dialog."""
MAX_CACHED_FILTERS = 8
"""For how many filters the list of seeded dialogs is cached."""
END_OF_TIME = 2**62
"""Unix seconds later than every date."""


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    """Which dialogs a list holds; times are whole Unix seconds, both ends included.

    A dialog without a message passes no filter by update.
    """

    bot_id: int | None = None
    created_from: int = -END_OF_TIME
    created_to: int = END_OF_TIME
    updated_from: int = -END_OF_TIME
    updated_to: int = END_OF_TIME

    @property
    def by_update(self) -> bool:
        """Whether the filter restricts the time of the last update."""
        return self.updated_from > -END_OF_TIME or self.updated_to < END_OF_TIME

    def matches(self, bot_id: int, created: int, updated: int | None) -> bool:
        """Whether a dialog with these values is in the list."""
        if self.bot_id not in (None, bot_id):
            return False
        if not self.created_from <= created <= self.created_to:
            return False
        if not self.by_update:
            return True
        return updated is not None and self.updated_from <= updated <= self.updated_to


class FakeConversations:
    """The dialogs, found by id and UUID, and listed in pages.

    A seeded dialog is generated when it is first needed. Dialogs that reach blocks are here too:
    the same number is the same dialog.

    A dialog's index is its place in the order of creation, from 0.

    Args:
        seed: of the seeded dialogs, their files, and the UUIDs of all.
        count: how many are seeded.
        clock: dates what happens.
        dialogs: those that reached blocks.
        updated_by: whose messages the filters by update go by: the user's, or anybody's.
    """

    def __init__(
        self,
        seed: int,
        count: int,
        clock: Clock,
        dialogs: DialogRegistry,
        updated_by: UpdatedBy = "user",
    ) -> None:
        self._updated_by = updated_by
        self._seed = seed
        self._seeded_count = count
        self._clock = clock
        self._dialogs = dialogs
        self._attached_count = 0
        """How many of the dialogs that reached blocks are attached."""
        self._bots = {bot.id for bot in BOTS}
        self._changed: dict[int, FakeConversation] = {}
        """By index: those that may differ from what the seed generates."""
        self._indexes: dict[int, int] = {}
        """By id: of those that are not seeded."""
        self._files: dict[int, FakeFile] = {}
        self._unchanged_lists: dict[ConversationFilter, array[int]] = {}
        self._next_index = count

    @cached_property
    def _seeds(self) -> SeededConversations:
        return SeededConversations(self._seed, self._seeded_count)

    def __len__(self) -> int:
        """The number of dialogs, including the deleted ones."""
        self._attach_dialogs()
        return self._next_index

    def __iter__(self) -> Iterator[FakeConversation]:
        """All dialogs, oldest first; changes that a loop makes are kept."""
        for index in range(len(self)):
            yield self._at(index, keep=True)

    def __getitem__(self, key: int | UUID | str) -> FakeConversation:
        """The dialog with this id of V1 or UUID of V2; changes to it are kept.

        Raises:
            LookupError: there is none.
        """
        found = self.find(UUID(key) if isinstance(key, str) else key, keep=True)
        if found is None:
            raise LookupError(f"dialog {key} does not exist")
        return found

    @property
    def bots(self) -> set[int]:
        """The ids of the bots that exist; a test may add its own."""
        return self._bots

    def add(self, bot_id: int = BOTS[0].id, **attributes: Any) -> FakeConversation:
        """Create a dialog, the newest one: `add(698, city="Perm", status="operator")`.

        Args:
            bot_id: the bot; an unknown one is added to `bots`.
            attributes: of `FakeConversation`; also `status`. `created` is now by default.

        Returns:
            The dialog; changes to it are kept.

        Raises:
            TypeError: an unknown attribute.
            ValueError: the id is taken.
        """
        self._attach_dialogs()
        if "status" in attributes:
            attributes["own_status"] = attributes.pop("status")
        number = attributes.pop("id", None)
        if number is not None and self.find(number) is not None:
            raise ValueError(f"dialog {number} already exists")
        self._bots.add(bot_id)
        return self._insert(self._dialogs.reserve_number(number), bot_id, attributes)

    def add_file(
        self, name: str, content: bytes, media_type: str = "application/octet-stream"
    ) -> FakeFile:
        """Create a file; `FakeAnswer(..., file=file.id)` in a dialog's `answers` links to it."""
        number = FIRST_FILE_ID + self._seeded_count * MAX_UPLOADS_PER_DIALOG + len(self._files)
        file = self._files[number] = FakeFile(number, name, content, media_type)
        return file

    def file(self, number: int) -> FakeFile | None:
        """Return the file with this id; None if it does not exist or was deleted."""
        if number in self._files:
            return self._files[number]
        return generate_file(self._seed, number) if self._seeds.has_file(number) else None

    def find(self, key: int | UUID, *, keep: bool = False) -> FakeConversation | None:
        """Return the dialog with this id of V1 or UUID of V2, or None.

        Args:
            key: the id or the UUID.
            keep: the caller is going to change it.
        """
        self._attach_dialogs()
        return self._find(key, keep=keep)

    def _find(self, key: int | UUID, *, keep: bool) -> FakeConversation | None:
        if isinstance(key, UUID):
            index = index_of(self._seed, key)
        else:
            index = self._indexes.get(key, key - FIRST_DIALOG_ID)
            if index >= self._seeded_count and key not in self._indexes:
                index = None
        if index is None or not 0 <= index < self._next_index:
            return None
        return self._at(index, keep=keep)

    def page(
        self, matching: ConversationFilter, number: int, size: int
    ) -> tuple[list[FakeConversation], int]:
        """Return one page of a list, newest first and without answers, and the length of the list.

        Args:
            matching: the filter.
            number: of the page, from 1.
            size: of a page.
        """
        self._attach_dialogs()
        indexes = array("q", self._unchanged(matching))
        for index, dialog in self._changed.items():
            if dialog.deleted:
                continue
            updated = dialog.user_updated if self._updated_by == "user" else dialog.updated
            if matching.matches(dialog.bot_id, dialog.created, updated):
                insort(indexes, index)
        end = max(0, len(indexes) - (number - 1) * size)
        chosen = reversed(indexes[max(0, end - size) : end])
        return [self._at(index, with_answers=False) for index in chosen], len(indexes)

    def now(self) -> int:
        """Return the time, in whole Unix seconds."""
        return int(self._clock.unix())

    def _unchanged(self, matching: ConversationFilter) -> "array[int]":
        """Return the indexes of the unchanged seeded dialogs in a list; cached for the next page."""
        found = self._unchanged_lists.pop(matching, None)
        if found is None:
            seeds = self._seeds
            columns = zip(seeds.bot, seeds.created, seeds.updated, strict=True)
            found = array(
                "q",
                (
                    index
                    for index, (bot, created, updated) in enumerate(columns)
                    if index not in self._changed
                    and matching.matches(bot, created, None if updated < 0 else updated)
                ),
            )
            if len(self._unchanged_lists) >= MAX_CACHED_FILTERS:
                del self._unchanged_lists[next(iter(self._unchanged_lists))]
        self._unchanged_lists[matching] = found
        return found

    def _at(self, index: int, *, with_answers: bool = True, keep: bool = False) -> FakeConversation:
        found = self._changed.get(index)
        if found is None:
            found = self._seeds.conversation(index, with_answers=with_answers)
            if keep:
                self._changed[index] = found
                self._unchanged_lists.clear()
        return found

    def _insert(self, number: int, bot_id: int, attributes: dict[str, Any]) -> FakeConversation:
        index = self._next_index
        conversation = FakeConversation(
            id=number,
            uuid=uuid_of(self._seed, index),
            number=index + 1,
            bot_id=bot_id,
            **dict[str, Any](created=self.now()) | attributes,
        )
        self._changed[index] = conversation
        self._indexes[number] = index
        self._next_index += 1
        return conversation

    def _attach_dialogs(self) -> None:
        """Attach the dialogs that have reached a block since the last time."""
        while self._attached_count < len(self._dialogs.all):
            dialog = self._dialogs.all[self._attached_count]
            self._attached_count += 1
            self._attach(dialog)

    def _attach(self, dialog: Dialog) -> None:
        number = dialog.dialog_id
        if number is None:
            number = self._dialogs.reserve_number()
        conversation = self._find(number, keep=True)
        if conversation is None:
            attributes = {"created": int(dialog.started_at)}
            conversation = self._insert(number, BOTS[0].id, attributes)
        # The same number in another instance: this platform shows the dialogs of one only.
        if conversation.dialog is None:
            conversation.attach(dialog)
