"""vertexkit: external custom blocks for Bot.one, as decorated Python functions."""

from vertexkit.app import App
from vertexkit.blocks import Blocks
from vertexkit.botone.models import Message
from vertexkit.call import Call, RawCall, read_call
from vertexkit.context import Context
from vertexkit.errors import BlockFailed, CallError, Retry, VertexkitError
from vertexkit.failure import Failure
from vertexkit.settings import Settings
from vertexkit.synccontext import SyncContext

__all__ = [
    "App",
    "BlockFailed",
    "Blocks",
    "Call",
    "CallError",
    "Context",
    "Failure",
    "Message",
    "RawCall",
    "Retry",
    "Settings",
    "SyncContext",
    "VertexkitError",
    "read_call",
]
