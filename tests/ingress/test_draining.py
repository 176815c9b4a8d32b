"""A service that stops: calls are rejected, and accepted executions finish."""

import json

from tests.ingress.served_app import Serve


async def test_a_service_that_stops_sends_calls_away(serve: Serve) -> None:
    """While a process ends, calls get 503 with Retry-After, and nothing is kept of them.

    Nothing is completed for them either: another replica may take them.
    """
    async with serve() as edge:
        edge.service.stop_accepting()
        for block in ("echo", "loan", "nothing"):
            token = edge.platform.issue(block)
            answer = await edge.call(block, token)
            assert answer.rejection == (503, "shutting_down")
            assert int(answer.headers["retry-after"]) > 0
            assert edge.untouched(token)
    assert not edge.happened
    assert not edge.platform.ledger


async def test_readiness_turns_off_first(serve: Serve) -> None:
    """`/readyz` says that the service is stopping, while `/healthz` still says that it is alive.

    It must not be killed for stopping.
    """
    async with serve() as edge:
        assert (await edge.ask("/readyz", method="GET")).json == {"ready": True}
        edge.service.stop_accepting()
        answer = await edge.ask("/readyz", method="GET")
        assert (answer.status, answer.json) == (503, {"ready": False, "reasons": ["stopping"]})
        assert (await edge.ask("/healthz", method="GET")).json == {"alive": True}


async def test_what_was_accepted_goes_on(serve: Serve) -> None:
    """Rejecting new calls does not affect running executions."""
    async with serve() as edge:
        token = edge.platform.issue("wait")
        answer = await edge.call("wait", token)
        await edge.until(lambda: edge.hold.started)
        edge.service.stop_accepting()
        assert (await edge.call("wait", token)).rejection == (503, "shutting_down")
        edge.hold.release.set()
        assert await edge.completed(token) == {"inputs": {}}
        await edge.settled(answer.execution)


async def test_a_call_whose_body_is_still_coming_is_finished(serve: Serve) -> None:
    """A call that started to arrive before the shutdown is still served."""
    async with serve() as edge:
        token = edge.platform.issue("echo")
        body = json.dumps({"token": token}).encode()
        async with edge.line() as line, edge.line() as other:
            head = "POST /blocks/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            await line.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:5])
            await other.send(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await other.answer()).status == 200
            edge.service.stop_accepting()
            await line.send(body[5:])
            assert (await line.answer()).status == 200
        assert await edge.completed(token) == {"inputs": {}}
