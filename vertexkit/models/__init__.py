"""Language models: answers that are streamed into a dialog, and agents whose work is journalled.

`ChatModel` needs the extra `llm`, `AgentSteps` the extra `agents`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vertexkit.models.agent import AgentSteps
    from vertexkit.models.budget import Budget
    from vertexkit.models.chat import ChatModel
    from vertexkit.models.client import openai_client
    from vertexkit.models.failures import BudgetExceeded, ModelFailed, ModelUnavailable
    from vertexkit.models.reply import Reply
    from vertexkit.models.usage import Price, Usage

__all__ = [
    "AgentSteps",
    "Budget",
    "BudgetExceeded",
    "ChatModel",
    "ModelFailed",
    "ModelUnavailable",
    "Price",
    "Reply",
    "Usage",
    "openai_client",
]

_HOMES = {
    "AgentSteps": "agent",
    "Budget": "budget",
    "ChatModel": "chat",
    "Reply": "reply",
    "openai_client": "client",
    **dict.fromkeys(("Price", "Usage"), "usage"),
}
"""The module of each public name; a name that is not listed is in `failures`."""
_EXTRAS = {"openai": "llm", "httpx2": "llm", "pydantic_ai": "agents"}
"""The extra that installs each optional package."""


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that each one needs only its own extra.

    `dir` shows a name after that: what looks at every name of every module, as freezegun does, does
    not import the packages of the extras.
    """
    if name not in __all__:
        raise AttributeError(f"module 'vertexkit.models' has no attribute {name!r}")
    try:
        module = import_module(f"vertexkit.models.{_HOMES.get(name, 'failures')}")
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        raise ImportError(
            f"vertexkit.models.{name} needs the extra {extra!r}: pip install 'vertexkit[{extra}]'"
        ) from error
    value = globals()[name] = getattr(module, name)
    return value
