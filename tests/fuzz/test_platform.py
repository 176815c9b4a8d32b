"""Whatever the platform answers, the execution ends, and the handler gets true results."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.examples import MANY
from vertexkit import App, Context
from vertexkit.testing import FakeDialog, FakePlatform
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.recorded import outcome_and_code

pytestmark = pytest.mark.unmeasured

SAID = [
    b"", b"{}", b"[]", b"null", b"{", b'{"message_id":"x"}', b'{"message_id":-1}', b"<html>502</html>",
    b'{"message_id":1e999}', b'{"message_id":null,"created_at":"now"}', b"\xff\xfe\x00", b'"' * 70_000,
    b"[" * 2000, b'{"detail":"' + b"x" * 100_000 + b'"}',
]  # fmt: skip
FAULTS = st.fixed_dictionaries(
    {"method": st.sampled_from(["send_message", "complete"])},
    optional={
        "status": st.sampled_from([200, 201, 202, 204, 206, 301, 302, 307, 308, 400, 401, 402, 403, 404, 405,
                                   408, 409, 410, 413, 418, 422, 425, 429, 451, 500, 501, 502, 503, 504, 599]),
        "retry_after": st.sampled_from(["0", "1", "-1", "1.5", "1e9", "soon", "", "9" * 400, "\u00bd",
                                        "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 9999 07:28:00 GMT"]),
        "body": st.sampled_from(SAID) | st.binary(max_size=30),
        "times": st.integers(1, 4),
        "after": st.integers(0, 2),
    },
)  # fmt: skip
KINDS = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["send_message", "complete"]),
        "kind": st.sampled_from(["cut", "garbage", "gone", "half", "lost", "slow"]),
    },
    optional={"times": st.integers(1, 3), "after": st.integers(0, 2)},
)


@MANY
@given(st.lists(FAULTS | KINDS, min_size=1, max_size=4))
async def test_every_execution_ends(faults: list[dict[str, Any]]) -> None:
    """It is completed, gone or parked, whatever is answered how often; nothing is sent twice."""
    app = App()

    @app.block("talk", timeout=600)
    async def talk(ctx: Context) -> str:
        for number in range(3):
            await ctx.send_message(str(number))
        return "done"

    platform = FakePlatform(clock=VirtualClock(), typing_seconds=0.2)
    for fault in faults:
        usual: dict[str, Any] = {"status": None if "kind" in fault else 200}
        platform.fail(**usual | fault)
    async with FakeDialog(app, platform, complete_patience=60) as dialog:
        run = await dialog.run("talk")
    assert run.outcome is not None, json.dumps(faults, default=repr)
    assert outcome_and_code(run)[0] in {"completed", "gone", "parked"}
    assert not platform.violations
    texts = [str(message) for message in run.messages]
    assert texts == sorted(set(texts), key=texts.index), "a message was sent twice"
