"""`GET /metrics`, over a socket."""

from prometheus_client.parser import text_string_to_metric_families

from tests.ingress.served_app import Edge, Serve


async def test_prometheus_can_read_it(edge: Edge) -> None:
    """The response is in Prometheus's text format, and counts calls."""
    token = edge.platform.issue("echo")
    execution = (await edge.call("echo", token)).execution
    await edge.settled(execution)
    answer = await edge.ask("/metrics", method="GET")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {
        family.name: family for family in text_string_to_metric_families(answer.body.decode())
    }
    assert families["vertexkit_executions_settled"].type == "counter"
    assert families["vertexkit_platform_request_seconds"].type == "histogram"
    assert "process_resident_memory_bytes" in families
    assert all(family.documentation for family in families.values())
    assert token.encode() not in answer.body


async def test_it_asks_for_the_urls_secret(serve: Serve) -> None:
    """If calls need a secret, the metrics need it too; without it they are not found."""
    async with serve(url_secrets="open-sesame") as edge:
        rejected = await edge.ask("/metrics", method="GET")
        assert rejected.rejection == (404, "not_found")
        answer = await edge.ask("/metrics?key=open-sesame", method="GET")
        assert answer.status == 200
        assert b"open-sesame" not in answer.body
