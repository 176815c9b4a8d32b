"""The environment that settings are read from: its files, foreign variables and misspelt names."""

from pathlib import Path

import pytest

from vertexkit.errors import SettingsError
from vertexkit.settings import FIELDS, PREFIX, Settings, environment_warnings, new_warnings
from vertexkit.settings import settings as module

CONTENT = "# платформа\nVERTEXKIT_PORT=9001\n"
LINKS = {
    "VERTEXKIT_SERVICE_HOST": "10.43.0.1",
    "VERTEXKIT_SERVICE_PORT": "8000",
    "VERTEXKIT_SERVICE_PORT_HTTP": "8000",
    "VERTEXKIT_PORT": "tcp://10.43.0.1:8000",
    "VERTEXKIT_PORT_8000_TCP": "tcp://10.43.0.1:8000",
    "VERTEXKIT_PORT_8000_TCP_PROTO": "tcp",
    "VERTEXKIT_PORT_8000_TCP_PORT": "8000",
    "VERTEXKIT_PORT_8000_TCP_ADDR": "10.43.0.1",
}
"""What Kubernetes sets in each pod for a Service named `vertexkit`."""


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working folder, and an environment without settings."""
    for name in FIELDS:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "SECRETS_DIR", str(tmp_path / "secrets"))
    return tmp_path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_that_names_its_encoding_is_read(folder: Path, encoding: str, newline: str) -> None:
    """Editors and shells on Windows write a byte order mark, PowerShell even UTF-16."""
    (folder / ".env").write_bytes(CONTENT.replace("\n", newline).encode(encoding))
    assert Settings.load().server.port == 9001


def test_big_endian_utf16_is_read(folder: Path) -> None:
    """`Out-File -Encoding bigendianunicode`."""
    (folder / ".env").write_bytes(b"\xfe\xff" + CONTENT.encode("utf-16-be"))
    assert Settings.load().server.port == 9001


@pytest.mark.parametrize(
    "data",
    [
        CONTENT.encode("cp1251"),
        CONTENT.encode("cp866"),
        CONTENT.encode("koi8-r"),
        CONTENT.encode("utf-16-le"),
        CONTENT.encode("utf-16-be"),
        CONTENT.encode("utf-16")[:-1],
        CONTENT.encode() + b"VERTEXKIT_PASSWORD=\xff\n",
    ],
)
@pytest.mark.parametrize("name", [".env", "secrets/vertexkit_password"])
def test_a_file_in_another_encoding_is_an_error(folder: Path, data: bytes, name: str) -> None:
    """It names the file, the line and the fix, and does not show the content."""
    (folder / "secrets").mkdir()
    (folder / name).write_bytes(data)
    with pytest.raises(SettingsError, match=r"is not UTF-8: line \d+ .* encoding UTF-8") as caught:
        Settings.load()
    assert name in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_error_names_the_line(folder: Path) -> None:
    """The line is counted from 1."""
    (folder / ".env").write_bytes("A=1\nB=2\nC=ж\n".encode("cp1251"))
    with pytest.raises(SettingsError, match="line 3 "):
        Settings.load()


def test_a_folder_instead_of_a_file_counts_as_missing(folder: Path) -> None:
    """Docker makes a folder of a file that is mounted and missing."""
    (folder / ".env").mkdir()
    (folder / "secrets" / "vertexkit_port").mkdir(parents=True)
    assert Settings.load().server.port == 8000


def test_links_of_kubernetes_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Service named `vertexkit` sets VERTEXKIT_PORT in every pod: it is ignored and named."""
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)
    assert Settings.load().server.port == 8000
    [warning] = environment_warnings()
    assert "VERTEXKIT_PORT " in warning
    assert "Service named 'vertexkit'" in warning
    assert "enableServiceLinks: false" in warning


@pytest.mark.parametrize("field", [name for name in FIELDS if name.endswith("port")])
@pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp"])
def test_each_setting_that_a_link_can_hide(
    monkeypatch: pytest.MonkeyPatch, folder: Path, field: str, protocol: str
) -> None:
    """Kubernetes sets names that end with PORT; what `.env` says then applies."""
    monkeypatch.setenv(f"{PREFIX}{field.upper()}", f"{protocol}://10.43.0.2:9100")
    (folder / ".env").write_text(f"{PREFIX}{field.upper()}=4001\n")
    assert Settings.load().flat(field) == {field: 4001}
    assert f"{PREFIX}{field.upper()} " in environment_warnings()[0]


def test_links_of_other_services_are_not_worth_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Service `vertexkit-redis` hides no setting."""
    for name, value in LINKS.items():
        monkeypatch.setenv(name.replace("VERTEXKIT_", "VERTEXKIT_REDIS_"), value)
    assert environment_warnings() == ()


def test_a_link_in_a_file_is_an_error(folder: Path) -> None:
    """Only the environment has links: a person has written what is in `.env`."""
    (folder / ".env").write_text("VERTEXKIT_PORT=tcp://10.43.0.1:8000\n")
    with pytest.raises(SettingsError, match="VERTEXKIT_PORT must be a valid integer"):
        Settings.load()


@pytest.mark.parametrize(
    "name, suggestion",
    [
        ("VERTEXKIT_PLATFROM_URL", "VERTEXKIT_PLATFORM_URL"),
        ("VERTEXKIT_PLATFORMURL", "VERTEXKIT_PLATFORM_URL"),
        ("VERTEXKIT_URL_SECRET", "VERTEXKIT_URL_SECRETS"),
        ("vertexkit_prot", "VERTEXKIT_PORT"),
        ("VERTEXKIT_LOGLEVEL", "VERTEXKIT_LOG_LEVEL"),
    ],
)
@pytest.mark.parametrize("source", ["the environment", ".env", "secrets"])
def test_a_misspelt_name_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, suggestion: str, source: str
) -> None:
    """The warning names the source and the setting that was meant, and not the value."""
    if source == "the environment":
        monkeypatch.setenv(name, "hush")
    elif source == ".env":
        (folder / ".env").write_text(f"{name}=hush\nOTHER=1\n")
    else:
        (folder / "secrets").mkdir()
        (folder / "secrets" / name).write_text("hush")
        (folder / "secrets" / "other").write_text("x")
    Settings.load()
    [warning] = environment_warnings()
    assert warning.startswith(f"{name.upper()} in ")
    assert source in warning
    assert warning.endswith(f"Did you mean {suggestion}?")
    assert "hush" not in warning


def test_a_strange_name_gets_no_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is warned of all the same; variables that vertexkit itself sets are not."""
    monkeypatch.setenv("VERTEXKIT_XYZZY_QWERTY", "1")
    monkeypatch.setenv("VERTEXKIT_DEBUG", "1")
    [warning] = environment_warnings()
    assert warning.endswith("is not a setting and has no effect")
    monkeypatch.setattr(module, "_given_warnings", set())
    assert new_warnings() == [warning]
    assert new_warnings() == []


@pytest.mark.parametrize("length, found", [(1, True), (3, True), (4, False)])
def test_short_secrets_are_named(length: int, found: bool) -> None:
    """The variables, not the values."""
    settings = Settings.of(password="x" * length, url_secrets=["a-long-secret", "y" * length])
    names = ["VERTEXKIT_URL_SECRETS", "VERTEXKIT_PASSWORD"]
    assert settings.short_secrets(4) == (names if found else [])
