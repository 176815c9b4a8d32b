"""A wire that reports the duration and the status of each request."""

import time
from typing import Protocol

from vertexkit.botone.response import Response
from vertexkit.botone.wire import Wire
from vertexkit.errors import PlatformUnreachable, SendOutcomeUnknown


class RequestObserver(Protocol):
    """What a `TimedWire` reports to."""

    def platform_request_ended(self, method: str, status: str, seconds: float) -> None:
        """Record a request that has ended.

        Args:
            method: last segment of the URL's path, such as `send_message`.
            status: of the response; or `unreachable` (nothing was sent), `unknown` (there was no
                response) or `cancelled`.
            seconds: from its start to its end.
        """


class TimedWire:
    """A wire whose requests are timed.

    Args:
        wire: makes the requests.
        observer: learns about each of them.
    """

    def __init__(self, wire: Wire, observer: RequestObserver) -> None:
        self._wire = wire
        self._observer = observer

    async def post(self, url: str, body: bytes, timeout: float) -> Response:
        """Post a body and report the duration; see `Wire.post`."""
        started = time.perf_counter()
        status = "cancelled"
        try:
            response = await self._wire.post(url, body, timeout)
        except PlatformUnreachable:
            status = "unreachable"
            raise
        except SendOutcomeUnknown:
            status = "unknown"
            raise
        else:
            status = str(response.status)
            return response
        finally:
            method = url.rpartition("/")[2]
            self._observer.platform_request_ended(method, status, time.perf_counter() - started)

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()
