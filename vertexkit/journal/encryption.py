"""Encryption of what a journal and its recordings keep: the seam, and what is kept without keys.

A stored value is plain, or sealed: encrypted, and bound to its place (its table, column and row), so
that it cannot be moved to another one. Both can be told apart: a sealed value starts with `SEALED`.
"""

import base64
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from vertexkit.errors import JournalUnusable, OperationNotAllowed, SettingsError
from vertexkit.execution import Effect
from vertexkit.journal.dialog_memory import DialogKey
from vertexkit.settings import JournalSettings

MARK = b"\x00vk"
"""Start of a value that is not stored as it is."""
ESCAPED, SEALED = MARK + b"0", MARK + b"1"
"""Starts of a plain value that starts with `MARK`, and of a sealed one."""
TEXT_MARK = "vk:"
"""Start of a text that is not stored as it is: what follows is such a value in base64."""


class Cipher(Protocol):
    """Seals and opens the values of a journal."""

    encrypts: bool
    """False: values are stored as they are."""

    def seal(self, place: str, value: bytes) -> bytes:
        """Return a value as it is stored.

        Args:
            place: table, column and row; only the value of this place can be opened there.
            value: an empty one stays empty.
        """

    def open(self, place: str, stored: bytes) -> bytes:
        """Return the value that is stored at a place.

        Raises:
            JournalUnusable: it was changed, belongs to another place, or its key is missing.
        """

    def fingerprint(self, key: bytes) -> bytes:
        """Return what is stored instead of `Execution.key`; equal for equal keys."""


class PlainCipher:
    """Stores values as they are."""

    encrypts: bool = False

    def seal(self, place: str, value: bytes) -> bytes:  # noqa: ARG002 - see Cipher
        """Return the value; see `Cipher.seal`."""
        return ESCAPED + value if value.startswith(MARK) else value

    def open(self, place: str, stored: bytes) -> bytes:
        """Return the value; see `Cipher.open`."""
        if not stored.startswith(MARK):
            return stored
        if stored.startswith(ESCAPED):
            return stored.removeprefix(ESCAPED)
        raise JournalUnusable(f"{place} is encrypted, and {KEYS_MISSING}")

    def fingerprint(self, key: bytes) -> bytes:
        """Return the key itself."""
        return key


