"""Encryption at rest: what is on the disk, keys that are missing, and keys that are replaced."""

import base64
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.journal.driver import JOURNAL_KEY, OTHER_KEY, JournalDriver
from tests.journal.memory_values import KEY, remember
from tests.journal.reopened import Journals, key_id, rekey
from tests.postgres_server import PostgresServer
from vertexkit import App, Context
from vertexkit.blocks.limits import hash_key
from vertexkit.errors import JournalUnusable, OperationNotAllowed, SettingsError
from vertexkit.execution import Effect, EffectState, Execution, Outcome, OutcomeStatus, Result
from vertexkit.journal import make_journal
from vertexkit.journal.encryption import PLAIN, journal_keys, open_text, seal_text
from vertexkit.journal.limits import BlockLimits, FleetLimits, Rate
from vertexkit.journal.protocol import Query, Record
from vertexkit.journal.sqlite.schema import SAVE_LAST_NUMBER
from vertexkit.settings import JournalSettings, Settings
from vertexkit.testing import FakeDialog
from vertexkit.token import Token

pytest.importorskip("cryptography", reason="the extra encryption is not installed")

TOKEN = "the-token-of-a-call"
PHONE = "+7 900 222"
"""The key of a limit."""
SECRETS = (
    *("token-of-a-call", "+7 900 111", "raw body", "stepped", "digest-of-a-text", "the result"),
    *("a private reason", "the event", "remembered", "why it was parked"),
)
PARKED = Outcome(OutcomeStatus.PARKED, "unknown", reason="why it was parked")
Open = Callable[..., Any]


@pytest.fixture
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], bytes]:
    """Returns all bytes that a journal keeps: of its files, or of its rows."""

    def read_files() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())

    def read_rows() -> bytes:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        rows = [
            server.sql(f"SELECT * FROM vertexkit.{table}", database="contract")
            for table in ("executions", "effects", "memories", "tokens", "encryption")
        ]
        decoded = [bytes.fromhex(part) for row in rows for part in _hex(row)]
        return "\n".join(rows).encode() + b"\n".join(decoded)

    return read_rows if _uses_postgres(request) else read_files


def _uses_postgres(request: pytest.FixtureRequest) -> bool:
    return "postgres" in request.node.callspec.params.get("journals", "")


def _hex(row: str) -> list[str]:
    parts = row.replace("\n", "|").split("|")
    return [part.removeprefix("\\x") for part in parts if part.startswith("\\x")]


async def filled(driver: JournalDriver) -> str:
    """An execution that is parked, with a secret in each of its values; another one waits."""
    execution = Execution("0" * 22, "loan", Token(TOKEN), {"phone": "+7 900 111"}, b"raw body")
    await driver.journal.accept(execution, 10)
    lease = await driver.claim_one()
    step = Effect(0, "step:a", "digest-of-a-text", EffectState.CONFIRMED, b'"stepped"')
    await driver.journal.record_intent(lease, Effect(0, "step:a", "digest-of-a-text"))
    await driver.journal.record_effect(lease, step)
    await remember(driver, lease, "name", b'"remembered"')
    await driver.journal.deliver_event(execution.id, "payment", b'"the event"')
    await driver.journal.release(lease, 0, "a private reason")
    lease = await driver.claim_one()
    await driver.journal.record_result(lease, Result(b'"the result"'))
    await driver.journal.settle(lease, PARKED)
    await driver.accept("another-token-of-a-call")
    return execution.id


async def kept(driver: JournalDriver, name: str) -> dict[str, Any]:
    """What the journal returns of the execution of `filled`."""
    record: Record | None = await driver.journal.find(name)
    assert record is not None
    assert record.outcome is not None
    step, event = (e for e in record.effects if not e.kind.startswith("memory"))
    return {
        "step": (step.digest, step.value),
        "event": event.value,
        "result": record.result and record.result.data,
        "reason": record.outcome.reason,
        "retried": [e.detail for e in record.history if e.name == "retried"],
        "memory": (await driver.journal.read_memory(KEY)).values,
    }


