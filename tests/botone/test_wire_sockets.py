"""What only a real socket does: connections, and bytes that are no HTTP."""

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from vertexkit.botone.wire import ANSWER_LIMIT, AiohttpWire
from vertexkit.errors import Fate, PlatformError, PlatformUnreachable, SendOutcomeUnknown

if TYPE_CHECKING:
    from tests.botone.conftest import SocketPeer

PATIENT, SHORT = 20.0, 0.05
LOOPBACK = "127.0.0.1"


async def fail(url: str, wire: AiohttpWire | None = None, timeout: float = PATIENT):
    used = wire or AiohttpWire()
    with pytest.raises(PlatformError) as caught:
        await used.post(f"{url}/say", b'{"token":"very-secret-token"}', timeout)
    if wire is None:
        await used.close()
    return caught.value
