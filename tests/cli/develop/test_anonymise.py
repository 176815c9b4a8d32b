"""Secrets in a recorded call are masked."""

import pytest

from vertexkit.cli.develop.anonymise import mask_path, mask_text, mask_value
from vertexkit.cli.develop.capture import mask_body, mask_query

SECRET = "Horse7staple"
SECRET_NAMES = [
    *("token", "accessToken", "password", "pwd", "secret", "client_secret", "access_key", "apiKey"),
    *("X-Api-Key", "key", "sig", "urlSig", "signature", "X-Hub-Signature-256", "hmac", "jwt"),
    *("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "session_id", "auth", "hash"),
    *("AWSAccessKeyId", "webhookKey", "credentials", "pin", "otp"),
]
PLAIN_NAMES = [
    *(
        "name",
        "design",
        "designer",
        "monkey_business",
        "keyboard",
        "shipping",
        "author",
        "passport",
    ),
    *("signal", "hashtag", "assign", "city", "message", "user-agent", "content-type"),
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_value_with_a_secret_name_is_masked_in_every_place(name: str) -> None:
    """As a header, in JSON at any depth, in a query, a form, a multipart form, XML and a URL."""
    places = [
        str(mask_value(name, SECRET)),
        str(mask_value("body", {"deep": [{name: SECRET}], "other": {name: {"inner": [SECRET]}}})),
        mask_query(f"a=1&{name}={SECRET}"),
        mask_body(f"a=1&{name}={SECRET}".encode()),
        mask_body(f'{{"a": 1, "{name}": "{SECRET}"}}'.encode()),
        mask_body(f'{{"a": 1, "{name}": "{SECRET}",,}}'.encode()),
        mask_body(f"<call><{name}>{SECRET}</{name}></call>".encode()),
        mask_body(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{SECRET}\r\n--b--'.encode()
        ),
        str(mask_value("Referer", f"https://me:{SECRET}@host/hook?x=1&{name}={SECRET}")),
        str(mask_value("x-log", f"sent {name}={SECRET}, ok")),
    ]
    assert [place for place in places if SECRET in place] == []


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_other_values_stay_readable(name: str) -> None:
    """A name that only looks a little like a secret one hides nothing."""
    assert mask_value(name, "Perm") == "Perm"
    assert mask_query(f"{name}=Perm") == f"{name}=Perm"


@pytest.mark.parametrize(
    "path, shown",
    [
        ("/hook/PATHSECRET0123", "/hook/xxxxxxxxxx0000"),
        ("/hook/a1b2c3d4e5", "/hook/x0x0x0x0x0"),
        ("/blocks/hello/short", "/blocks/hello/xxxxx"),
        ("/bot/123456:AAE-xyz_secret", "/bot/000000:xxx-xxx_xxxxxx"),
        ("/blocks/loan-calculator", "/blocks/loan-calculator"),
        ("/api/v2/conversations/1446", "/api/v2/conversations/1446"),
        ("/", "/"),
    ],
)
def test_secrets_in_a_path_are_masked(path: str, shown: str) -> None:
    """Words in lower case and numbers are shown; the secret after a block's name never is."""
    assert mask_path(path) == shown


@pytest.mark.parametrize("name", ["password", "pin"])
def test_numbers_with_a_secret_name_are_masked(name: str) -> None:
    """A number stays a number, so that the type is known."""
    assert mask_value("", {name: 12345, "n": 3}) == {name: 0, "n": 3}


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "part", ["; name=a\n", "<a ", '"a" ', "a=b&", "//a:", "a" * 50 + "=", "/Aa0", "eyJ."]
)
def test_a_large_body_is_masked_in_time(part: str) -> None:
    """No text keeps the recorder busy.

    A time that grows with the square of the length would be hours here: the test's limit ends it.
    """
    mask_text(part * (500_000 // len(part)))
