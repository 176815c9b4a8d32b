"""The fake server of language models, as its own clients see it."""

import openai
import pytest

from vertexkit.models import openai_client
from vertexkit.testing import FakeModel


async def test_a_request_without_an_answer_fails_the_test() -> None:
    """The client gets 400, and the check names the message and what to do."""
    with FakeModel() as model:
        async with openai_client(api_key="sk-fake-model", base_url=model.url) as client:
            with pytest.raises(openai.BadRequestError):
                await client.chat.completions.create(
                    model="small", messages=[{"role": "user", "content": "Есть чай?"}]
                )
        with pytest.raises(AssertionError, match=r"fake_model\.answer.*Есть чай"):
            model.check()


async def test_it_stops_while_a_request_hangs() -> None:
    """The end of a test does not wait for an answer that never comes."""
    with FakeModel() as model:
        model.hang()
        async with openai_client(
            api_key="sk-fake-model", base_url=model.url, timeout=0.01
        ) as client:
            with pytest.raises(openai.APITimeoutError):
                await client.chat.completions.create(model="small", messages=[])
    model.check()


def test_its_fixture_sets_the_environment(
    fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of the environment reaches it; in a test without an event loop too."""
    fake_model.answer("Да.", usage=(2, 1))
    with openai.OpenAI() as client:
        answer = client.chat.completions.create(model="small", messages=[])
    assert answer.choices[0].message.content == "Да."
    assert answer.usage is not None
    assert answer.usage.total_tokens == 3
