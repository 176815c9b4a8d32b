"""Blocks: handlers with a name, terms and a contract."""

import inspect
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar, Unpack, get_args

from vertexkit.blocks.signature import Handler, Signature, read_signature, where
from vertexkit.context.runtime import OnCrash, OnPark, OnUnknown
from vertexkit.errors import DefinitionError

H = TypeVar("H", bound=Handler)
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Block:
    """One block: what a bot's author sees of it, and how it is run."""

    name: str
    title: str
    description: str
    signature: Signature
    timeout: float | None = None
    """Seconds for one run; None: the app's."""
    concurrency: int | None = None
    """Runs at once; None: as many as the app allows."""
    attempts: int | None = None
    """Runs of one execution; None: the app's."""
    on_unknown: OnUnknown = "assume_sent"
    """What to do with a message of which nobody can tell whether it was sent."""
    on_crash: OnCrash = "run"
    """Whether the handler runs again after the death of its process."""
    on_park: OnPark = "complete"
    """Whether the block is completed as failed before its execution is parked."""


class BlockOptions(TypedDict, total=False):
    """How a block is run: keywords of `@app.block`."""

    timeout: float | None
    """Seconds for one run; the app's `VERTEXKIT_TIMEOUT` if None."""
    concurrency: int | None
    """Runs at once; the app's `VERTEXKIT_CONCURRENCY` if None."""
    attempts: int | None
    """Runs of one execution, those after `Retry` and after a crash included; the app's if None."""
    on_unknown: OnUnknown
    """What to do with a message of which nobody can tell whether it was sent: `assume_sent`,
    `resend`, `raise` (`SendOutcomeUnknown`) or `park`."""
    on_crash: OnCrash
    """After the death of the process in the middle of a run: `run` it again from the top, where
    what was sent and stepped is not repeated; or `fail`: complete the block as `crashed`."""
    on_park: OnPark
    """Before an execution is parked: `complete` the block as failed, so that the dialog goes on;
    or `leave` it, for an operator's `vertexkit executions retry`."""


POLICIES = {"on_unknown": OnUnknown, "on_crash": OnCrash, "on_park": OnPark}
"""The words that each policy of a block may be."""


class Blocks(Mapping[str, Block]):
    """A collection of blocks by name, for a module of its own; `app.include` takes it in."""

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
        **terms: Unpack[BlockOptions],
    ) -> Callable[[H], H]:
        """Make a handler a block, served at `POST /blocks/{name}`.

        The handler's signature is the block's contract: `ctx` first, then either one pydantic
        model or plain typed parameters; its return annotation is the type of the result.

        Args:
            name: lower-case letters, digits, `-` and `_`; at most 64.
            title: for people; the name if empty.
            description: for people; the handler's docstring if empty.
            **terms: how it is run: the keywords of `BlockOptions`.

        Raises:
            DefinitionError: with file, line and mend.
        """
        if callable(name):
            raise DefinitionError(f'{where(name)}: a block needs a name: @app.block("loan")')

        def decorate(handler: H) -> H:
            at = where(handler)
            if not NAME.fullmatch(name):
                raise DefinitionError(
                    f"{at}: a block's name is of a-z, 0-9, - and _, at most 64, not {name!r}"
                )
            _check_terms(f"{at}: block {name!r}", terms)
            signature = read_signature(name, handler, _names_around())
            text = description or inspect.getdoc(handler) or ""
            block = Block(name, title or name, text, signature, **terms)
            self._check_free(block)
            self._blocks[name] = block
            return handler

        return decorate

    def include(self, blocks: "Blocks") -> None:
        """Take in the blocks of another collection.

        Raises:
            DefinitionError: a name is here already; says where both are.
        """
        for block in blocks.values():
            self._check_free(block)
        self._blocks.update(blocks)

    def _check_free(self, block: Block) -> None:
        earlier = self._blocks.get(block.name)
        if earlier is not None:
            raise DefinitionError(
                f"{where(block.signature.handler)}: the name {block.name!r} is taken by the block "
                f"at {where(earlier.signature.handler)}; give one of them another name"
            )


def _check_terms(at: str, terms: BlockOptions) -> None:
    """Refuse terms that nothing can be run by.

    Raises:
        DefinitionError: names the term and what it may be.
    """
    for term, value in terms.items():
        if term not in BlockOptions.__annotations__:
            known = ", ".join(("title", "description", *BlockOptions.__annotations__))
            raise DefinitionError(f"{at}: there is no {term}=; there is {known}")
        if term in POLICIES:
            if value not in (words := get_args(POLICIES[term])):
                raise DefinitionError(f"{at}: {term} has to be one of {', '.join(words)}")
        elif value is not None and not (isinstance(value, int | float) and 0 < value < math.inf):
            raise DefinitionError(f"{at}: {term} has to be above 0")


def _names_around() -> dict[str, Any]:
    """The local names where a handler is decorated: its annotations may be text that uses them."""
    frame = sys._getframe(2)  # noqa: SLF001 - the decorated function's own frame is not kept
    return dict(frame.f_locals) if frame.f_code.co_name != "<module>" else {}
