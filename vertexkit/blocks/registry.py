"""The registry of blocks: handlers with a name, a contract and options."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar, Unpack

from vertexkit.blocks.policies import BlockOptions, block_limits, complete_options
from vertexkit.blocks.signature import Handler, Signature, read_signature
from vertexkit.callables import code_of, documentation, where
from vertexkit.errors import DefinitionError
from vertexkit.journal.limits import BlockLimits, FleetLimits

H = TypeVar("H", bound=Handler)
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""What a block's name may be: it is part of the block's URL."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block: a handler, its description for people, its contract and its options."""

    name: str
    title: str
    description: str
    signature: Signature
    options: BlockOptions
    """All options; those that the author did not set have their defaults."""
    limits: BlockLimits | None = None
    """The limits that hold over all processes; None: there are none."""


class Blocks(Mapping[str, Block]):
    """Blocks by name, for a module of their own; `app.include(blocks)` adds them to an app."""

    def __init__(self) -> None:
        self._blocks: dict[str, Block] = {}

    def __getitem__(self, name: str) -> Block:
        return self._blocks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)

    def __repr__(self) -> str:
        return f"Blocks({', '.join(self._blocks) or 'none'})"

    def block(
        self,
        name: str,
        *,
        title: str = "",
        description: str = "",
        **options: Unpack[BlockOptions],
    ) -> Callable[[H], H]:
        """Register a handler as a block, served at `POST /blocks/{name}`.

        The handler's signature is the block's contract: first `ctx`, then either one pydantic
        model or plain typed parameters. The return annotation is the type of the result.

        Args:
            name: Name of the block: lower-case letters, digits, `-` and `_`, at most 64.
            title: Title for people; the name if empty.
            description: Description for people; the handler's docstring if empty.
            **options: How the handler is run; see `BlockOptions`.

        Returns:
            A decorator that returns the handler unchanged.

        Raises:
            DefinitionError: The declaration is invalid; the message has the file, the line and
                how to fix it.
        """
        if callable(name):
            raise DefinitionError(f'{where(name)}: a block needs a name: @app.block("loan")')

        def decorate(handler: H) -> H:
            at = where(handler)
            if not NAME.fullmatch(name):
                raise DefinitionError(
                    f"{at}: a block's name must consist of a-z, 0-9, - and _, at most 64 "
                    f"characters, and start with a letter or digit; got {name!r}"
                )
            at = f"{at}: block {name!r}"
            completed = complete_options(at, options)
            signature = read_signature(name, handler, _local_names(handler))
            text = description or documentation(handler)
            limits = block_limits(completed)
            block = Block(name, title or name, text, signature, completed, limits)
            self._check_free(block)
            self._blocks[name] = block
            return handler

        return decorate

    def include(self, blocks: "Blocks") -> None:
        """Add the blocks of another collection.

        Raises:
            DefinitionError: A name is already taken; the message has both places.
        """
        for block in blocks.values():
            self._check_free(block)
        self._blocks.update(blocks)

    def _check_free(self, block: Block) -> None:
        earlier = self._blocks.get(block.name)
        if earlier is not None:
            raise DefinitionError(
                f"{where(block.signature.handler)}: the name {block.name!r} is taken by the block "
                f"at {where(earlier.signature.handler)}; rename one of them"
            )


def fleet_limits(blocks: Mapping[str, Block], running: int | None) -> FleetLimits | None:
    """Return the limits of an app that hold over all processes; None if it has none.

    Args:
        blocks: By name.
        running: Maximum number of handlers of all blocks that run at once; None: no limit.
    """
    limits = {name: block.limits for name, block in blocks.items() if block.limits is not None}
    return FleetLimits(limits, running) if limits or running is not None else None


def _local_names(handler: Handler) -> dict[str, Any]:
    """Return the local names of the function that defines a handler; empty at module level.

    The handler's annotations may be strings that use them. The defining function is found among
    the callers: it is the one whose code contains the handler's code as a constant. How many
    other functions (decorators, for example) are in between does not matter.
    """
    code = code_of(handler)
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - a function does not keep its frame
    while code is not None and frame is not None:
        if any(constant is code for constant in frame.f_code.co_consts):
            return {} if frame.f_code.co_name == "<module>" else dict(frame.f_locals)
        frame = frame.f_back
    return {}