KEPT = {
    "step": ("digest-of-a-text", b'"stepped"'),
    "event": b'"the event"',
    "result": b'"the result"',
    "reason": "why it was parked",
    "retried": ["a private reason"],
    "memory": b'{"name":"remembered"}',
}


async def test_nothing_is_readable_on_the_disk(
    journals: Journals, stored: Callable[[], bytes]
) -> None:
    """With keys, no secret is in any byte that is kept, and the journal returns all of them."""
    driver = await journals.open(JOURNAL_KEY)
    name = await filled(driver)
    assert await kept(driver, name) == KEPT
    content = stored()
    assert name.encode() in content
    assert not [secret for secret in SECRETS if secret.encode() in content]
    call_key = Execution(name, "loan", Token(TOKEN), {}).key
    assert call_key not in content
    assert JOURNAL_KEY.encode() not in content
    assert base64.b64decode(JOURNAL_KEY) not in content
    driver = await journals.open(JOURNAL_KEY)
    assert await kept(driver, name) == KEPT
    [waiting] = await driver.claim()
    assert waiting.execution.token.reveal() == "another-token-of-a-call"
    assert waiting.execution.raw == b"raw another-token-of-a-call"


async def test_without_keys_everything_is_readable(
    journals: Journals, stored: Callable[[], bytes]
) -> None:
    """The test above finds what it looks for: without keys, each secret is in the bytes."""
    await filled(await journals.open())
    content = stored()
    assert [secret for secret in SECRETS if secret.encode() not in content] == []


async def test_a_missing_or_wrong_key_is_refused(journals: Journals) -> None:
    """Neither the service, nor `check`, nor a command opens an encrypted journal without its key."""
    name = await filled(await journals.open(JOURNAL_KEY))
    await journals.close()
    for keys, reason in (
        ((), "is encrypted, and VERTEXKIT_JOURNAL_KEYS is not set"),
        ((OTHER_KEY,), "does not contain"),
    ):
        with pytest.raises(JournalUnusable, match=reason):
            make_journal(journals.settings(*keys), journals.clock).check()
        with pytest.raises(JournalUnusable, match=reason) as refused:
            await journals.open(*keys)
        assert not [key for key in (JOURNAL_KEY, OTHER_KEY) if key in str(refused.value)]
    assert await kept(await journals.open(JOURNAL_KEY), name) == KEPT


async def test_encryption_is_turned_on_later(journals: Journals) -> None:
    """Old rows are read, new ones are encrypted, and a repetition of an old call is noticed."""
    driver = await journals.open()
    name = await filled(driver)
    assert (await driver.accept("waits")).new
    driver = await journals.open(JOURNAL_KEY)
    assert await kept(driver, name) == KEPT
    assert not (await driver.accept("waits")).new
    assert (await driver.accept("new-token")).new
    tokens = {lease.execution.token.reveal() for lease in await driver.claim()}
    assert tokens == {"another-token-of-a-call", "waits", "new-token"}
    with pytest.raises(JournalUnusable, match="is not set"):
        await journals.open()


@pytest.fixture
def delete_executions(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], object]:
    """Deletes all executions of a journal that is closed, as its retention does later."""

    def delete_lines() -> None:
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as file:
            file.execute(SAVE_LAST_NUMBER)
            file.execute("DELETE FROM executions")

    def delete_rows() -> None:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        server.sql("DELETE FROM vertexkit.executions", database="contract")

    return delete_rows if _uses_postgres(request) else delete_lines


@pytest.mark.parametrize("deleted", [False, True], ids=["kept", "deleted"])
async def test_an_ended_call_is_recognised_after_encryption(
    journals: Journals, delete_executions: Callable[[], object], deleted: bool
) -> None:
    """A unique token whose execution has ended is remembered, also when the execution is deleted."""
    driver = await journals.open(tokens="unique")
    lease = await driver.held("once")
    await driver.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED, "ok", "204"))
    await journals.close()
    if deleted:
        delete_executions()
    for _ in range(2):
        driver = await journals.open(JOURNAL_KEY, tokens="unique")
        assert (await driver.accept("once")).execution == lease.execution.id


