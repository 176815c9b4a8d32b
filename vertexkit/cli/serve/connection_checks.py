"""Checks of what a service is connected to: its journal and its platform."""

from collections.abc import Iterator

from vertexkit.botone.address import PlatformAddress
from vertexkit.botone.client import BotOne
from vertexkit.botone.proxies import Proxies, display
from vertexkit.cli.serve.findings import Finding, Level
from vertexkit.cli.serve.probe import probe
from vertexkit.clock import Clock
from vertexkit.errors import PlatformUnreachable, VertexkitError
from vertexkit.journal import make_journal
from vertexkit.settings import JournalSettings, PlatformSettings

MAX_CLOCK_SKEW_SECONDS = 30.0
"""By how much this machine's clock may differ from the platform's."""


def check_journal(settings: JournalSettings) -> Iterator[Finding]:
    """Check that the journal can be opened and written, without changing it."""
    try:
        journal = make_journal(settings, Clock())
        state = journal.check()
    except VertexkitError as error:
        yield Finding.failed("journal", error)
        return
    if journal.durable:
        yield Finding(Level.OK, "journal", state)
    else:
        yield Finding(
            Level.WARN,
            "journal",
            f"{settings.url} unfinished executions are lost when the process is killed",
            "Set VERTEXKIT_JOURNAL=sqlite:.vertexkit/journal.db.",
        )


def check_platform(settings: PlatformSettings) -> Iterator[Finding]:
    """Check that each of the platform's URLs responds, and compare clocks."""
    for url in PlatformAddress(settings.url, settings.instances).urls:
        try:
            proxy = display(Proxies.from_environment().find(url))
        except VertexkitError as error:
            yield Finding.failed("proxy", error)
            continue
        way = f" through the proxy {proxy}" if proxy else ""
        result = probe(url)
        if result.error:
            yield Finding(
                Level.FAIL,
                "platform",
                f"{url} cannot be reached{way}: {result.error} [{PlatformUnreachable.reference}]",
                _fix_connection(result.error, proxy),
            )
            continue
        yield Finding(Level.OK, "platform", f"{url} responds in {result.seconds:.2f} s{way}")
        if result.clock_skew is not None:
            yield _clock_finding(result.clock_skew)
        yield from _check_login(settings, url)


def _clock_finding(skew: float) -> Finding:
    """Compare this machine's clock with the platform's, from the date of its response."""
    message = f"this machine's clock differs from the platform's by {round(skew):+d} s"
    if abs(skew) <= MAX_CLOCK_SKEW_SECONDS:
        return Finding(Level.OK, "clock", message)
    fix = (
        "Synchronise the clock with NTP: sudo timedatectl set-ntp true. Deadlines do not depend on "
        "it, times in logs do."
    )
    return Finding(Level.WARN, "clock", message, fix)


def _fix_connection(error: str, proxy: str) -> str:
    if "TLS certificate" in error:
        return (
            "Check VERTEXKIT_PLATFORM_URL. If an authority of your own has signed the certificate, "
            "set SSL_CERT_FILE to a file with its certificate."
        )
    if "TLS handshake" in error:
        return "Check the port and https:// in VERTEXKIT_PLATFORM_URL."
    variables = "HTTPS_PROXY and NO_PROXY" if proxy else "this machine's outbound network"
    network = "(firewall, DNS; HTTPS_PROXY if a proxy is needed)"
    return f"Check VERTEXKIT_PLATFORM_URL and {variables}{'' if proxy else f' {network}'}."


def _check_login(settings: PlatformSettings, url: str) -> Iterator[Finding]:
    """Check the user of `ctx.dialog` and `vertexkit dialogs`, if one is configured."""
    if not settings.login and not settings.password.get_secret_value():
        return
    try:
        with BotOne.sync(url, settings.login, settings.password) as bot:
            total = bot.v2.conversations(page_size=1).page().pagination.total
    except VertexkitError as error:
        fix = "Set VERTEXKIT_LOGIN and VERTEXKIT_PASSWORD to those of a user of the platform."
        yield Finding.failed("login", error, fix)
    else:
        yield Finding(Level.OK, "login", f"{settings.login} has access to {total} dialogs")
