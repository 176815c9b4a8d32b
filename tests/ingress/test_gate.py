"""Who may call: from which networks, and by whose word."""

from ipaddress import ip_network
from typing import Any

import pytest

from vertexkit.errors import SettingsError
from vertexkit.ingress.gate import Gate
from vertexkit.settings import Settings

PLATFORM, PROXY = "203.0.113.7", "10.0.0.5"
GATE = Gate.of(
    Settings.of(allow_from="203.0.113.0/24, 2001:db8::/32", trusted_proxies="10.0.0.0/8")
)


def call(peer: str | None, *forwarded: str) -> dict[str, Any]:
    """A request from this machine, with these `X-Forwarded-For` fields."""
    client = None if peer is None else (peer, 50_000)
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    return {"type": "http", "client": client, "headers": headers, "query_string": b""}


@pytest.mark.parametrize(
    "peer, forwarded",
    [
        (PLATFORM, []),
        ("2001:db8::1", []),
        (f"::ffff:{PLATFORM}", []),
        (PROXY, [PLATFORM]),
        (PROXY, [f"198.51.100.1, {PLATFORM}"]),
        (PROXY, ["198.51.100.1", PLATFORM]),
        (PROXY, [f"{PLATFORM}, 10.9.9.9"]),
        (PROXY, [f"{PLATFORM}:443"]),
        (PROXY, ["[2001:db8::1]:443"]),
    ],
)
def test_the_platforms_calls_come_in(peer: str, forwarded: list[str]) -> None:
    """Directly, or as the last machine that is no proxy of ours."""
    assert GATE.opens(call(peer, *forwarded))


@pytest.mark.parametrize(
    "peer, forwarded",
    [
        (None, []),
        (None, [PLATFORM]),
        ("198.51.100.1", []),
        ("198.51.100.1", [PLATFORM]),
        (PLATFORM.replace("113", "114"), [PLATFORM]),
        (PROXY, []),
        (PROXY, ["10.9.9.9"]),
        (PROXY, [f"{PLATFORM}, 198.51.100.1"]),
        (PROXY, [PLATFORM, "198.51.100.1"]),
        (PROXY, [f"{PLATFORM}, unknown"]),
        (PROXY, [f"{PLATFORM},"]),
        (PROXY, ["\x00"]),
        ("testclient", [PLATFORM]),
    ],
)
def test_nobody_else_comes_in(peer: str | None, forwarded: list[str]) -> None:
    """Whatever a caller says of itself; only what our own proxies add to it counts."""
    assert not GATE.opens(call(peer, *forwarded))


def test_without_proxies_nobodys_word_is_taken() -> None:
    """Then the address of the connection is that of the caller."""
    gate = Gate(networks=[ip_network("203.0.113.0/24")])
    assert gate.opens(call(PLATFORM, "198.51.100.1"))
    assert not gate.opens(call(PROXY, PLATFORM))


def test_the_secret_is_asked_for_as_well() -> None:
    """A network is no secret: with both set, both are needed."""
    gate = Gate(["s3cret"], [ip_network("203.0.113.0/24")])
    near, far = call(PLATFORM), call("198.51.100.1")
    assert not gate.opens(near)
    assert gate.opens(near | {"query_string": b"key=s3cret"})
    assert not gate.opens(far | {"query_string": b"key=s3cret"})


@pytest.mark.parametrize("networks", ["10.0.0.1/8", "platform.example", "300.0.0.0/8"])
def test_what_is_no_network_is_refused_at_the_start(networks: str) -> None:
    """A typing error must not let everybody in, or nobody."""
    with pytest.raises(SettingsError, match="VERTEXKIT_ALLOW_FROM"):
        Settings.of(allow_from=networks)
