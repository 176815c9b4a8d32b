"""The response to an accepted call: it is sent before the handler runs."""

import json
from typing import cast

import pytest

from tests.ingress.served_app import Edge, Serve
from vertexkit.journal.protocol import JournalBackend


async def test_the_answer_comes_before_the_handler_has_run(serve: Serve) -> None:
    """A call is answered before its handler has done anything."""
    async with serve() as edge:
        token = edge.platform.issue("wait")
        answer = await edge.call("wait", token)
        assert answer.status == 200
        assert ("settled", answer.execution) not in edge.happened
        assert not edge.platform.activation(token).completions
        edge.hold.release.set()
        assert await edge.completed(token) == {"inputs": {}}
        await edge.settled(answer.execution)


async def test_the_answer_comes_with_the_execution_in_the_journal(serve: Serve) -> None:
    """When a caller has the response, its execution is in the journal already."""
    async with serve(concurrency=1) as edge:
        tokens = [edge.platform.issue("wait") for _ in range(3)]
        answers = [await edge.call("wait", token) for token in tokens]
        journal = cast(JournalBackend, edge.service.journal)
        for answer in answers:
            record = await journal.find(answer.execution)
            assert record is not None
            assert record.block == "wait"
            assert record.outcome is None
        assert len({answer.execution for answer in answers}) == 3
        edge.hold.release.set()
        for token in tokens:
            await edge.completed(token)


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_the_status_of_the_answer_is_a_setting(serve: Serve, status: int) -> None:
    """`VERTEXKIT_ACK_STATUS` is for a platform that expects another status than 200."""
    async with serve(ack_status=status) as edge:
        token = edge.platform.issue("echo")
        answer = await edge.call("echo", token)
        assert answer.status == status
        assert answer.execution
        await edge.completed(token)


@pytest.mark.parametrize("status", [204, 205])
async def test_a_status_without_a_body_has_none(serve: Serve, status: int) -> None:
    """With 204 or 205 nothing follows the head, so the connection's next answer is readable."""
    async with serve(ack_status=status) as edge:
        tokens = [edge.platform.issue("echo") for _ in range(2)]
        async with edge.line() as line:
            for token in tokens:
                body = json.dumps({"token": token}).encode()
                head = "POST /blocks/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                await line.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                answer = await line.answer()
                assert (answer.status, answer.body) == (status, b"")
        for token in tokens:
            assert await edge.completed(token) == {"inputs": {}}


async def test_an_execution_has_a_name_of_its_own(edge: Edge) -> None:
    """Two calls get two ids; an id is 22 hex digits and contains nothing of the token."""
    tokens = [edge.platform.issue("echo") for _ in range(2)]
    ids = [(await edge.call("echo", token)).execution for token in tokens]
    assert ids[0] != ids[1]
    assert all(len(execution) == 22 and int(execution, 16) for execution in ids)
    for token in tokens:
        await edge.completed(token)
