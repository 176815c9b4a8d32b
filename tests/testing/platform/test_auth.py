"""HTTP Basic authentication of methods 1 to 13 of the fake platform."""

from base64 import b64encode

import httpx
import pytest

from vertexkit.testing.platform.app import FakePlatform


def basic(credentials: str) -> str:
    return f"Basic {b64encode(credentials.encode()).decode()}"


async def request_list(platform: FakePlatform, header: str | None) -> httpx.Response:
    headers: dict[bytes, bytes] = {} if header is None else {b"Authorization": header.encode()}
    transport = httpx.ASGITransport(platform)
    async with httpx.AsyncClient(transport=transport, base_url="http://demo.test") as http:
        return await http.get("/api/v2/conversations", headers=headers)


@pytest.mark.parametrize(
    "header, problem",
    [
        (None, "is missing"),
        ("Bearer abc", "is not HTTP Basic"),
        ("Basic ???", "not valid Base64"),
        ("Basic Ы", "not valid Base64"),
        (basic("demo"), "lack the colon"),
    ],
)
async def test_a_malformed_header_is_a_violation(
    platform: FakePlatform, header: str | None, problem: str
) -> None:
    """A header that is missing or malformed gets 401 and is a mistake of the client."""
    response = await request_list(platform, header)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Basic ")
    [violation] = platform.violations
    assert problem in violation


async def test_a_wrong_password_is_not_a_violation(platform: FakePlatform) -> None:
    """The document has 401 for a wrong password."""
    assert (await request_list(platform, basic("demo:guess"))).status_code == 401
    assert (await request_list(platform, basic("demo:demo"))).status_code == 200
    platform.check()
