"""The proxies between this machine and the platform: one rule for all clients of vertexkit."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Self
from urllib.request import getproxies_environment

from yarl import URL

from vertexkit.errors import SettingsError

SCHEMES = ("http", "https")
"""Protocols that the connection to a proxy may use."""
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Proxies:
    """Which requests go through which proxy.

    This machine itself (`localhost`, 127.0.0.0/8, ::1) is never requested through a proxy.
    """

    by_scheme: Mapping[str, str]
    """URL of the proxy for the URLs of a scheme; under `all` that for the other schemes."""
    exceptions: tuple[str, ...] = ()
    """Hosts that are requested directly: a name with its subdomains, an address or a network, each
    perhaps with a port; `*` for all."""

    @classmethod
    def from_environment(cls) -> Self:
        """Read `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case.

        Lower case has precedence. In a CGI process `HTTP_PROXY` is ignored: it is a header there.
        """
        found = getproxies_environment()
        exceptions = found.pop("no", "").replace(",", " ").split()
        return cls(found, tuple(exceptions))

    def find(self, url: str) -> URL | None:
        """Return the proxy for a request; None: it is sent directly.

        Args:
            url: of the request.

        Raises:
            SettingsError: the proxy's URL is not valid; names the variable and how to fix it.
        """
        target = URL(url)
        host = (target.host or "").rstrip(".").lower()
        port = target.port or DEFAULT_PORTS.get(target.scheme, 0)
        name = target.scheme if target.scheme in self.by_scheme else "all"
        proxy = self.by_scheme.get(name, "")
        if not proxy or not host or self._is_direct(host, port):
            return None
        return _parse(name, proxy)

    def _is_direct(self, host: str, port: int) -> bool:
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return any(
                _is_in_domain(host, domain) and own_port in (None, port)
                for domain, own_port in self._domains
            )
        return (
            address.is_loopback
            or any(domain == "*" for domain, _ in self._domains)
            or any(
                address in network and own_port in (None, port)
                for network, own_port in self._networks
            )
        )

    @cached_property
    def _domains(self) -> list[tuple[str, int | None]]:
        return [_split_port(exception.lower()) for exception in self.exceptions]

    @cached_property
    def _networks(self) -> list[tuple[IPv4Network | IPv6Network, int | None]]:
        networks = []
        for exception in self.exceptions:
            for text, port in ((exception, None), _split_port(exception)):
                try:
                    networks.append((ip_network(text.strip("[]"), strict=False), port))
                except ValueError:
                    continue
                break
        return networks


def display(proxy: URL | None) -> str:
    """Return a proxy's URL without login and password, for people; empty if there is none."""
    return "" if proxy is None else str(proxy.with_user(None))


def _parse(name: str, text: str) -> URL:
    scheme, separator, _ = text.partition("://")
    with suppress(ValueError):
        proxy = URL(text if separator else f"http://{text}")
        if proxy.host and proxy.port and proxy.scheme in SCHEMES:
            return proxy
    got = f", got {scheme}://" if separator and scheme not in SCHEMES else ""
    raise SettingsError(
        f"{name.upper()}_PROXY must be the URL of a proxy such as http://proxy.example.com:3128"
        f"{got}. To send requests directly, list the host in NO_PROXY"
    )


def _split_port(text: str) -> tuple[str, int | None]:
    host, separator, port = text.rpartition(":")
    if separator and port.isdecimal() and (":" not in host or host.endswith("]")):
        return host, int(port)
    return text, None


def _is_in_domain(host: str, domain: str) -> bool:
    if domain == "*":
        return True
    name = domain.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))
