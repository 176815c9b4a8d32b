"""Access to the console: which clients and which pages are let in."""

from typing import Any

import pytest

from tests.console.client import FORWARDED, HOST, PROXIES, PROXY, ConsoleClient
from tests.journal.driver import JournalDriver


@pytest.mark.parametrize(
    "client, proxies, headers, expected",
    [
        ("127.0.0.1", "", {}, 200),
        ("::1", "", {"host": "[::1]:9001"}, 200),
        ("127.0.0.1", "", {"host": "localhost:9001"}, 200),
        ("127.0.0.1", "", {"host": "10.0.0.5:9001"}, 200),
        ("127.0.0.1", "", {"host": "evil.example:9001"}, (400, "invalid_host")),
        ("127.0.0.1", "", {"host": ""}, (400, "invalid_host")),
        ("127.0.0.1", "", {"host": "[::1"}, (400, "invalid_host")),
        ("127.0.0.1", "", {"x_forwarded_for": "192.0.2.7"}, (403, "console_not_open")),
        ("127.0.0.1", "127.0.0.1/32", FORWARDED, 200),
        ("192.0.2.7", "", {}, (403, "console_not_open")),
        ("192.0.2.7", PROXIES, FORWARDED, (403, "console_not_open")),
        ("", PROXIES, {}, (403, "console_not_open")),
        (PROXY, PROXIES, FORWARDED, 200),
        (PROXY, PROXIES, {"host": "ops.example.com"}, 200),
        ("127.0.0.1", "", {"origin": f"http://{HOST}"}, 200),
        ("127.0.0.1", "", {"origin": "http://evil.example"}, (403, "other_site")),
        ("127.0.0.1", "", {"origin": "null"}, (403, "other_site")),
        ("127.0.0.1", "", {"sec_fetch_site": "same-origin"}, 200),
        ("127.0.0.1", "", {"sec_fetch_site": "cross-site"}, (403, "other_site")),
        ("127.0.0.1", "", {"sec_fetch_site": "same-site"}, (403, "other_site")),
        (
            "127.0.0.1",
            "",
            {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"},
            200,
        ),
        (PROXY, PROXIES, FORWARDED | {"origin": "https://ops.example.com"}, 200),
        (
            PROXY,
            PROXIES,
            FORWARDED
            | {
                "host": "vertexkit:9001",
                "x_forwarded_host": "ops.example.com",
                "origin": "https://ops.example.com",
            },
            200,
        ),
        (PROXY, PROXIES, FORWARDED | {"origin": "https://evil.example"}, (403, "other_site")),
    ],
)
async def test_only_this_machine_and_trusted_proxies_are_let_in(
    client: str, proxies: str, headers: dict[str, str], expected: Any, driver: JournalDriver
) -> None:
    """Other machines, foreign names of this machine and pages of other sites get a problem."""
    console = ConsoleClient(driver.journal, client=client, proxies=proxies)
    answer = await console.get("service", **headers)
    assert (answer.status if answer.status == 200 else answer.rejection) == expected


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({"x_vertexkit_console": ""}, (403, "other_site")),
        ({"origin": "http://evil.example"}, (403, "other_site")),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, (403, "other_site")),
        ({}, 200),
    ],
)
async def test_an_action_needs_the_page_s_own_header(
    headers: dict[str, str], expected: Any, driver: JournalDriver
) -> None:
    """A form or a script of another site cannot set it; such a request changes nothing."""
    accepted = await driver.accept()
    console = ConsoleClient(driver.journal, writable=True)
    answer = await console.post(f"executions/{accepted.execution}/drop", **headers)
    assert (answer.status if answer.status == 200 else answer.rejection) == expected
    record = await driver.journal.find(accepted.execution)
    assert record is not None
    assert (record.result is not None) == (expected == 200)


async def test_every_response_has_the_security_headers(driver: JournalDriver) -> None:
    """The page, its files, the API and rejections cannot be framed, and run no foreign script."""
    console = ConsoleClient(driver.journal)
    for path in ("/console/", "/console/static/style.css", "/console/static/none.css", "service"):
        answer = await console.get(path)
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path
    rejected = await console.get("service", host="evil.example")
    assert "frame-ancestors 'none'" in rejected.headers["content-security-policy"]
