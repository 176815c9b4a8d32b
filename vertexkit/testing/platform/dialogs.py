"""The dialogs that reach blocks, found by token, and the activations of blocks in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from vertexkit.clock import Clock
from vertexkit.testing.platform.ledger import Exchange
from vertexkit.testing.platform.tokens import FakeClaims, fingerprint, read_claims, sign

State = Literal["open", "completed", "gone"]


@dataclass(frozen=True, slots=True)
class FakeMessage:
    """A message as the dialog's user sees it.

    Attributes:
        text: the text.
        typing: whether the platform showed the bot typing first.
        message_id: counts up from 1 over all dialogs.
        created_at: whole Unix seconds.
        at: time of arrival, in seconds of the platform's clock.
    """

    text: str
    typing: bool
    message_id: int
    created_at: int
    at: float


@dataclass(frozen=True, slots=True)
class FakeCompletion:
    """The completion of a block.

    Attributes:
        data: an object or None.
        at: time of arrival, in seconds of the platform's clock.
    """

    data: dict[str, Any] | None
    at: float


@dataclass(slots=True, repr=False)
class Activation:
    """One activation of a block in a dialog: from the issue of its token to the completion.

    Attributes:
        dialog: the dialog.
        token: the token of the platform's call.
        block: the block's name, or its vertex id where the platform was given no name.
        number: 1 for the first activation with this token, 2 for the next one, and so on.
        messages: the messages that the block sent.
        completions: the completion, or none while the block is open.
        completed_by: the exchange that completed the block.
        in_flight: the exchanges of this activation that are being served.
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
        """The state: "gone" if the dialog is deleted, else "completed" or "open"."""
        if self.dialog.deleted:
            return "gone"
        return "completed" if self.completions else "open"

    @contextmanager
    def serving(self, exchange: Exchange) -> Iterator[list[Exchange]]:
        """Count an exchange as in flight meanwhile; yield those that already were."""
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
    """A user's dialog with a bot, as blocks see it.

    Attributes:
        dialog_id: its number; None if it was opened by a token without readable claims.
        instance: the platform's instance; None if it was opened by such a token.
        started_at: when it reached its first block, in Unix seconds.
        activations: of blocks, in the order in which they started.
        deleted: the platform answers 403 to every request about it.
    """

    dialog_id: int | None
    instance: str | None
    started_at: float = 0.0
    activations: list[Activation] = field(default_factory=list)
    deleted: bool = False

    @property
    def messages(self) -> list[FakeMessage]:
        """The messages of all its activations."""
        return [message for activation in self.activations for message in activation.messages]

    @property
    def completions(self) -> list[FakeCompletion]:
        """The completions of all its activations."""
        return [
            completion for activation in self.activations for completion in activation.completions
        ]

    @property
    def state(self) -> State:
        """The state: "gone" if it is deleted, else that of its last activation."""
        return self.activations[-1].state

    def __repr__(self) -> str:
        return f"<dialog {self.dialog_id}, {self.state}: {self.activations!r}>"


class DialogRegistry:
    """All dialogs that reached a block, found by token.

    Args:
        seed: of the generated numbers.
        accept_any_token: a token that was never issued opens a dialog when it is first seen.
        clock: dates the dialogs.
        first_number: new dialogs get no lower number than this.
    """

    def __init__(self, seed: int, accept_any_token: bool, clock: Clock, first_number: int) -> None:
        random = Random(seed)
        self._accept_any_token = accept_any_token
        self._clock = clock
        self._next_dialog = max(first_number, random.randrange(300, 9000))
        self._next_session = random.randrange(10_000, 99_999)
        self._next_vertex = random.randrange(600, 2000)
        self._vertex_ids: dict[str, str] = {}
        self._activations: dict[str, Activation] = {}
        self._by_number: dict[tuple[int, str | None], Dialog] = {}
        self._used_numbers: set[int] = set()
        self.all: list[Dialog] = []

    def issue(self, block: str, dialog_id: int | None, instance: str) -> str:
        """Return a new token for a block, in a new dialog or in the one with this number.

        Raises:
            ValueError: the dialog is deleted.
        """
        if dialog_id is None:
            dialog_id = self.free_number()
        dialog = self._by_number.get((dialog_id, instance))
        if dialog is not None and dialog.deleted:
            raise ValueError(f"dialog {dialog_id} is deleted: it cannot reach a block")
        if block not in self._vertex_ids:
            self._vertex_ids[block] = str(self._next_vertex + len(self._vertex_ids))
        vertex_id = self._vertex_ids[block]
        token = sign(FakeClaims(instance, dialog_id, vertex_id, self._next_session))
        self._next_session += 1
        self._activate(token, block, dialog_id, instance)
        return token

    def free_number(self) -> int:
        """Return a number that no dialog has yet. It stays free until it is used or reserved."""
        while self._next_dialog in self._used_numbers:
            self._next_dialog += 1
        return self._next_dialog

    def reserve_number(self, number: int | None = None) -> int:
        """Reserve a number, by default a free one, for a dialog that has reached no block."""
        number = self.free_number() if number is None else number
        self._used_numbers.add(number)
        return number

    def reactivate(self, token: str) -> Activation:
        """Return a new activation of the same block with the same token.

        Raises:
            ValueError: its last activation is not completed.
            LookupError: the token was never issued nor seen.
        """
        last = self.activation(token)
        if last.state != "completed":
            raise ValueError(
                f"token {fingerprint(token)} cannot be used again: its activation is "
                f"{last.state}, and a block can be activated again only after its completion"
            )
        activation = Activation(last.dialog, token, last.block, last.number + 1)
        last.dialog.activations.append(activation)
        self._activations[token] = activation
        return activation

    def find(self, token: str) -> Activation | None:
        """Return the token's activation for a request; open a dialog if any token may."""
        if token not in self._activations and self._accept_any_token:
            claims = read_claims(token)
            if claims is None:
                return self._activate(token, "unknown", None, None)
            return self._activate(token, claims.vertex_id, claims.dialog_id, claims.instance)
        return self._activations.get(token)

    def activation(self, token: str) -> Activation:
        """Return the token's last activation.

        Raises:
            LookupError: the token was never issued nor seen.
        """
        if token not in self._activations:
            raise LookupError(f"token {fingerprint(token)} was not issued by this platform")
        return self._activations[token]

    def _activate(
        self, token: str, block: str, number: int | None, instance: str | None
    ) -> Activation:
        dialog = self._by_number.get((number, instance)) if number is not None else None
        if dialog is None:
            dialog = Dialog(number, instance, self._clock.unix())
            self.all.append(dialog)
            if number is not None:
                self._used_numbers.add(number)
                self._by_number[number, instance] = dialog
        activation = self._activations[token] = Activation(dialog, token, block)
        dialog.activations.append(activation)
        return activation
