"""The platform's address: one URL, or one URL for each allowed instance."""

from vertexkit.errors import CallError
from vertexkit.settings import INSTANCE
from vertexkit.token import Token


class PlatformAddress:
    """The base URL of the platform's API for a token.

    Args:
        template: `https://demo.bot.one/api`, or a URL with `{instance}` in place of the host's
            first label: `https://{instance}.bot.one/api`.
        instances: the instances that may replace `{instance}`. A token's claims select one of
            these and can add none.
    """

    def __init__(self, template: str, instances: tuple[str, ...] = ()) -> None:
        self._single = None if INSTANCE in template else template.rstrip("/")
        self._urls = {name: template.replace(INSTANCE, name).rstrip("/") for name in instances}

    @property
    def urls(self) -> tuple[str, ...]:
        """The base URLs of all instances."""
        return (self._single,) if self._single is not None else tuple(self._urls.values())

    def base_url(self, token: Token) -> str:
        """Return the base URL for this token's dialog, without a slash at its end.

        Raises:
            CallError: status 422, code `unknown_instance`: the token's instance is not allowed.
        """
        if self._single is not None:
            return self._single
        claims = token.claims
        url = self._urls.get(claims.instance or "") if claims is not None else None
        if url is None:
            raise CallError(
                422,
                "unknown_instance",
                "The token's instance is not listed in VERTEXKIT_INSTANCES.",
            )
        return url
