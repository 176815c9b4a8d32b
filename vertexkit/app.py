"""What an author creates: an app with its blocks, hooks and lifespan."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeAlias, TypeVar, Unpack

from starlette.types import Receive, Scope, Send

from vertexkit.asgi import AsgiApp
from vertexkit.blocks.hooks import (
    MIDDLEWARE,
    ON_FAILURE,
    READ_CALL,
    check_async,
    check_lifespan,
    check_plain,
)
from vertexkit.blocks.policies import BlockOptions
from vertexkit.blocks.registry import Blocks
from vertexkit.blocks.signature import Handler
from vertexkit.context.run_info import State
from vertexkit.ingress.request import ReadCall, read_call
from vertexkit.settings import Settings
from vertexkit.worker.policy import Middleware, OnFailure

H = TypeVar("H", bound=Handler)
Lifespan: TypeAlias = Callable[["App[Any]"], AbstractAsyncContextManager[State]]
"""Makes an async context manager from the app; what it yields is `ctx.state`."""


class App(Generic[State]):
    """A collection of blocks with what they share; an ASGI application (`uvicorn module:app`).

    `State` is what the lifespan yields: with `App[Pool]`, handlers that are annotated with
    `ctx: Context[Pool]` have a typed `ctx.state`.

    Args:
        lifespan: makes an async context manager from the app. The process enters it at startup
            and leaves it after the last handler; what it yields is `ctx.state`.
        middleware: wraps every handler, the first one outermost:
            `async def timing(ctx, call_next): return await call_next(ctx)`.
        read_call: reads the platform's call; by default `vertexkit.read_call`.
        on_failure: `async def (ctx, failure)`, called when a block failed. The block is completed
            with what it returns, or as usual if that is None. It may send a last message.
        settings: by default they are read from the environment when the app starts.

    Raises:
        DefinitionError: a function is of the wrong kind: `def` instead of `async def`, for example.
    """

    def __init__(
        self,
        *,
        lifespan: Lifespan[State] | None = None,
        middleware: Sequence[Middleware] = (),
        read_call: ReadCall = read_call,
        on_failure: OnFailure | None = None,
        settings: Settings | None = None,
    ) -> None:
        if lifespan is not None:
            check_lifespan(lifespan)
        for wrapper in middleware:
            check_async(MIDDLEWARE, wrapper)
        check_plain(READ_CALL, read_call)
        if on_failure is not None:
            check_async(ON_FAILURE, on_failure)
        self.blocks: Blocks = Blocks()
        self.lifespan = lifespan
        self.middleware: Sequence[Middleware] = tuple(middleware)
        self.read_call = read_call
        self.on_failure = on_failure
        self.settings = settings
        self._asgi = AsgiApp(self)

    def __repr__(self) -> str:
        return f"App({', '.join(self.blocks) or 'no blocks'})"

    def block(
        self,
        name: str,
        *,
        title: str = "",
        description: str = "",
        **options: Unpack[BlockOptions],
    ) -> Callable[[H], H]:
        """Register a handler as a block; see `Blocks.block`.

        Args:
            name: name of the block, the last part of its URL.
            title: for people; by default the name.
            description: for people.
            **options: limits and policies of the block.

        Returns:
            A decorator that returns the handler unchanged.

        Raises:
            DefinitionError: the name is taken or invalid, or an option is.
        """
        return self.blocks.block(name, title=title, description=description, **options)

    def include(self, blocks: Blocks) -> None:
        """Add the blocks of a collection.

        Args:
            blocks: the collection, from another module.

        Raises:
            DefinitionError: a name is taken; the message names both places.
        """
        self.blocks.include(blocks)

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Run the app inside of another ASGI application, which it is mounted in.

        A server runs the lifespan of the outer application only. Enter this context there::

            @asynccontextmanager
            async def lifespan(outer):
                async with app.serving():
                    yield


            outer = Starlette(routes=[Mount("/bot", app)], lifespan=lifespan)

        Returns:
            A context manager. The app accepts calls while it is entered; on leaving, running
            handlers finish within the grace period.

        Raises:
            SettingsError: on entering: a setting is invalid.
            DefinitionError: on entering: the app has no block.
            JournalUnusable: on entering: the journal cannot be opened.
        """
        return self._asgi.lifespan()

    async def send_event(self, execution_id: str, name: str, data: Any = None) -> bool:
        """Deliver an event to an execution, as a `POST` to `ctx.event_url(name)` does.

        Args:
            execution_id: id of the execution.
            name: name of the event, as for `ctx.wait_for`.
            data: anything that can be serialised to JSON.

        Returns:
            True if the event was stored; False if the execution already has an event of this name:
            then this one has no effect.

        Raises:
            RuntimeError: the app is not running in this process.
            ValidationError: (pydantic's) the data is not what the handler waits for.
            OperationNotAllowed: there is no such execution, or it no longer waits for the event.
            JournalUnavailable: the event could not be stored.
        """
        service = self._asgi.service
        if service is None:
            raise RuntimeError("the app is not running: events are sent from within its service")
        return await service.send_event(execution_id, name, data)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or the lifespan of the server, as an ASGI application."""
        await self._asgi(scope, receive, send)


def asgi_app(app: App[Any]) -> AsgiApp:
    """Return the ASGI application of an app; for the command line and tests, not for authors."""
    return app._asgi  # noqa: SLF001 - hidden from authors