KEYS_MISSING = (
    "VERTEXKIT_JOURNAL_KEYS is not set. Set it to the keys with which the journal was written"
)
PLAIN: Cipher = PlainCipher()


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What a part of `rekey` has done."""

    rows: int
    """Number of rows whose values were sealed again."""
    after: str
    """Where the next part starts; empty: all values are sealed with the newest key."""


class JournalKeys(Protocol):
    """The keys of the settings; see `aes_gcm.AesGcmKeys`."""

    @property
    def newest(self) -> str:
        """Id of the key that seals."""

    def new_header(self, *, is_empty: bool) -> bytes:
        """Return the header of a journal that is encrypted from now on.

        Args:
            is_empty: it has no value yet, so that none of its values is plain.
        """

    def used_header(self, header: bytes) -> bytes:
        """Return the header with the key that seals from now on; the same if it is there."""

    def rekeyed_header(self, header: bytes) -> bytes:
        """Return the header of a journal whose values are all sealed with the newest key."""

    def cipher(self, header: bytes, where: str) -> Cipher:
        """Return what seals and opens the values of the journal with this header.

        Args:
            header: as it is stored.
            where: name of the journal, for errors.

        Raises:
            JournalUnusable: a key is missing that values may be sealed with.
        """

    def recordings(self) -> Cipher:
        """Return what seals and opens recordings, which have no header."""


def journal_keys(settings: JournalSettings) -> JournalKeys | None:
    """Return the keys of the settings; None if there are none.

    Raises:
        SettingsError: the extra `encryption` is not installed.
    """
    if not settings.keys:
        return None
    try:
        module = import_module("vertexkit.journal.aes_gcm")
    except ImportError as error:
        if (error.name or "").startswith("vertexkit"):
            raise
        raise SettingsError(
            f"VERTEXKIT_JOURNAL_KEYS needs a library that cannot be imported ({error}). Run: "
            "pip install 'vertexkit[encryption]'"
        ) from error
    return cast(JournalKeys, module.AesGcmKeys(settings.decoded_keys))


def require_newest(keys: JournalKeys | None, key: str) -> JournalKeys:
    """Return the keys of the process that has the journal open.

    Args:
        keys: of that process.
        key: id of the key that the caller takes for the newest one.

    Raises:
        OperationNotAllowed: that process has no keys, or its newest key is a different one.
    """
    if keys is None:
        raise OperationNotAllowed(
            "the journal is not encrypted: set VERTEXKIT_JOURNAL_KEYS and restart the service"
        )
    if keys.newest != key:
        raise OperationNotAllowed(
            f"the service that has the journal open encrypts with the key {keys.newest}, and the "
            f"first one of VERTEXKIT_JOURNAL_KEYS here is {key}: restart the service with the same keys"
        )
    return keys


def reseal(cipher: Cipher, place: str, stored: bytes | None) -> bytes | None:
    """Return a stored value, sealed with the newest key."""
    return None if stored is None else cipher.seal(place, cipher.open(place, stored))


def reseal_text(cipher: Cipher, place: str, stored: str | None) -> str | None:
    """Return a stored text, sealed with the newest key."""
    return None if stored is None else seal_text(cipher, place, open_text(cipher, place, stored))


def reseal_effect(
    cipher: Cipher, execution: str, effect: tuple[int, str], digest: str, stored: bytes | None
) -> tuple[str, bytes | None]:
    """Return digest and value of a stored effect, sealed with the newest key.

    Args:
        cipher: of the journal.
        execution: id of the execution.
        effect: position and kind.
        digest: as it is stored.
        stored: the value, as it is stored; None: it was erased.
    """
    position, kind = effect
    place = effect_place(execution, position, kind)
    opened, value = open_effect(cipher, place, digest, stored or b"")
    if stored is None:
        return "", None
    return seal_effect(cipher, execution, Effect(position, kind, opened, value=value))


def recordings_cipher(settings: JournalSettings) -> Cipher:
    """Return what seals and opens recordings.

    Raises:
        SettingsError: as `journal_keys`.
    """
    keys = journal_keys(settings)
    return PLAIN if keys is None else keys.recordings()


def check_unencrypted(header: bytes | None, where: str) -> None:
    """Check that a journal can be used without keys.

    Raises:
        JournalUnusable: it is encrypted.
    """
    if header is not None:
        raise JournalUnusable(f"the journal {where} is encrypted, and {KEYS_MISSING}")


def seal_text(cipher: Cipher, place: str, text: str) -> str:
    """Return a text as it is stored; see `Cipher.seal`."""
    value = text.encode()
    stored = cipher.seal(place, value)
    if stored is value and not text.startswith(TEXT_MARK):
        return text
    return TEXT_MARK + base64.b64encode(stored).decode()


def open_marked_text(cipher: Cipher, place: str, stored: str) -> str:
    """Return a text that is stored at a place where texts of vertexkit's own are never sealed."""
    return open_text(cipher, place, stored) if stored.startswith(TEXT_MARK) else stored


def open_text(cipher: Cipher, place: str, stored: str) -> str:
    """Return the text that is stored at a place; see `Cipher.open`."""
    if not stored.startswith(TEXT_MARK):
        return cipher.open(place, stored.encode()).decode()
    return cipher.open(place, base64.b64decode(stored.removeprefix(TEXT_MARK))).decode()


def seal_effect(cipher: Cipher, execution: str, effect: Effect) -> tuple[str, bytes]:
    """Return digest and value of an effect as they are stored.

    A digest of a short text could be guessed, so it is sealed with the value.

    Args:
        cipher: of the journal.
        execution: id of the execution.
        effect: with any digest and value.
    """
    if not cipher.encrypts or not (effect.digest or effect.value):
        return effect.digest, cipher.seal("", effect.value)
    place = effect_place(execution, effect.position, effect.kind)
    return "", cipher.seal(place, effect.digest.encode() + b"\0" + effect.value)


def open_effect(cipher: Cipher, place: str, digest: str, stored: bytes) -> tuple[str, bytes]:
    """Return digest and value of an effect that is stored.

    Args:
        cipher: of the journal.
        place: from `effect_place`.
        digest: as it is stored.
        stored: the value, as it is stored.
    """
    value = cipher.open(place, stored)
    if not stored.startswith(SEALED):
        return digest, value
    sealed_digest, _, value = value.partition(b"\0")
    return sealed_digest.decode(), value


def memory_place(key: DialogKey) -> str:
    """Return the place of a dialog's memory."""
    return f"memory {key}"


def effect_place(execution: str, position: int, kind: str) -> str:
    """Return the place of an effect's value."""
    return f"effects {execution} {position} {kind}"
