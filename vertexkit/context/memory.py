"""The memory of a dialog: what blocks keep from one execution to the next."""

import asyncio
from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar, overload

from pydantic import ValidationError
from pydantic_core import from_json

from vertexkit.botone.blocking import Blocking
from vertexkit.context.effects import Effects
from vertexkit.context.event_names import EVENT_NAME
from vertexkit.context.runtime import Runtime
from vertexkit.context.stored import ANYTHING_STORED, stored_type
from vertexkit.errors import DialogUnknown, MemoryFull
from vertexkit.execution import (
    MEMORY_DELETE,
    MEMORY_GET,
    MEMORY_SET,
    MEMORY_UPDATE,
    Effect,
    EffectState,
)
from vertexkit.journal.dialog_memory import MEMORY_LIMIT_BYTES, DialogKey, DialogMemory
from vertexkit.journal.protocol import Lease
from vertexkit.serialization import NotRestorable, TooLarge

T = TypeVar("T")
D = TypeVar("D")


class Memory:
    """`ctx.memory`: values that the blocks of an app keep for this dialog.

    Values are JSON, together at most 64 KiB for a dialog. They are kept for
    `VERTEXKIT_MEMORY_RETENTION` after the last change of any of them. All executions of the dialog
    see the same values; of two that set the same name, the later one counts, and of two that update
    it, both.

    Each call is journalled, as a step is: a later run of the handler gets what the first one got,
    and changes nothing again. A change and its entry in the journal are stored together.

    The dialog is identified by the token's claims. They are not verified unless
    VERTEXKIT_TOKEN_KEYS is set.

    Args:
        runtime: Objects of the process.
        lease: Lease of the execution.
        effects: Of the run.

    Raises:
        DialogUnknown: The token does not contain the dialog's id.
    """

    def __init__(self, runtime: Runtime, lease: Lease, effects: Effects) -> None:
        key = DialogKey.of(lease.execution.token.claims)
        if key is None:
            raise DialogUnknown(
                "the token does not contain the dialog's id (it is not a JWT with a dialog_id "
                "claim), so that the dialog has no memory"
            )
        self._key = key
        self._runtime = runtime
        self._lease = lease
        self._effects = effects
        self._order = asyncio.Lock()
        self._newest: DialogMemory | None = None
        """What this run has read or written last; another execution may have changed it since."""

    @overload
    async def get(self, name: str, type: type[T]) -> T | None: ...

    @overload
    async def get(self, name: str, type: type[T], default: D) -> T | D: ...

    @overload
    async def get(self, name: str, type: Any = None, default: Any = None) -> Any: ...

    async def get(
        self,
        name: str,
        type: Any = None,  # noqa: A002 - as in `wait_for`
        default: Any = None,
    ) -> Any:
        """Return a value: `visits = await ctx.memory.get("visits", int, 0)`.

        Args:
            name: Name of the value: up to 100 letters, digits, dots, hyphens and underscores.
            type: What the value must be: a pydantic model or another type; None: any JSON.
            default: What is returned if there is no value of this name.

        Returns:
            The value, validated, or the default.

        Raises:
            TypeError: The stored value is not of this type.
            ValueError: `name` is not a name.
            ExecutionEnded: As for `Context.send_message`.
            NonDeterministic: As for `Context.step`.
        """
        _check_name(name)
        return _decode(name, await self._read(name), type, default)

    async def set(self, name: str, value: Any) -> None:
        """Keep a value: `await ctx.memory.set("visits", visits + 1)`.

        Args:
            name: As for `get`.
            value: What can be serialised to JSON: a model, a dataclass, a dict, a number, ...

        Raises:
            TypeError: The value cannot be serialised to JSON, or JSON would not have a part of it:
                a `SecretStr`, a field with `exclude=True`.
            MemoryFull: The memory of the dialog would be larger than 64 KiB; nothing is changed.
            ValueError: `name` is not a name.
            ExecutionEnded: As for `Context.send_message`.
            NonDeterministic: As for `Context.step`.
        """
        _check_name(name)
        encoded = _encode(name, value)
        await self._change(MEMORY_SET, name, lambda _: encoded)

    @overload
    async def update(self, name: str, change: Callable[[T | None], T], type: type[T]) -> None: ...

    @overload
    async def update(
        self, name: str, change: Callable[[T | D], T], type: type[T], default: D
    ) -> None: ...

    @overload
    async def update(
        self, name: str, change: Callable[[Any], Any], type: Any = None, default: Any = None
    ) -> None: ...

    async def update(
        self,
        name: str,
        change: Callable[[Any], Any],
        type: Any = None,  # noqa: A002 - as in `get`
        default: Any = None,
    ) -> None:
        """Replace a value by one that follows from it, whatever other executions do meanwhile.

        `await ctx.memory.update("visits", lambda visits: visits + 1, int, 0)` counts exactly, also
        if several executions of the dialog do it at the same time.

        Args:
            name: Name of the value, as for `get`.
            change: Returns the new value for the present one. It is called again if another
                execution has changed the memory meanwhile, so it must do nothing else.
            type: What the present value must be; None: any JSON.
            default: What `change` gets if there is no value of this name.

        Raises:
            TypeError: The stored value is not of this type, or the new one cannot be serialised to
                JSON.
            MemoryFull: As for `set`.
            ValueError: `name` is not a name.
            ExecutionEnded: As for `Context.send_message`.
            NonDeterministic: As for `Context.step`.
        """
        _check_name(name)

        def calculate(stored: bytes) -> bytes:
            return _encode(name, change(_decode(name, stored, type, deepcopy(default))))

        await self._change(MEMORY_UPDATE, name, calculate)

    async def delete(self, name: str) -> None:
        """Delete a value; no effect if there is none of this name.

        Args:
            name: As for `get`.

        Raises:
            ValueError: `name` is not a name.
            ExecutionEnded: As for `Context.send_message`.
            NonDeterministic: As for `Context.step`.
        """
        _check_name(name)
        await self._change(MEMORY_DELETE, name, lambda _: b"")

    async def _read(self, name: str) -> bytes:
        """Return a value as JSON; empty if there is none."""
        position, earlier = await self._effects.match(MEMORY_GET + name, "")
        if earlier is not None:
            return earlier.value
        memory = self._newest = await self._runtime.journal.read_memory(self._key)
        value = memory.get(name)
        effect = Effect(position, MEMORY_GET + name)
        await self._effects.record(effect, EffectState.CONFIRMED, value)
        fields = {"value": from_json(value)} if value else {}
        self._runtime.record("memory_read", self._lease, name=name, **fields)
        return value

    async def _change(self, kind: str, name: str, calculate: Callable[[bytes], bytes]) -> None:
        """Change a value.

        Args:
            kind: Start of the kind of the effect.
            name: Name of the value.
            calculate: Returns the new value, as JSON, for the present one; empty: there is none.
        """
        position, earlier = await self._effects.match(kind + name, "")
        if earlier is not None:
            return
        effect = Effect(position, kind + name, "", EffectState.CONFIRMED)
        journal = self._runtime.journal
        async with self._order:
            while True:
                memory = self._newest or await journal.read_memory(self._key)
                before = memory.get(name)
                value = calculate(before)
                changed = memory.changed(name, value)
                if value and len(changed.values) > MEMORY_LIMIT_BYTES:
                    raise MemoryFull(
                        f"with the value {name!r}, the memory of the dialog would have "
                        f"{len(changed.values)} bytes; the limit is {MEMORY_LIMIT_BYTES}. Delete "
                        "values that are not needed any more"
                    )
                version = await self._effects.write(
                    journal.write_memory(self._lease, effect, self._key, changed)
                )
                if version is not None:
                    self._newest = DialogMemory(changed.values, version)
                    break
                self._newest = None  # another execution has changed it
        fields = {"value": from_json(value)} if value else {}
        if kind == MEMORY_UPDATE and before:  # a replay starts with it
            fields["before"] = from_json(before)
        self._runtime.record("memory_changed", self._lease, name=name, **fields)


