"""The URL of a database: what is wrong with it, and that its password is never shown."""

import traceback

import pytest

from vertexkit.errors import JournalUnusable, SettingsError
from vertexkit.journal import make_journal
from vertexkit.settings import JournalSettings, Settings
from vertexkit.testing import VirtualClock

psycopg = pytest.importorskip("psycopg", reason="the extra postgres is not installed")

SECRET = "a-long-p4ssword"
URLS = [
    f"postgresql://bots:{SECRET}@localhost:1/bots",
    f"postgres://bots:{SECRET}@first.invalid:5432,second.invalid/bots?connect_timeout=1",
    f"postgresql://localhost:1/bots?user=bots&password={SECRET}",
    f"postgresql://bots:{SECRET}@localhost:1/bots?no_such_option=1",
    f"postgresql://bots:{SECRET}@localhost:port/bots",
    f"postgresql:bots:{SECRET}@localhost/bots",
    f"postgresql://bots:{SECRET}@[::1/bots",
    f"postgresql://bots:p?{SECRET}@localhost:1/bots",
    f"postgresql://bots:p#{SECRET}@localhost:1/bots",
    f"postgresql://bots:p/{SECRET}@localhost:1/bots",
    f"postgresql://bots:p@{SECRET}@localhost:1/bots",
    f"postgresql://bots:p#s/w?{SECRET}@localhost:1/bots",
    f"postgresql://bots@localhost:1/bots?sslpassword={SECRET}",
    f"host=localhost password={SECRET}",
    f"host=localhost password=p:{SECRET}",
]


@pytest.mark.parametrize("url", URLS)
def test_a_password_is_not_shown(url: str) -> None:
    """No error, name or repr contains the password of the URL."""
    settings = Settings.of(journal=url)
    texts = [repr(settings), settings.journal.shown_url]
    try:
        journal = make_journal(settings.journal, VirtualClock())
        texts += [repr(journal), journal.durability]
        journal.check()
    except (SettingsError, JournalUnusable) as error:
        texts += [*traceback.format_exception(error), repr(error)]
    assert len(texts) > 2
    assert not [text for text in texts if SECRET in text]


def test_a_url_that_is_not_valid_is_explained() -> None:
    """The error names the setting and shows an example."""
    urls = ("postgresql:bots", "postgresql://h/d?no_such_option=1", "postgresql://u:a/b@h/d")
    for url in urls:
        with pytest.raises(
            SettingsError, match=r"VERTEXKIT_JOURNAL is not .*Example: postgresql://"
        ):
            make_journal(JournalSettings(url=url), VirtualClock())


def test_a_missing_driver_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error names the command that installs it."""

    def missing(_: str) -> None:
        raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")

    monkeypatch.setattr("vertexkit.journal.import_module", missing)
    with pytest.raises(SettingsError, match=r"pip install 'vertexkit\[postgres\]'"):
        make_journal(JournalSettings(url="postgresql://localhost/bots"), VirtualClock())
