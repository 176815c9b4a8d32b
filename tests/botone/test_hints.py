"""What an error says about its fix, and addresses that are refused."""

import pytest

from tests.botone.quirky_server import QuirkyServer, raw_dialog
from vertexkit import BotOne, PlatformError, SettingsError
from vertexkit.botone.hints import notes_for
from vertexkit.botone.http_client import asgi_client
from vertexkit.errors import NotFound, Unauthorized, UnexpectedResponse
from vertexkit.testing import VirtualClock

API, ROOT = "https://demo.bot.one/api", "https://demo.bot.one"


@pytest.mark.parametrize(
    "error, url, location, text",
    [
        (UnexpectedResponse, API, "https://other.bot.one/login", "redirects to https://other.bot"),
        (UnexpectedResponse, API, "/login?next=secret", "redirects to another path"),
        (Unauthorized, API, None, "VERTEXKIT_LOGIN and VERTEXKIT_PASSWORD"),
        (NotFound, ROOT, None, "usually ends with /api"),
        (NotFound, API, None, None),
        (UnexpectedResponse, API, None, None),
    ],
)
def test_an_error_has_a_hint(
    error: type[PlatformError], url: str, location: str | None, text: str | None
) -> None:
    """Where the cause is likely to be known, the error names it, without the query of a redirect."""
    statuses: dict[type[PlatformError], int] = {
        UnexpectedResponse: 301,
        Unauthorized: 401,
        NotFound: 404,
    }
    notes = list(
        notes_for(error("GET", "/v2/conversations", status=statuses[error]), url, location)
    )
    assert "secret" not in "".join(notes)
    if text is None:
        assert notes == []
    else:
        assert [text in note for note in notes] == [True]


async def test_the_hint_is_a_note_of_the_error() -> None:
    """Python prints notes with the traceback, and the command after the sentence."""
    server = QuirkyServer([raw_dialog(1)])
    server.page_answers[1] = [401]
    async with asgi_client(server) as client:
        bot = BotOne("http://p.test/api", "a", "b", client=client, clock=VirtualClock())
        with pytest.raises(Unauthorized) as caught:
            await bot.v2.conversations().page()
    assert "Check the login and the password" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    "url, text",
    [
        (" https://demo.bot.one/api", "must not start or end with a space"),
        ("https://{instance}.bot.one/api", "must name one instance here"),
        ("https://demo.bot.one/api/v2", "must end before the version of the API"),
        ("https://demo.bot.one/api/v1/", "must end before the version of the API"),
        ("demo.bot.one/api", "must start with https://"),
        ("https://anna:secret@demo.bot.one/api", "must not contain a login"),
    ],
)
def test_an_address_that_cannot_work_is_refused(url: str, text: str) -> None:
    """The error says what is wrong with it."""
    with pytest.raises(SettingsError, match=text) as caught:
        BotOne(url, "anna@example.com", "b")
    assert "secret" not in str(caught.value)
