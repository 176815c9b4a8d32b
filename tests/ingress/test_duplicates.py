"""The same call again: one execution, one answer."""

import asyncio
import json
from typing import Any

from tests.ingress.served_app import Edge, Serve

AT_ONCE = 50


async def test_fifty_of_the_same_call_at_once_are_one_execution(serve: Serve) -> None:
    """Fifty connections with the same call get the same id, and its handler runs once."""
    async with serve() as edge:
        token = edge.platform.issue("wait")
        answers = await asyncio.gather(
            *(edge.call("wait", token, city="Орёл") for _ in range(AT_ONCE))
        )
        assert {answer.status for answer in answers} == {200}
        assert len({answer.execution for answer in answers}) == 1
        edge.hold.release.set()
        assert await edge.completed(token) == {"inputs": {"city": "Орёл"}}
        await edge.settled(answers[0].execution)
        assert edge.hold.started == 1
        assert edge.accepted() == 1
        [message] = edge.platform.activation(token).messages
        assert message.text == "Ждите"


async def test_a_duplicate_is_told_of(serve: Serve) -> None:
    """Each duplicate is an event with the id of the execution that it belongs to."""
    async with serve() as edge:
        token = edge.platform.issue("wait")
        first = await edge.call("wait", token)
        again = await edge.call("wait", token)
        assert again.json == first.json
        assert edge.happened.count(("deduplicated", first.execution)) == 1
        edge.hold.release.set()
        await edge.completed(token)


async def test_other_inputs_do_not_make_it_another_call(serve: Serve) -> None:
    """Block and token make a call; the execution keeps the inputs that came first."""
    async with serve() as edge:
        token = edge.platform.issue("wait")
        first = await edge.call("wait", token, city="Орёл")
        assert (await edge.call("wait", token, city="Омск")).json == first.json
        edge.hold.release.set()
        assert await edge.completed(token) == {"inputs": {"city": "Орёл"}}


async def test_another_token_makes_it_another_call(serve: Serve) -> None:
    """Equal inputs with another token are another dialog's call."""
    async with serve() as edge:
        tokens = [edge.platform.issue("wait") for _ in range(2)]
        ids = {(await edge.call("wait", token)).execution for token in tokens}
        assert len(ids) == 2
        edge.hold.release.set()
        for token in tokens:
            await edge.completed(token)


async def test_a_duplicate_is_answered_although_the_queue_is_full(serve: Serve) -> None:
    """A duplicate adds nothing: it is accepted even if the queue is full."""
    async with serve(concurrency=1, queue=1) as edge:
        running, waiting = (edge.platform.issue("wait") for _ in range(2))
        first = await edge.call("wait", running)
        await edge.until(lambda: edge.hold.started)
        second = await edge.call("wait", waiting)
        assert (await edge.call("wait", running)).json == first.json
        assert (await edge.call("wait", waiting)).json == second.json
        edge.hold.release.set()
        for token in (running, waiting):
            await edge.completed(token)


async def test_a_call_made_again_during_the_completion_is_answered_at_once(serve: Serve) -> None:
    """A platform that calls again before it answers `complete` gets a new execution, which runs."""
    async with serve() as edge:
        token = edge.platform.issue("echo")
        answers: list[Any] = []

        async def call_again(again: str, data: Any) -> None:
            if not answers:
                edge.platform.reactivate(again)
                answers.append(await edge.call("echo", again, round=2))

        edge.platform.call_during_complete = call_again
        first = await edge.call("echo", token, round=1)
        await edge.until(lambda: answers)
        assert answers[0].status == 200
        assert answers[0].execution != first.execution
        await edge.settled(answers[0].execution)
    completions = edge.platform.dialog(token).completions
    assert [completion.data for completion in completions] == [
        {"inputs": {"round": 1}},
        {"inputs": {"round": 2}},
    ]


async def test_a_unique_token_is_a_duplicate_after_the_end_too(serve: Serve) -> None:
    """With `VERTEXKIT_TOKENS=unique` the same call gets the same id even after its execution."""
    async with serve(tokens="unique") as edge:
        token = edge.platform.issue("echo")
        first = await edge.call("echo", token)
        await edge.settled(first.execution)
        assert (await edge.call("echo", token)).json == first.json
        assert edge.accepted() == 1


async def test_duplicates_on_one_connection(edge: Edge) -> None:
    """A caller that sends the same call ten times without waiting gets ten equal answers."""
    token = edge.platform.issue("wait")
    body = json.dumps({"token": token}).encode()
    head = "POST /blocks/wait HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    async with edge.line() as line:
        await line.send((f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body) * 10)
        answers = [await line.answer() for _ in range(10)]
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].status == 200
    edge.hold.release.set()
    await edge.completed(token)
