"""What operators need to protect what users have written: erasing it, and replacing keys."""

from typing import Any, Protocol

from vertexkit.journal.dialog_memory import Forgotten, MemoryRecord
from vertexkit.journal.encryption import Rekeyed


class JournalPrivacy(Protocol):
    """The part of a journal that lists, erases and encrypts what is kept of dialogs."""

    async def memories(self, dialog: int) -> list[MemoryRecord]:
        """Return the memories of the dialogs with this number, one for each instance."""

    async def forget(self, dialog: int) -> Forgotten:
        """Erase the executions and the memories of a dialog (survives power loss).

        Args:
            dialog: its number, as tokens claim it.

        Raises:
            OperationNotAllowed: an execution of it has not ended; nothing was erased.
        """

    async def stored_inputs(self, execution: str) -> dict[str, Any] | None:
        """Return the inputs of a call; None if they are not stored (any more).

        They are erased when the execution ends, unless it is parked and its block not completed.

        Args:
            execution: its id.
        """

    async def rekey(self, key: str, after: str) -> Rekeyed:
        """Seal some values again with the newest key (survives power loss).

        When all are sealed, older keys are not needed any more.

        Args:
            key: id of the key that the caller takes for the newest one.
            after: where the previous part ended; empty: from the start.

        Raises:
            OperationNotAllowed: the journal is not encrypted, or encrypts with another key.
        """
