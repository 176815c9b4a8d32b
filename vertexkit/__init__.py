"""vertexkit: external custom blocks for Bot.one, as decorated Python functions."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vertexkit.app import App
    from vertexkit.blocks.registry import Blocks
    from vertexkit.botone.client import BotOne
    from vertexkit.botone.http_client import http_client
    from vertexkit.botone.models import Answer, Conversation, ConversationDetails, Message, Started
    from vertexkit.context.context import Context
    from vertexkit.context.sync import SyncContext
    from vertexkit.errors import (
        BlockFailed,
        CallError,
        DialogGone,
        Forbidden,
        NotFound,
        PlatformError,
        Retry,
        SendOutcomeUnknown,
        VertexkitError,
    )
    from vertexkit.failure import Failure
    from vertexkit.ingress.request import Call, RawCall, read_call
    from vertexkit.settings import Settings

__all__ = [
    "Answer",
    "App",
    "BlockFailed",
    "Blocks",
    "BotOne",
    "Call",
    "CallError",
    "Context",
    "Conversation",
    "ConversationDetails",
    "DialogGone",
    "Failure",
    "Forbidden",
    "Message",
    "NotFound",
    "PlatformError",
    "RawCall",
    "Retry",
    "SendOutcomeUnknown",
    "Settings",
    "Started",
    "SyncContext",
    "VertexkitError",
    "http_client",
    "read_call",
]

_HOMES = {
    "app": "App",
    "blocks.registry": "Blocks",
    "botone.client": "BotOne",
    "botone.http_client": "http_client",
    "botone.models": "Answer Conversation ConversationDetails Message Started",
    "context.context": "Context",
    "context.sync": "SyncContext",
    "errors": (
        "BlockFailed CallError DialogGone Forbidden NotFound PlatformError Retry "
        "SendOutcomeUnknown VertexkitError"
    ),
    "failure": "Failure",
    "ingress.request": "Call RawCall read_call",
    "settings": "Settings",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: the command line and pytest start without them."""
    if name not in _HOME:
        raise AttributeError(f"module 'vertexkit' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"vertexkit.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
