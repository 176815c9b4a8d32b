"""`GET /metrics`, over a socket."""

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from tests.ingress.conftest import Edge, Serve


async def test_prometheus_can_read_it(edge: "Edge") -> None:
    """The page is in Prometheus's text format, and counts what was called."""
    token = edge.platform.issue("echo")
    execution = (await edge.call("echo", token)).execution
    await edge.settled(execution)
    answer = await edge.ask("/metrics", method="GET")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {each.name: each for each in text_string_to_metric_families(answer.body.decode())}
    assert families["vertexkit_executions_settled"].type == "counter"
    assert families["vertexkit_platform_request_seconds"].type == "histogram"
    assert "process_resident_memory_bytes" in families
    assert all(each.documentation for each in families.values())
    assert token.encode() not in answer.body


async def test_it_asks_for_the_urls_secret(serve: "Serve") -> None:
    """Where the URL has a secret, the figures have the same; without it they are not there."""
    async with serve(url_secrets="open-sesame") as edge:
        refused = await edge.ask("/metrics", method="GET")
        assert refused.refusal == (404, "not_found")
        answer = await edge.ask("/metrics?key=open-sesame", method="GET")
        assert answer.status == 200
        assert b"open-sesame" not in answer.body
