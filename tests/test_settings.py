"""The settings: where they come from, and the errors of values that are not valid."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from vertexkit.analytics import StatusGroup
from vertexkit.errors import SettingsError
from vertexkit.settings import FIELDS, PREFIX, ServerSettings, Settings
from vertexkit.settings import settings as module
from vertexkit.settings.sections import ENDING_KINDS

SECRET = "correct-horse-battery-staple"
BAD = [
    ("ENDINGS", "x", "STATUS=KIND"),
    ("ENDINGS", "archived=completed,lost=nowhere", "one of completed, interrupted"),
    (
        "PLATFORM_URL",
        "demo.bot.one/api",
        "must start with https:// or http:// and name a host, got 'demo.",
    ),
    ("PLATFORM_URL", "https:///api", "must start with https:// or http:// and name a host"),
    (
        "PLATFORM_URL",
        "https://{instnace}.bot.one/api",
        "got '{instnace}'. Did you mean 'https://{instance}.bot.one/api'?",
    ),
    ("PLATFORM_URL", "https://me:pass@demo.bot.one/api", "must not contain a login"),
    ("PLATFORM_URL", "https://demo.bot.one/api?key=1", "must not contain a login, '?' or '#'"),
    ("PLATFORM_URL", "https://demo.bot.one:70000/api", "must have a port between 0 and 65535"),
    ("CONNECTIONS", "0", "greater than or equal to 1"),
    ("CONNECTIONS", "10001", "less than or equal to 10000"),
    ("SEND_TIMEOUT", "0", "greater than 0"),
    ("WIRE", "requests", "'sockets' or 'aiohttp'"),
    ("SEND_TIMEOUT", "soon", "a valid number"),
    ("COMPLETE_PATIENCE", "-1", "greater than or equal to 0"),
    ("ALLOW_ANONYMOUS", "perhaps", "a valid boolean"),
    ("INSTANCES", "demo; kazan", "the characters - _ . only, got 'demo; kazan'"),
    (
        "INSTANCES",
        "demo,kazan/api",
        "a name has letters, digits and the characters - _ . only, got 'kazan/api'",
    ),
    ("ALLOW_FROM", "10.0.0.0/8,10.0.0.300", "networks such as 10.0.0.0/8: '10.0.0.300' does not"),
    ("TRUSTED_PROXIES", "10.0.0.1/8", "networks such as 10.0.0.0/8: 10.0.0.1/8 has host bits set"),
    ("BODY_LIMIT", "256 KiB", "a valid integer"),
    ("ACK_STATUS", "302", "less than or equal to 299"),
    ("CONSOLE", "admin", "'off', 'read' or 'write'"),
    ("TOKENS", "both", "'reused' or 'unique'"),
    ("CONCURRENCY", "0", "greater than or equal to 1"),
    ("THREADS", "-4", "greater than or equal to 1"),
    ("QUEUE", "1.5", "a valid integer"),
    ("ON_FULL", "wait", "'refuse' or 'fail'"),
    ("TIMEOUT", "-1", "greater than 0"),
    ("ATTEMPTS", "0", "greater than or equal to 1"),
    ("CLEANUP", "-0.1", "greater than or equal to 0"),
    ("RESULT_LIMIT", "1", "greater than or equal to 64"),
    ("LEASE", "0", "greater than 0"),
    ("GRACE", "-5", "greater than or equal to 0"),
    ("PORT", "65536", "less than or equal to 65535"),
    ("WORKERS", "0", "greater than or equal to 1"),
    ("LOG_FORMAT", "xml", "'auto', 'json' or 'console'"),
    ("LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
]
NOT_FINITE = ["SEND_TIMEOUT", "COMPLETE_PATIENCE", "TIMEOUT", "CLEANUP", "LEASE", "GRACE"]


@pytest.fixture(autouse=True)
def working_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working folder, and an environment without settings."""
    for name in FIELDS:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_defaults_are_those_of_the_manual() -> None:
    """Without any setting a service listens on the loopback address and uses SQLite."""
    settings = Settings.load()
    assert (settings.server.host, settings.server.port, settings.server.workers) == (
        "127.0.0.1",
        8000,
        1,
    )
    assert (settings.journal.url, settings.journal.tokens, settings.journal.on_full) == (
        "sqlite:.vertexkit/journal.db",
        "reused",
        "refuse",
    )
    assert (settings.server.body_limit, settings.server.ack_status) == (262_144, 200)
    assert settings.platform.url == ""
    assert settings.access.url_secrets == settings.platform.instances == ()
    assert not settings.access.allow_anonymous


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """`VERTEXKIT_` and a setting's name in capitals sets it; lists are separated by commas."""
    monkeypatch.setenv("VERTEXKIT_PLATFORM_URL", "https://{instance}.bot.one/api/")
    monkeypatch.setenv("VERTEXKIT_INSTANCES", "demo, perm ,,kazan")
    monkeypatch.setenv("VERTEXKIT_URL_SECRETS", "old,new")
    monkeypatch.setenv("VERTEXKIT_PORT", "9000")
    monkeypatch.setenv("VERTEXKIT_LOG_LEVEL", "DEBUG")
    settings = Settings.load()
    assert settings.platform.url == "https://{instance}.bot.one/api"
    assert settings.platform.instances == ("demo", "perm", "kazan")
    assert [secret.get_secret_value() for secret in settings.access.url_secrets] == ["old", "new"]
    assert settings.server.port == 9000
    assert settings.logging.level == "debug"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`VERTEXKIT_PORT=` in a compose file leaves the default."""
    monkeypatch.setenv("VERTEXKIT_PORT", "")
    monkeypatch.setenv("VERTEXKIT_URL_SECRETS", "")
    assert Settings.load().server.port == 8000
    assert Settings.load().access.url_secrets == ()


def test_the_env_file_of_the_working_folder_is_read(working_folder: Path) -> None:
    """`.env` sets what the environment does not; variables of other programs are ignored."""
    (working_folder / ".env").write_text(
        "VERTEXKIT_PORT=9001\nDATABASE_URL=postgres://x\n", encoding="utf-8"
    )
    assert Settings.load().server.port == 9001


def test_secrets_are_read_from_files(working_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file named like the variable in the folder of secrets sets it, without the last newline."""
    folder = working_folder / "secrets"
    folder.mkdir()
    (folder / "vertexkit_url_secrets").write_text(f"{SECRET}\n", encoding="utf-8")
    (folder / "VERTEXKIT_PORT").write_text("9002", encoding="utf-8")
    monkeypatch.setattr(module, "SECRETS_DIR", str(folder))
    settings = Settings.load()
    assert [secret.get_secret_value() for secret in settings.access.url_secrets] == [SECRET]
    assert settings.server.port == 9002


