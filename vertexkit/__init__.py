"""vertexkit: external custom blocks for Bot.one, as decorated Python functions."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vertexkit.app import App
    from vertexkit.blocks.limits import CallInfo
    from vertexkit.blocks.registry import Blocks
    from vertexkit.botone.client import BotOne
    from vertexkit.botone.http_client import http_client
    from vertexkit.botone.models import Answer, Conversation, ConversationDetails, Message, Started
    from vertexkit.context.context import Context
    from vertexkit.context.sync import SyncContext
    from vertexkit.errors import (
        AlreadyCompleted,
        BadRequest,
        BlockFailed,
        CallError,
        DeadlineExceeded,
        DefinitionError,
        DialogGone,
        DialogUnknown,
        ExecutionEnded,
        FileTooLarge,
        Forbidden,
        IncompleteListWarning,
        MemoryFull,
        NonDeterministic,
        NotFound,
        PlatformError,
        PlatformUnreachable,
        RateLimited,
        Retry,
        SendOutcomeUnknown,
        ServerError,
        SettingsError,
        ShuttingDown,
        Unauthorized,
        UnexpectedResponse,
        VertexkitError,
        WaitTimeout,
    )
    from vertexkit.failure import Failure
    from vertexkit.ingress.request import Call, RawCall, read_call
    from vertexkit.settings import Settings
    from vertexkit.token import Claims
    from vertexkit.worker.policy import Middleware, Next

__all__ = [
    "AlreadyCompleted",
    "Answer",
    "App",
    "BadRequest",
    "BlockFailed",
    "Blocks",
    "BotOne",
    "Call",
    "CallError",
    "CallInfo",
    "Claims",
    "Context",
    "Conversation",
    "ConversationDetails",
    "DeadlineExceeded",
    "DefinitionError",
    "DialogGone",
    "DialogUnknown",
    "ExecutionEnded",
    "Failure",
    "FileTooLarge",
    "Forbidden",
    "IncompleteListWarning",
    "MemoryFull",
    "Message",
    "Middleware",
    "Next",
    "NonDeterministic",
    "NotFound",
    "PlatformError",
    "PlatformUnreachable",
    "RateLimited",
    "RawCall",
    "Retry",
    "SendOutcomeUnknown",
    "ServerError",
    "Settings",
    "SettingsError",
    "ShuttingDown",
    "Started",
    "SyncContext",
    "Unauthorized",
    "UnexpectedResponse",
    "VertexkitError",
    "WaitTimeout",
    "http_client",
    "read_call",
]

_HOMES = {
    "App": "app",
    "Blocks": "blocks.registry",
    "CallInfo": "blocks.limits",
    "BotOne": "botone.client",
    "http_client": "botone.http_client",
    **dict.fromkeys(
        ("Answer", "Conversation", "ConversationDetails", "Message", "Started"), "botone.models"
    ),
    "Context": "context.context",
    "SyncContext": "context.sync",
    "Failure": "failure",
    **dict.fromkeys(("Call", "RawCall", "read_call"), "ingress.request"),
    "Settings": "settings",
    "Claims": "token",
    **dict.fromkeys(("Middleware", "Next"), "worker.policy"),
}
"""The module of each public name; a name that is not listed is an error's, in `errors`."""


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that the command line and pytest start fast."""
    if name not in __all__:
        raise AttributeError(f"module 'vertexkit' has no attribute {name!r}")
    module = import_module(f"vertexkit.{_HOMES.get(name, 'errors')}")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
