"""What earlier runs of a handler did, and which of it a call of this run repeats."""

from collections import deque
from collections.abc import Mapping

from vertexkit.errors import NonDeterministic
from vertexkit.execution import OR_SAY, SEND, Effect, EffectState

POSITIONS_PER_HANDLER = 1_000_000
"""More effects than one handler has. The positions of an `on_failure` hook start here."""

TEXTS = (SEND, OR_SAY)
"""Kinds of effects that a text tells apart, which may be different in each run."""


class EarlierEffects:
    """The effects of earlier runs that may have happened. Each is repeated by at most one call.

    1. A call repeats the first effect that is the same thing: a message with the same text, or a
       step with the same name and arguments. Its position does not matter.
       If other calls have repeated every effect that is the same thing, the call is new.
    2. What no earlier run did is matched by position, as soon as no other branch of the handler can
       still ask for what remains (`may_repeat_another`): a message whose text is different in each
       run (that of a language model) repeats the message at its position, or else the first that
       remains.
    3. A call at the position of a remaining effect of another kind, and a step whose name remains
       with other arguments, cannot be matched: the run is not a repetition of the earlier one.
    4. Every other call is new.

    If the branches do the same in each run, a branch that has an effect left never waits before it
    asks for that effect: what it does before is in the journal too. So rule 2 waits for no branch
    that waits itself, and rule 3 applies only to a handler that does something else in each run.

    Rejected effects did not happen: no call repeats them.

    Args:
        effects: By position.
        first_position: Of the run.
    """

    def __init__(self, effects: Mapping[int, Effect], first_position: int) -> None:
        last_position = first_position + POSITIONS_PER_HANDLER
        self._remaining: dict[int, Effect] = {
            position: effects[position]
            for position in sorted(effects)
            if first_position <= position < last_position
            and effects[position].state is not EffectState.REJECTED
        }
        self._positions_of: dict[str, deque[int]] = {}
        """Of the remaining effects of each kind, and some that do not remain."""
        self._same: dict[tuple[str, str], deque[int]] = {}
        """Positions by kind and digest, and some that do not remain."""
        for position, effect in self._remaining.items():
            self._positions_of.setdefault(effect.kind, deque()).append(position)
            self._same.setdefault((effect.kind, effect.digest), deque()).append(position)
        self._used_positions = set(self._remaining)

    def __bool__(self) -> bool:
        return bool(self._used_positions)

    @property
    def has_remaining(self) -> bool:
        """Whether there are effects that no call has repeated."""
        return bool(self._remaining)

    def take_same(self, kind: str, digest: str) -> Effect | None:
        """Return the effect that is the same thing, by rule 1.

        A step without a digest was journalled by a version that did not write one: its name alone
        counts.
        """
        for key in ((kind, digest), (kind, "")):
            if (position := self._first(self._same.get(key))) is not None:
                return self._remaining.pop(position)
        return None

    def may_repeat_another(self, kind: str, digest: str, position: int) -> bool:
        """Check whether a call could repeat an effect that is not the same, by rules 2 and 3."""
        if (kind, digest) in self._same:
            return False
        return position in self._remaining or self._first_of(kind) is not None

    def take_by_position(self, kind: str, position: int) -> Effect | None:
        """Return the effect that a call repeats by its position; None: the call is new.

        Raises:
            NonDeterministic: The call cannot be matched, by rule 3.
        """
        there, first = self._remaining.get(position), self._first_of(kind)
        if there is not None and there.kind != kind:
            raise NonDeterministic(
                f"at position {position} an earlier run did {there.kind!r}, this one {kind!r}"
            )
        if kind in TEXTS:
            taken = position if there is not None else first
            return None if taken is None else self._remaining.pop(taken)
        if there is not None and there.state is EffectState.INTENDED:
            return self._remaining.pop(position)  # it was interrupted and runs again in any case
        self.check_arguments(kind)
        return None

    def check_arguments(self, kind: str) -> None:
        """Check that no finished step of this name remains, whose arguments are others.

        Raises:
            NonDeterministic: One does, by rule 3.
        """
        first = self._first_of(kind)
        if kind not in TEXTS and first is not None:
            raise NonDeterministic(
                f"at position {first} an earlier run did {kind!r} with other arguments"
            )

    def new_position(self, position: int) -> int:
        """Return a free position for a new effect: this one, or the next that is free."""
        while position in self._used_positions:
            position += 1
        self._used_positions.add(position)
        return position

    def _first_of(self, kind: str) -> int | None:
        return self._first(self._positions_of.get(kind))

    def _first(self, positions: deque[int] | None) -> int | None:
        while positions and positions[0] not in self._remaining:
            positions.popleft()
        return positions[0] if positions else None
