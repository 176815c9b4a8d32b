"""Whatever a password contains and wherever it is in the URL, no part of it is shown."""

import io
import traceback

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.examples import MANY
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnusable, SettingsError
from vertexkit.journal import make_journal
from vertexkit.settings import Settings
from vertexkit.settings.database_url import parse_database_url
from vertexkit.telemetry import logs, redaction

conninfo = pytest.importorskip("psycopg.conninfo", reason="the extra postgres is not installed")

pytestmark = pytest.mark.unmeasured

PART_CHARACTERS = 4
"""Length of the shortest part that is looked for: shorter ones occur in every text."""
LETTERS = "QXZJ89éЖ"
"""They are in no text of vertexkit or libpq."""
PASSWORDS = st.text(LETTERS + "?#@/:&=%[],;+ '\"\\", min_size=PART_CHARACTERS, max_size=12)
POSITIONS = st.sampled_from(
    [
        "postgresql://bots:{}@127.0.0.1:1/bots",
        "postgres://bots:{}@127.0.0.1:1,127.0.0.1:2/bots?connect_timeout=2&sslmode=disable",
        "postgresql://:{}@127.0.0.1:1",
        "postgresql://bots:{}@[::ffff:127.0.0.1]:1/bots",
        "postgresql://bots:{}@[::1/bots",
        "postgresql://bots:{}@127.0.0.1:port/bots",
        "postgresql://bots:{}@127.0.0.1:1/bots?no_such_option=2",
        "postgresql://bots:{}@127.0.0.1:1/bots?sslmode",
        "postgresql:bots:{}@127.0.0.1/bots",
        "postgresql://127.0.0.1:1/bots?user=bots&password={}",
        "postgresql://127.0.0.1:1/bots?passwor%64={}&user=bots",
        "postgresql://127.0.0.1:1?password={}",
        "postgresql://bots@127.0.0.1:1/bots?sslpassword={}&connect_timeout=2",
        "postgresql://bots:{0}@127.0.0.1:1/bots?password={0}",
        "postgre://bots:{}@127.0.0.1/bots",
        "host=127.0.0.1 user=bots password={}",
        "'postgresql://bots:{}@127.0.0.1/bots'",
    ]
)


def logged(settings: Settings, url: str) -> str:
    """What the log contains if a library logs the whole URL."""
    stream = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_secrets", set())
        logs.configure("json", "info", stream)
        redaction.register_secrets(settings.secrets())
        structlog.get_logger("vertexkit").info("connected", url=url, nested=[url])
    return stream.getvalue().decode()


@MANY
@given(PASSWORDS, POSITIONS)
def test_no_part_of_a_password_is_shown(password: str, position: str) -> None:
    """It is not in the log, also if a library logs the whole URL, in no error and in no name or repr."""
    url = position.format(password)
    settings = Settings.of(journal=url)
    texts = [repr(settings), settings.journal.shown_url]
    try:
        journal = make_journal(settings.journal, Clock())
        texts += [repr(journal), journal.durability, logged(settings, url)]
        journal.check()
    except (SettingsError, JournalUnusable) as error:
        texts += traceback.format_exception(error)
    parts = {password[at:][:PART_CHARACTERS] for at in range(len(password) - PART_CHARACTERS + 1)}
    parts = {part for part in parts if set(part).intersection(LETTERS)}
    assert [(part, text) for part in parts for text in texts if part in text] == []


@MANY
@given(PASSWORDS, POSITIONS)
def test_a_url_is_split_as_libpq_splits_it(password: str, position: str) -> None:
    """What libpq takes for a password is a secret, if the URL is not refused."""
    url = position.format(password)
    try:
        parsed = parse_database_url(url)
        given = conninfo.conninfo_to_dict(url)
    except (ValueError, conninfo.e.Error):
        return
    secrets = {value for name, value in given.items() if name in {"password", "sslpassword"}}
    assert secrets - {""} <= set(parsed.secrets)
    for part in secrets:
        assert part not in (given.get("host"), given.get("dbname"), given.get("port"))
