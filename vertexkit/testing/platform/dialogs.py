"""The dialogs of the fake platform, and the activations that they pay to blocks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from vertexkit.clock import Clock
from vertexkit.testing.platform.ledger import Exchange
from vertexkit.testing.platform.tokens import FakeClaims, fingerprint, read, sign

State = Literal["open", "completed", "gone"]


@dataclass(frozen=True, slots=True)
class FakeMessage:
    """A message as the dialog's user sees it.

    Attributes:
        text: what it says.
        typing: whether the platform showed the bot typing first.
        message_id: counts up from 1 over all dialogs.
        created_at: Unix seconds, whole.
        at: when it came, by the platform's clock.
    """

    text: str
    typing: bool
    message_id: int
    created_at: int
    at: float


@dataclass(frozen=True, slots=True)
class FakeCompletion:
    """The end of a block: its data (an object or None), and when by the platform's clock."""

    data: dict[str, Any] | None
    at: float


@dataclass(slots=True, repr=False)
class Activation:
    """One time that a dialog is at a block, from the platform's call to the completion.

    Attributes:
        dialog: whose activation it is.
        token: what the block speaks with.
        block: the block's name, or its vertex id where the platform was not told a name.
        number: 1 for the first activation with this token; one more each time the token is used again.
        messages: what the block said.
        completions: how it ended: none or one.
    """

    dialog: "Dialog"
    token: str
    block: str
    number: int = 1
    messages: list[FakeMessage] = field(default_factory=list)
    completions: list[FakeCompletion] = field(default_factory=list)
    completed_by: Exchange | None = None
    in_flight: list[Exchange] = field(default_factory=list)

    @property
    def state(self) -> State:
        """It is "gone" once the dialog is deleted, else "completed" or "open"."""
        if self.dialog.deleted:
            return "gone"
        return "completed" if self.completions else "open"

    @contextmanager
    def answering(self, exchange: Exchange) -> Iterator[list[Exchange]]:
        """Count a request as in flight meanwhile; gives those that already were."""
        others = list(self.in_flight)
        self.in_flight.append(exchange)
        try:
            yield others
        finally:
            self.in_flight.remove(exchange)

    def __repr__(self) -> str:
        return (
            f"<activation {self.number} of {self.block!r}, token {fingerprint(self.token)}, "
            f"{self.state}: {len(self.messages)} message(s)>"
        )


@dataclass(slots=True, repr=False)
class Dialog:
    """A user's dialog with a bot.

    Attributes:
        dialog_id: its number; None if the token that opened it does not say.
        instance: whose it is; None if the token that opened it does not say.
        activations: in the order in which they began.
        began: when it reached its first block, in Unix seconds.
        deleted: the platform answers 403 to everything.
    """

    dialog_id: int | None
    instance: str | None
    began: float = 0.0
    activations: list[Activation] = field(default_factory=list)
    deleted: bool = False

    @property
    def messages(self) -> list[FakeMessage]:
        """What all its activations said, by activation."""
        return [message for activation in self.activations for message in activation.messages]

    @property
    def completions(self) -> list[FakeCompletion]:
        """How its activations ended, by activation."""
        return [
            completion for activation in self.activations for completion in activation.completions
        ]

    @property
    def state(self) -> State:
        """It is "gone" once it is deleted, else the state of its last activation."""
        return self.activations[-1].state

    def __repr__(self) -> str:
        return f"<dialog {self.dialog_id}, {self.state}: {self.activations!r}>"


class Dialogs:
    """All dialogs, found by token.

    Args:
        seed: of the numbers that are made up.
        strangers: a token never issued opens a dialog at first sight.
        clock: dates them.
        free: new dialogs have no number below this.
    """

    def __init__(self, seed: int, strangers: bool, clock: Clock, free: int) -> None:
        random = Random(seed)
        self._strangers = strangers
        self._clock = clock
        self._next_dialog = max(free, random.randrange(300, 9000))
        self._next_session = random.randrange(10_000, 99_999)
        self._next_vertex = random.randrange(600, 2000)
        self._vertices: dict[str, str] = {}
        self._visits: dict[str, Activation] = {}
        self._numbered: dict[tuple[int, str | None], Dialog] = {}
        self._taken: set[int] = set()
        self.all: list[Dialog] = []

    def issue(self, block: str, dialog_id: int | None, instance: str) -> str:
        """A new token for a block, in a new dialog or in the one of this number."""
        if dialog_id is None:
            dialog_id = self.free()
        dialog = self._numbered.get((dialog_id, instance))
        if dialog is not None and dialog.deleted:
            raise ValueError(f"dialog {dialog_id} is deleted: no block can be reached in it")
        if block not in self._vertices:
            self._vertices[block] = str(self._next_vertex + len(self._vertices))
        token = sign(FakeClaims(instance, dialog_id, self._vertices[block], self._next_session))
        self._next_session += 1
        self._open(token, block, dialog_id, instance)
        return token

    def free(self) -> int:
        """A number that no dialog has yet; it stays free until it is used or taken."""
        while self._next_dialog in self._taken:
            self._next_dialog += 1
        return self._next_dialog

    def take(self, number: int | None = None) -> int:
        """Keep a number for a dialog that has reached no block: this one, or a free one."""
        number = self.free() if number is None else number
        self._taken.add(number)
        return number

    def reactivate(self, token: str) -> Activation:
        """The next activation of the same block with the same token."""
        last = self.activation(token)
        if last.state != "completed":
            raise ValueError(
                f"token {fingerprint(token)} cannot be used again: its activation is {last.state}, "
                "and a dialog reaches a block again only after the block was completed"
            )
        activation = Activation(last.dialog, token, last.block, last.number + 1)
        last.dialog.activations.append(activation)
        self._visits[token] = activation
        return activation

    def find(self, token: str) -> Activation | None:
        """The token's activation for a request that has come: opened now if strangers may."""
        if token not in self._visits and self._strangers:
            claims = read(token)
            if claims is None:
                return self._open(token, "unknown", None, None)
            return self._open(token, claims.vertex_id, claims.dialog_id, claims.instance)
        return self._visits.get(token)

    def activation(self, token: str) -> Activation:
        """The token's last activation.

        Raises:
            LookupError: the token was never issued nor seen.
        """
        if token not in self._visits:
            raise LookupError(f"token {fingerprint(token)} was never issued here")
        return self._visits[token]

    def _open(self, token: str, block: str, number: int | None, instance: str | None) -> Activation:
        dialog = self._numbered.get((number, instance)) if number is not None else None
        if dialog is None:
            dialog = Dialog(number, instance, self._clock.unix())
            self.all.append(dialog)
            if number is not None:
                self._taken.add(number)
                self._numbered[number, instance] = dialog
        activation = self._visits[token] = Activation(dialog, token, block)
        dialog.activations.append(activation)
        return activation