def test_the_order_of_the_sources(working_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value in the code overrides the environment, which overrides `.env` and a secret file."""
    folder = working_folder / "secrets"
    folder.mkdir()
    monkeypatch.setattr(module, "SECRETS_DIR", str(folder))
    (folder / "vertexkit_port").write_text("1001", encoding="utf-8")
    assert Settings.load().server.port == 1001
    (working_folder / ".env").write_text("VERTEXKIT_PORT=1002", encoding="utf-8")
    assert Settings.load().server.port == 1002
    monkeypatch.setenv("VERTEXKIT_PORT", "1003")
    assert Settings.load().server.port == 1003
    assert Settings.load(port=1004).server.port == 1004


@pytest.mark.parametrize("name, value, rule", BAD)
def test_the_error_of_a_value_that_is_not_valid(
    name: str, value: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the variable and says what is allowed, in one line."""
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    message = str(caught.value)
    assert message.startswith(f"{PREFIX}{name} must ")
    assert rule in message
    assert "\n" not in message
    assert "Value error" not in message
    assert value not in message.split() or value in rule


@pytest.mark.parametrize("name", NOT_FINITE)
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_seconds_are_finite(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A duration is a finite number."""
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError, match=PREFIX + name):
        Settings.load()


def test_one_error_names_every_setting_that_is_not_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two settings of different sections that are not valid are one error with two sentences."""
    monkeypatch.setenv("VERTEXKIT_PORT", "http")
    monkeypatch.setenv("VERTEXKIT_QUEUE", "0")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert str(caught.value) == (
        "VERTEXKIT_PORT must be a valid integer; VERTEXKIT_QUEUE must be greater than or equal to 1"
    )


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_around_a_value_are_named(quote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `docker run --env-file` hands them over."""
    monkeypatch.setenv("VERTEXKIT_PORT", f"{quote}8000{quote}")
    with pytest.raises(SettingsError, match="PORT must be a valid integer, without quotes"):
        Settings.load()


def test_a_wrong_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret pasted into the wrong variable is neither in the error nor in its context."""
    monkeypatch.setenv("VERTEXKIT_PORT", SECRET)
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert SECRET not in f"{caught.value!r} {caught.value}"
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_secrets_do_not_show() -> None:
    """The repr, the text and the JSON of the settings contain no URL secret."""
    settings = Settings.load(url_secrets=SECRET)
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()}"
    assert SECRET not in settings.model_dump_json()


def test_secrets_are_listed_for_redaction() -> None:
    """URL secrets, token keys and the password are all among the values to redact in logs."""
    settings = Settings.of(url_secrets="a,b", token_keys="c", password="d")
    assert list(settings.secrets()) == ["a", "b", "c", "d"]


def test_the_settings_are_frozen() -> None:
    """Neither a section nor a setting can be replaced."""
    settings = Settings.load()
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1  # pyrefly: ignore[read-only]
    with pytest.raises(ValueError, match="frozen"):
        settings.server = ServerSettings(port=1)  # pyrefly: ignore[read-only]


def test_settings_by_flat_names() -> None:
    """`of` knows each setting by the name of its variable; `flat` returns them in the same form."""
    settings = Settings.of(platform_url="https://demo.bot.one/api", lease=5, log_level="ERROR")
    assert settings.platform.url == "https://demo.bot.one/api"
    assert (settings.journal.lease, settings.logging.level) == (5.0, "error")
    assert settings.flat("lease", "log_level") == {"lease": 5.0, "log_level": "error"}
    assert list(settings.flat()) == list(FIELDS)
    assert Settings.of(**settings.flat()) == settings


def test_a_section_is_made_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A section takes its own fields and the defaults; the environment is not read."""
    monkeypatch.setenv("VERTEXKIT_PORT", "9000")
    assert ServerSettings(host="::1").port == 8000
    assert Settings(server=ServerSettings(port=9001)).server.port == 9001
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        ServerSettings(prot=1)  # pyrefly: ignore[unexpected-keyword]


@pytest.mark.parametrize("make", [Settings.of, Settings.load])
def test_an_unknown_name_is_an_error(make: Callable[..., Settings]) -> None:
    """A misspelt name in code is not ignored; the error suggests the closest one."""
    with pytest.raises(SettingsError, match=r"no setting 'tiemout'\. Did you mean 'timeout'\?"):
        make(tiemout=1)


def test_the_platform_must_be_set() -> None:
    """The error names the variable, an example, and the command that needs no platform."""
    with pytest.raises(SettingsError, match="VERTEXKIT_PLATFORM_URL is not set") as caught:
        Settings.load().check_platform()
    assert "https://demo.bot.one/api" in str(caught.value)
    assert "vertexkit trigger" in str(caught.value)


@pytest.mark.parametrize(
    "url, instances",
    [("https://{instance}.bot.one/api", ""), ("https://demo.bot.one/api", "demo,perm")],
)
def test_a_template_and_its_instances_belong_together(url: str, instances: str) -> None:
    """`{instance}` needs the list of instances, and the list needs `{instance}`."""
    with pytest.raises(SettingsError, match="VERTEXKIT_INSTANCES"):
        Settings.load(platform_url=url, instances=instances).check_platform()


@pytest.mark.parametrize(
    "url, instances",
    [
        ("https://demo.bot.one/api", ""),
        ("https://{instance}.bot.one/api", "demo"),
        ("http://127.0.0.1:9000/api", ""),
    ],
)
def test_a_complete_address_is_accepted(url: str, instances: str) -> None:
    """A URL, or a template with its instances, is complete."""
    Settings.load(platform_url=url, instances=instances).check_platform()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "block.example.org"])
def test_an_exposed_address_needs_a_secret(host: str) -> None:
    """An address that other machines can reach is rejected; the error names both settings."""
    with pytest.raises(SettingsError) as caught:
        Settings.load(host=host).check_exposure()
    assert host in str(caught.value)
    assert "VERTEXKIT_URL_SECRETS" in str(caught.value)
    assert "VERTEXKIT_ALLOW_ANONYMOUS=1" in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.53"])
def test_a_loopback_address_needs_no_secret(host: str) -> None:
    """A laptop needs no setting."""
    Settings.load(host=host).check_exposure()


@pytest.mark.parametrize("values", [{"url_secrets": SECRET}, {"allow_anonymous": True}])
def test_a_secret_or_permission_allows_an_exposed_address(values: dict[str, object]) -> None:
    """A secret, or `VERTEXKIT_ALLOW_ANONYMOUS`, allows it."""
    Settings.load(host="0.0.0.0", **values).check_exposure()


def test_the_kinds_of_endings_are_those_of_reports() -> None:
    """A kind that the settings accept is one that a report knows."""
    assert set(ENDING_KINDS) == set(get_args(StatusGroup))