class SyncMemory(Blocking[Memory]):
    """`ctx.memory` of a `def` handler: the methods of `Memory`, blocking."""

    @overload
    def get(self, name: str, type: type[T]) -> T | None: ...

    @overload
    def get(self, name: str, type: type[T], default: D) -> T | D: ...

    @overload
    def get(self, name: str, type: Any = None, default: Any = None) -> Any: ...

    def get(
        self,
        name: str,
        type: Any = None,  # noqa: A002 - as in Memory
        default: Any = None,
    ) -> Any:
        """Return a value: `visits = ctx.memory.get("visits", int, 0)`. See `Memory.get`.

        Args:
            name: Name of the value.
            type: What the value must be; None: any JSON.
            default: What is returned if there is no value of this name.

        Returns:
            The value, validated, or the default.

        Raises:
            Exception: As for `Memory.get`.
        """
        return self.run(self.target.get(name, type, default))

    def set(self, name: str, value: Any) -> None:
        """Keep a value; see `Memory.set`.

        Args:
            name: Name of the value.
            value: What can be serialised to JSON.

        Raises:
            Exception: As for `Memory.set`.
        """
        self.run(self.target.set(name, value))

    @overload
    def update(self, name: str, change: Callable[[T | None], T], type: type[T]) -> None: ...

    @overload
    def update(
        self, name: str, change: Callable[[T | D], T], type: type[T], default: D
    ) -> None: ...

    @overload
    def update(
        self, name: str, change: Callable[[Any], Any], type: Any = None, default: Any = None
    ) -> None: ...

    def update(
        self,
        name: str,
        change: Callable[[Any], Any],
        type: Any = None,  # noqa: A002 - as in Memory
        default: Any = None,
    ) -> None:
        """Replace a value by one that follows from it; see `Memory.update`.

        Args:
            name: Name of the value.
            change: Returns the new value for the present one; it is called on the event loop, so it
                must not wait.
            type: What the present value must be; None: any JSON.
            default: What `change` gets if there is no value of this name.

        Raises:
            Exception: As for `Memory.update`.
        """
        self.run(self.target.update(name, change, type, default))

    def delete(self, name: str) -> None:
        """Delete a value; see `Memory.delete`.

        Args:
            name: Name of the value.

        Raises:
            Exception: As for `Memory.delete`.
        """
        self.run(self.target.delete(name))


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name of a value must be a text, got {type(name).__name__}")
    if not EVENT_NAME.fullmatch(name):
        raise ValueError(
            "the name of a value must have 1 to 100 letters, digits, dots, hyphens and "
            f"underscores, got {name!r:.120}"
        )


def _encode(name: str, value: Any) -> bytes:
    """Return a value as JSON, if it can be one."""
    try:
        return ANYTHING_STORED.write(value, MEMORY_LIMIT_BYTES)
    except TooLarge as error:
        raise MemoryFull(f"the value {name!r} is too large for the memory: {error}") from None
    except NotRestorable as error:
        raise TypeError(f"the value {name!r} cannot be read back: {error}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise TypeError(f"the value {name!r} cannot be serialised to JSON") from error


def _decode(name: str, stored: bytes, type_: Any, default: Any) -> Any:
    """Return a stored value as its type, or the default if there is none."""
    if not stored:
        return default
    shape = stored_type(Any if type_ is None else type_)
    try:
        return shape.read(stored)
    except ValidationError:  # its text has the value, which must not be in the log
        raise TypeError(
            f"the value {name!r} in the dialog's memory is not a valid {type_!r:.200}"
        ) from None
