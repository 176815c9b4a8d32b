"""The settings: where they come from, and what a wrong one is told."""

from pathlib import Path

import pytest

from vertexkit import settings as module
from vertexkit.errors import SettingsError
from vertexkit.settings import PREFIX, Settings

SECRET = "correct-horse-battery-staple"
BAD = [
    ("PLATFORM_URL", "demo.bot.one/api", "begins with https://"),
    ("PLATFORM_URL", "https:///api", "begins with https://"),
    ("PLATFORM_URL", "https://me:pass@demo.bot.one/api", "it has no login"),
    ("PLATFORM_URL", "https://demo.bot.one/api?key=1", "no `?`"),
    ("CONNECTIONS", "0", "greater than or equal to 1"),
    ("CONNECTIONS", "10001", "less than or equal to 10000"),
    ("SEND_TIMEOUT", "0", "greater than 0"),
    ("SEND_TIMEOUT", "soon", "a valid number"),
    ("COMPLETE_PATIENCE", "-1", "greater than or equal to 0"),
    ("ALLOW_ANONYMOUS", "perhaps", "a valid boolean"),
    ("BODY_LIMIT", "256 KiB", "a valid integer"),
    ("ACK_STATUS", "302", "less than or equal to 299"),
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
def desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working folder with nothing in it, and an environment that says nothing."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_defaults_are_those_of_the_manual() -> None:
    """With nothing set, a service listens on this machine alone and keeps what the manual says."""
    settings = Settings.load()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert (settings.journal, settings.tokens, settings.on_full) == (
        "sqlite:.vertexkit/journal.db",
        "reused",
        "refuse",
    )
    assert (settings.body_limit, settings.ack_status) == (262_144, 200)
    assert settings.platform_url == ""
    assert settings.url_secrets == settings.instances == ()
    assert not settings.allow_anonymous


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """`VERTEXKIT_` and a setting's name in capitals sets it; lists are separated by commas."""
    monkeypatch.setenv("VERTEXKIT_PLATFORM_URL", "https://{instance}.bot.one/api/")
    monkeypatch.setenv("VERTEXKIT_INSTANCES", "demo, perm ,,kazan")
    monkeypatch.setenv("VERTEXKIT_URL_SECRETS", "old,new")
    monkeypatch.setenv("VERTEXKIT_PORT", "9000")
    monkeypatch.setenv("VERTEXKIT_LOG_LEVEL", "DEBUG")
    settings = Settings.load()
    assert settings.platform_url == "https://{instance}.bot.one/api"
    assert settings.instances == ("demo", "perm", "kazan")
    assert [secret.get_secret_value() for secret in settings.url_secrets] == ["old", "new"]
    assert settings.port == 9000
    assert settings.log_level == "debug"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`VERTEXKIT_PORT=` in a compose file is no error: the default holds."""
    monkeypatch.setenv("VERTEXKIT_PORT", "")
    monkeypatch.setenv("VERTEXKIT_URL_SECRETS", "")
    assert Settings.load().port == 8000
    assert Settings.load().url_secrets == ()


def test_the_env_file_of_the_working_folder_is_read(desk: Path) -> None:
    """`.env` sets what the environment does not, and may hold what belongs to others."""
    (desk / ".env").write_text("VERTEXKIT_PORT=9001\nDATABASE_URL=postgres://x\n", encoding="utf-8")
    assert Settings.load().port == 9001


def test_secrets_are_read_from_files(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file named like the variable in the secrets' folder sets it, its last line end aside."""
    folder = desk / "secrets"
    folder.mkdir()
    (folder / "vertexkit_url_secrets").write_text(f"{SECRET}\n", encoding="utf-8")
    (folder / "VERTEXKIT_PORT").write_text("9002", encoding="utf-8")
    monkeypatch.setattr(module, "SECRETS_DIR", str(folder))
    settings = Settings.load()
    assert [secret.get_secret_value() for secret in settings.url_secrets] == [SECRET]
    assert settings.port == 9002


def test_the_nearest_source_wins(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value in the code wins over the environment, that over `.env`, that over a secret file."""
    folder = desk / "secrets"
    folder.mkdir()
    monkeypatch.setattr(module, "SECRETS_DIR", str(folder))
    (folder / "vertexkit_port").write_text("1001", encoding="utf-8")
    assert Settings.load().port == 1001
    (desk / ".env").write_text("VERTEXKIT_PORT=1002", encoding="utf-8")
    assert Settings.load().port == 1002
    monkeypatch.setenv("VERTEXKIT_PORT", "1003")
    assert Settings.load().port == 1003
    assert Settings.load(port=1004).port == 1004


@pytest.mark.parametrize("name, value, mend", BAD)
def test_a_wrong_value_is_told_by_name_with_its_mend(
    name: str, value: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence begins with the variable and says what would fit, without the value."""
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    said = str(caught.value)
    assert said.startswith(f"{PREFIX}{name}: ")
    assert mend in said
    assert "\n" not in said
    assert "Value error" not in said
    assert value not in said.split() or value in mend


@pytest.mark.parametrize("name", NOT_FINITE)
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_seconds_are_finite(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No duration is endless or no number: each promise of an end needs one."""
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError, match=PREFIX + name):
        Settings.load()


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two wrong settings are one error that names both."""
    monkeypatch.setenv("VERTEXKIT_PORT", "http")
    monkeypatch.setenv("VERTEXKIT_QUEUE", "0")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert "VERTEXKIT_PORT" in str(caught.value)
    assert "VERTEXKIT_QUEUE" in str(caught.value)


def test_a_wrong_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret pasted into the wrong variable reaches neither the error nor what it came from."""
    monkeypatch.setenv("VERTEXKIT_PORT", SECRET)
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert SECRET not in f"{caught.value!r} {caught.value}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_secrets_do_not_show() -> None:
    """Neither repr, str nor JSON of the settings has a URL secret."""
    settings = Settings.load(url_secrets=SECRET)
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()}"
    assert SECRET not in settings.model_dump_json()


def test_settings_do_not_change() -> None:
    """What a process was started with stays so."""
    settings = Settings.load()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_a_missing_platform_is_told_with_the_mend() -> None:
    """Without the platform's address nothing starts; the error names the variable and a way on."""
    with pytest.raises(SettingsError, match="VERTEXKIT_PLATFORM_URL is not set") as caught:
        Settings.load().check_platform()
    assert "https://demo.bot.one/api" in str(caught.value)
    assert "vertexkit trigger" in str(caught.value)


@pytest.mark.parametrize(
    "url, instances",
    [("https://{instance}.bot.one/api", ""), ("https://demo.bot.one/api", "demo,perm")],
)
def test_a_template_and_its_instances_belong_together(url: str, instances: str) -> None:
    """`{instance}` without a list would let a token choose any host; a list alone does nothing."""
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
def test_a_whole_address_is_taken(url: str, instances: str) -> None:
    """One URL, or a template with its instances, is fine."""
    Settings.load(platform_url=url, instances=instances).check_platform()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "block.example.org"])
def test_others_are_not_served_without_a_secret(host: str) -> None:
    """Without a secret an address that others reach is refused, with both ways out."""
    with pytest.raises(SettingsError) as caught:
        Settings.load(host=host).check_exposure()
    assert host in str(caught.value)
    assert "VERTEXKIT_URL_SECRETS" in str(caught.value)
    assert "VERTEXKIT_ALLOW_ANONYMOUS=1" in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.53"])
def test_this_machine_is_served_without_a_secret(host: str) -> None:
    """On a laptop nothing needs to be set."""
    Settings.load(host=host).check_exposure()


@pytest.mark.parametrize("values", [{"url_secrets": SECRET}, {"allow_anonymous": True}])
def test_a_secret_or_a_decision_opens_the_door(values: dict[str, object]) -> None:
    """A secret protects; without one the operator may say that something else does."""
    Settings.load(host="0.0.0.0", **values).check_exposure()
