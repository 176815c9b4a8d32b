"""Raw calls, and what their rejection is."""

import pytest

from vertexkit.errors import CallError
from vertexkit.ingress.body import (
    JSON_TYPE,
)
from vertexkit.ingress.request import RawCall, read_call


def raw(body: bytes, kind: str | None = JSON_TYPE, **headers: str) -> RawCall:
    given = {"content-type": kind} if kind is not None else {}
    return RawCall("/blocks/loan", body, given | headers)


def rejection(call: RawCall) -> tuple[int, str]:
    with pytest.raises(CallError) as caught:
        read_call(call)
    return caught.value.status, caught.value.code
