"""An HTTP response of the platform, as any of the clients receives it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Response:
    """What the platform responded.

    `models.Answer` is something else: an answer of a user in a dialog.
    """

    status: int
    """The HTTP status."""
    body: bytes = field(default=b"", repr=False)
    """The body, up to the limit of the client that read it."""
    retry_after: str | None = None
    """The value of the header `Retry-After`, unparsed; None if the header is missing."""
