"""The official client of the OpenAI API, set up for a service."""

from typing import Any

import openai

from vertexkit.botone.certificates import tls_context
from vertexkit.errors import SettingsError
from vertexkit.settings import read_variable
from vertexkit.telemetry.redaction import register_secrets

VARIABLES = {"api_key": "OPENAI_API_KEY", "base_url": "OPENAI_BASE_URL"}
"""Options of the client that are read from the environment, `.env` or `/run/secrets`."""
MIN_KEY_CHARACTERS = 16
"""Length of the shortest API key that is masked: servers without keys get a word such as `ollama`,
which the log may contain."""


def openai_client(**options: Any) -> openai.AsyncOpenAI:
    """Create a client of an OpenAI-compatible server that all executions of a process share.

    Create it in the app's lifespan. Its connections are aiohttp's, as those of `http_client`, and
    certificates are verified as for requests to the platform. It does not repeat requests: the steps
    of `ChatModel` and `AgentSteps` do. The API key is masked in everything that is logged.

    Args:
        **options: The options of `openai.AsyncOpenAI`: `api_key` (by default `OPENAI_API_KEY`),
            `base_url` (by default `OPENAI_BASE_URL`), `timeout` and others. The variables are read
            from the environment, `.env` or `/run/secrets`, as the settings of vertexkit are.

    Returns:
        The client, an async context manager.

    Raises:
        SettingsError: There is no API key.
    """
    for option, variable in VARIABLES.items():
        if option not in options and (value := read_variable(variable)):
            options[option] = value
    options.setdefault("max_retries", 0)
    if "http_client" not in options:
        options["http_client"] = openai.DefaultAioHttpClient(verify=tls_context())
    try:
        client = openai.AsyncOpenAI(**options)
    except openai.OpenAIError:
        raise SettingsError(
            "OPENAI_API_KEY is not set: a language model needs the API key of its server. For a "
            "server without keys, set it to any text."
        ) from None
    if len(client.api_key) >= MIN_KEY_CHARACTERS:
        register_secrets([client.api_key])
    return client