async def test_a_key_is_replaced(journals: Journals, stored: Callable[[], bytes]) -> None:
    """Values of an older key are read; after `rekey` it is not needed, before it is."""
    name = await filled(await journals.open())
    await journals.open(JOURNAL_KEY)
    driver = await journals.open(OTHER_KEY, JOURNAL_KEY)
    assert await kept(driver, name) == KEPT
    with pytest.raises(JournalUnusable, match="run `vertexkit journal rekey` before"):
        await journals.open(OTHER_KEY)
    driver = await journals.open(OTHER_KEY, JOURNAL_KEY)
    with pytest.raises(OperationNotAllowed, match="restart the service with the same keys"):
        await driver.journal.rekey(key_id(JOURNAL_KEY), "")
    assert await rekey(driver, key_id(OTHER_KEY)) == 3  # two executions, one memory
    driver = await journals.open(OTHER_KEY)
    assert await kept(driver, name) == KEPT
    assert not [secret for secret in SECRETS if secret.encode() in stored()]
    assert not (await driver.accept("another-token-of-a-call")).new
    [lease] = await driver.claim()
    assert lease.execution.raw == b"raw another-token-of-a-call"


async def test_limits_outlive_changes_of_the_keys(journals: Journals) -> None:
    """Starts and executions that wait are still counted when the journal is encrypted, and rekeyed."""
    limits = FleetLimits({"loan": BlockLimits(Rate(1, 60.0), running=1)})
    journals.clock.hold_durable_waits()

    async def claimed(driver: JournalDriver) -> list[str]:
        leases = await driver.journal.claim("first", {"loan": 9}, 9, limits=limits)
        for lease in leases:
            await driver.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED, "ok", "204"))
        return [lease.execution.id for lease in leases]

    driver = await journals.open()
    calls = [driver.execution(key=hash_key(PHONE)) for _ in range(4)]
    for number, keys in enumerate([(), (JOURNAL_KEY,), (OTHER_KEY, JOURNAL_KEY), (OTHER_KEY,)]):
        driver = await journals.open(*keys)
        if len(keys) > 1:
            await rekey(driver, key_id(OTHER_KEY))
        await driver.journal.accept(calls[number], 9)
        assert await claimed(driver) == ([calls[0].id] if number == 0 else [])
    found = await driver.journal.search(Query(waiting_for="limit"))
    assert {record.execution for record in found} == {call.id for call in calls[1:]}
    for call in calls[1:]:
        journals.clock.skip_to(journals.clock.now() + 61)
        assert await claimed(driver) == [call.id]


async def test_the_key_of_a_limit_is_not_on_the_disk(
    journals: Journals, stored: Callable[[], bytes]
) -> None:
    """An encrypted journal has a hash of it."""
    app = App()

    @app.block("call", rate="1/hour", key=lambda _, request: request.phone)
    async def call(ctx: Context, phone: str) -> None: ...

    async with FakeDialog(app, journal=journals.url, journal_keys=JOURNAL_KEY) as dialog:
        await dialog.run("call", phone=PHONE)
        found = stored()
        assert PHONE.encode() not in found
        assert hash_key(PHONE).encode() in found


