"""`vertexkit run`, killed while a language model answers, and restarted."""

from signal import SIGKILL

import pytest

from tests.chaos.scene import Scene
from vertexkit.models.reply import CONTINUE
from vertexkit.testing import FakeModel

pytestmark = pytest.mark.unmeasured

APP = "tests.chaos.model_blocks:app"
PARAGRAPHS = ("Once there was a hedgehog.", "It liked the stars.", "One of them fell.")
TALE = "\n\n".join(PARAGRAPHS)


@pytest.mark.parametrize(
    "point, message, received",
    [
        pytest.param("K7:2", 0, 1, id="the first part is in the journal"),
        pytest.param("", 2, 2, id="the second message arrives"),
    ],
)
async def test_killed_in_the_middle_of_an_answer_it_continues(
    scene: Scene, fake_model: FakeModel, point: str, message: int, received: int
) -> None:
    """A finished request is not paid twice, and no text is sent twice, whenever the process dies."""
    fake_model.answer("A hedgehog.")
    fake_model.answer(TALE)
    fake_model.answer("\n\n".join(PARAGRAPHS[received:]))
    child = await scene.start(point, app=APP)
    if message:
        scene.kill_at("send_message", child, message)
    call = await scene.call("story")
    assert await child.ended() == -SIGKILL
    child = await scene.start(app=APP)
    await child.wait_for_event("settled", execution=call.execution)
    await scene.finish()
    assert scene.texts(call) == list(PARAGRAPHS)
    assert scene.results(call) == [{"execution": call.execution, "text": TALE}]
    asked = [request["messages"] for request in fake_model.requests]
    question = [{"role": "user", "content": "A hedgehog."}]
    assert asked[:2] == [[{"role": "user", "content": "A subject?"}], question]
    [[*before, answer, ask]] = asked[2:]
    text = "".join(f"{paragraph}\n\n" for paragraph in PARAGRAPHS[:received])
    assert (before, answer["content"], ask["content"]) == (question, text, CONTINUE)
