"""What to check after a request to the dialog API has failed, as notes on the error."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from vertexkit.errors import NotFound, PlatformError, Unauthorized

REDIRECTS = range(300, 400)
API_PATH = "/api"
"""The usual end of the platform's base URL."""


def notes_for(error: PlatformError, base_url: str, location: str | None) -> Iterator[str]:
    """Return a sentence, without its end, for each thing to check.

    Args:
        error: the error.
        base_url: the base URL that the client uses.
        location: the header `Location` of the response; None if there is none.
    """
    if error.status in REDIRECTS and location is not None:
        target = urlsplit(location)
        address = f"{target.scheme}://{target.netloc}" if target.netloc else "another path"
        yield (
            f"The platform redirects to {address}, and redirects are not followed, because the "
            f"password would be sent there. Check the platform's URL, {base_url!r}"
        )
    elif isinstance(error, Unauthorized):
        yield "Check the login and the password (VERTEXKIT_LOGIN and VERTEXKIT_PASSWORD)"
    elif isinstance(error, NotFound) and not urlsplit(base_url).path.endswith(API_PATH):
        yield (
            f"The platform's URL usually ends with {API_PATH}, as in https://demo.bot.one/api; "
            f"this client uses {base_url!r}"
        )