def remove_files(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


async def test_values_cannot_be_swapped_or_replaced(tmp_path: Path) -> None:
    """A value that was moved to another row, changed, or replaced by a plain one is refused."""
    path = tmp_path / "journal.db"
    changes = {
        "reason = (SELECT reason FROM executions WHERE number = 2)": "belongs to another row",
        "history = reason": "belongs to another row",
        "reason = 'vk:AHZrMQ=='": "which VERTEXKIT_JOURNAL_KEYS does not contain",
        "reason = 'a lie'": "is not encrypted",
        "result = X'227822'": "is not encrypted",
    }
    journals = Journals(f"sqlite:{path}")
    for change, refusal in changes.items():
        driver = await journals.open(JOURNAL_KEY)
        leases = [await driver.held() for _ in range(2)]
        for lease in leases:
            await driver.journal.record_result(lease, Result(b'"x"'))
            await driver.journal.settle(lease, PARKED)
        await journals.close()
        with sqlite3.connect(path) as connection:
            connection.execute(f"UPDATE executions SET {change} WHERE number = 1")
        connection.close()
        driver = await journals.open(JOURNAL_KEY)
        with pytest.raises(JournalUnusable, match=refusal):
            await driver.journal.search(Query())
        await journals.close()
        remove_files(tmp_path)


async def test_a_call_that_was_changed_ends_the_service(tmp_path: Path) -> None:
    """A body that cannot be decrypted is reported as a lost journal: nothing is run with it."""
    path = tmp_path / "journal.db"
    journals = Journals(f"sqlite:{path}")
    await (await journals.open(JOURNAL_KEY)).accept()
    await journals.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE executions SET raw = inputs")
    connection.close()
    driver = await journals.open(JOURNAL_KEY)
    with pytest.raises(JournalUnusable, match="belongs to another row"):
        await driver.claim()
    assert len(driver.lost_reasons) == 1
    await journals.close()


@pytest.mark.parametrize("text", ["", "plain", "vk:", "vk:AAAA", "\0vk1", "\0vk0x", "Анна"])
def test_any_text_can_be_stored(text: str) -> None:
    """A text that looks like a sealed one is stored so that it is read back, with and without keys."""
    keys = journal_keys(JournalSettings(keys=JOURNAL_KEY))
    assert keys is not None
    for cipher in (PLAIN, keys.recordings()):
        assert open_text(cipher, "here", seal_text(cipher, "here", text)) == text
        value = text.encode()
        assert cipher.open("here", cipher.seal("here", value)) == value
        assert keys.recordings().open("here", PLAIN.seal("here", value)) == value


@pytest.mark.parametrize("keys", ["short", "=" * 44, f"{JOURNAL_KEY},AAAA", "ключ" * 11])
def test_an_invalid_key_is_refused(keys: str) -> None:
    """A key that is not 32 bytes in base64 is refused, without its value, with how to make one."""
    with pytest.raises(SettingsError, match="32 bytes in base64") as refused:
        Settings.of(journal_keys=keys)
    assert "python3 -c" in str(refused.value)
    assert keys[:12] not in str(refused.value)


def test_the_keys_are_masked() -> None:
    """No representation of the settings has a key, and the log masks it."""
    settings = Settings.of(journal_keys=JOURNAL_KEY)
    shown = f"{settings!r} {settings.journal} {settings.model_dump_json()}"
    shown += repr(journal_keys(settings.journal)) + json.dumps(settings.flat(), default=str)
    assert JOURNAL_KEY not in shown
    assert JOURNAL_KEY in set(settings.secrets())


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error has the command that installs it."""

    def fail(name: str) -> Any:
        raise ImportError("No module named 'cryptography'", name="cryptography")

    monkeypatch.setattr("vertexkit.journal.encryption.import_module", fail)
    with pytest.raises(SettingsError, match=r"vertexkit\[encryption\]"):
        journal_keys(JournalSettings(keys=JOURNAL_KEY))


def test_a_sealed_value_is_not_taken_for_a_plain_one() -> None:
    """Without keys it is an error that names the setting, whatever the value is of."""
    keys = journal_keys(JournalSettings(keys=JOURNAL_KEY))
    assert keys is not None
    sealed = keys.recordings().seal("here", b"Anna")
    with pytest.raises(JournalUnusable, match="here is encrypted, and VERTEXKIT_JOURNAL_KEYS"):
        PLAIN.open("here", sealed)


def test_the_keys_of_the_latest_processes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deriving a key takes time: with very many of them, those that were derived first are forgotten."""
    monkeypatch.setattr("vertexkit.journal.aes_gcm.MAX_DERIVED_KEYS", 2)
    keys: Any = journal_keys(JournalSettings(keys=JOURNAL_KEY))
    [key] = keys._keys
    first, second, third = (key.derive(salt) for salt in (b"1", b"2", b"3"))
    assert key.derive(b"3") is third
    assert key.derive(b"2") is second
    assert key.derive(b"1") is not first
