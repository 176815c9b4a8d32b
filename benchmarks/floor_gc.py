"""The minimal service with the garbage collector set as `vertexkit run` sets it.

On Python 3.11 a third of the processor time of `floor.py` is garbage collection, and it varies by a
third from minute to minute. This service is what others are compared with.
"""

from typing import Any

from floor import Floor

from vertexkit.system.garbage_collector import tune_garbage_collector


class FrozenFloor(Floor):
    """`Floor`, which sets the collector when it starts."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            tune_garbage_collector()
        await super().__call__(scope, receive, send)


app = FrozenFloor()
