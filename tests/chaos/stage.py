"""The platform of a simulation: its dialogs, and the ledger of its requests."""

from dataclasses import dataclass, replace

from pydantic_core import to_json

from tests.chaos.machine import ManualClock
from tests.chaos.observed import COMPLETE, SEND
from vertexkit.errors import Fate
from vertexkit.testing.platform.ledger import Entry

FATES = {
    "fine": None,
    "lost": Fate.UNKNOWN,
    "cut": Fate.UNKNOWN,
    "error": Fate.UNKNOWN,
    "busy": Fate.RETRYABLE,
    "send_failed": Fate.NOT_SENT,
    "bad": Fate.REJECTED,
    "blocked": Fate.FORBIDDEN,
    "deleted": Fate.FORBIDDEN,
}
"""What can happen to a request, and what its sender learns.

`fine`: processed and answered. `lost`: processed, the answer is lost. `cut`: the connection breaks
before it is read. `error`: processed, and answered 500. `busy`: 429. `send_failed`: it never left.
`bad`: 400. `blocked`: 403 for this once. `deleted`: 403 from now on.
"""
PROCESSED = {"fine", "lost", "error"}
STATUSES = {"error": 500, "busy": 429, "bad": 400, "blocked": 403, "deleted": 403}


@dataclass(slots=True)
class Dialog:
    """A dialog with one token."""

    token: str
    block: str
    inputs: dict[str, object]
    activation: int = 1
    completed: bool = False
    """Its current activation is completed."""
    deleted: bool = False


class Stage:
    """Answers requests, each with a given response."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.dialogs: list[Dialog] = []
        self.ledger: list[Entry] = []
        self._messages = 0

    @property
    def open(self) -> int:
        """Number of dialogs whose block is not completed."""
        return sum(not (dialog.completed or dialog.deleted) for dialog in self.dialogs)

    def begin(self, block: str, inputs: dict[str, object]) -> Dialog:
        """Activate a block in a dialog."""
        dialog = Dialog(f"token-{len(self.dialogs)}", block, inputs)
        self.dialogs.append(dialog)
        return dialog

    def again(self, dialog: Dialog) -> None:
        """Repeat the dialog's call: of the same activation, or of the next one if that is completed."""
        if dialog.completed:
            dialog.activation += 1
            dialog.completed = False

    def send(self, token: str, text: str, happens: str) -> tuple[Fate | None, int | None]:
        """Take a message; return what its sender learns, and the message's id."""
        fate = self._answer(SEND, token, happens, text=text)
        if fate is None:
            self._messages += 1
        return fate, self._messages if fate is None else None

    def complete(self, token: str, data: bytes, happens: str) -> Fate | None:
        """Take a completion."""
        return self._answer(COMPLETE, token, happens, data=data.decode())

    def _answer(self, method: str, token: str, happens: str, **body: str) -> Fate | None:
        happens = happens if happens in FATES else "fine"
        fate = FATES[happens]
        if fate is Fate.NOT_SENT:
            return fate
        dialog = next(found for found in self.dialogs if found.token == token)
        processed = happens in PROCESSED and not dialog.completed and not dialog.deleted
        status = STATUSES.get(happens)
        if happens in {"fine", "error"}:
            refused = 403 if not processed else 204 if method == COMPLETE else 200
            status = 500 if happens == "error" and processed else refused
            fate = Fate.FORBIDDEN if status == 403 else fate
        now = self._clock.now()
        entry = Entry(
            len(self.ledger) + 1,
            "POST",
            f"/{method}",
            now,
            method=method,
            token=token,
            activation=dialog.activation,
        )
        self.ledger.append(
            replace(
                entry,
                body=to_json({"token": token, **body}),
                processed=processed,
                status=status,
                delivered=status is not None,
                answered_at=now,
            )
        )
        dialog.deleted |= happens == "deleted"
        dialog.completed |= processed and method == COMPLETE
        return fate
