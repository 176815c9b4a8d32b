"""AES-256-GCM for journals and recordings; needs the extra `encryption`.

A sealed value is `SEALED`, the id of its key (4 bytes), a salt (16), a nonce (12), the ciphertext and
its tag (16). The salt is random for each process: the key that encrypts is derived from it and from
the key of the settings (HKDF-SHA256), so that the number of values under one key, and with it the
chance that a random nonce repeats, stays far below the limit of AES-GCM (NIST SP 800-38D, 8.3).
"""

import base64
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic_core import from_json, to_json

from vertexkit.errors import JournalUnusable
from vertexkit.journal.encryption import PLAIN, SEALED, Cipher

KEY_BYTES, ID_BYTES, SALT_BYTES, NONCE_BYTES = 32, 4, 16, 12
SALT_START = len(SEALED) + ID_BYTES
NONCE_START = SALT_START + SALT_BYTES
TEXT_START = NONCE_START + NONCE_BYTES
VALUES_PER_SALT = 1 << 30
"""Values that are sealed before the process takes another salt."""
MAX_DERIVED_KEYS = 1000
"""Keys of earlier processes that are kept."""
FINGERPRINT_PLACE = "fingerprint key"


class _MasterKey:
    """One key of the settings, and the keys that are derived from it."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.id: bytes = hashlib.sha256(b"vertexkit journal key\0" + key).digest()[:ID_BYTES]
        self._derived: OrderedDict[bytes, AESGCM] = OrderedDict()

    def derive(self, salt: bytes) -> AESGCM:
        """Return the cipher of a process."""
        derived = self._derived.get(salt)
        if derived is None:
            derivation = HKDF(SHA256(), KEY_BYTES, salt, b"vertexkit journal")
            derived = self._derived[salt] = AESGCM(derivation.derive(self._key))
            if len(self._derived) > MAX_DERIVED_KEYS:
                self._derived.popitem(last=False)
        return derived


class AesGcmKeys:
    """The keys of the settings; the first one seals. See `JournalKeys`.

    Args:
        keys: of 32 bytes each, at least one.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = [_MasterKey(key) for key in keys]

    @property
    def newest(self) -> str:
        """Id of the key that seals."""
        return self._keys[0].id.hex()

    def new_header(self, *, is_empty: bool) -> bytes:
        """See `JournalKeys.new_header`."""
        return self._header([self.newest], os.urandom(KEY_BYTES), has_plain=not is_empty)

    def used_header(self, header: bytes) -> bytes:
        """See `JournalKeys.used_header`."""
        content = from_json(header)
        if self.newest in content["keys"]:
            return header
        return to_json({**content, "keys": [self.newest, *content["keys"]]})

    def rekeyed_header(self, header: bytes) -> bytes:
        """See `JournalKeys.rekeyed_header`."""
        return self._header([self.newest], self._fingerprint_key(header), has_plain=False)

    def cipher(self, header: bytes, where: str) -> Cipher:
        """See `JournalKeys.cipher`."""
        content = from_json(header)
        known = {key.id.hex() for key in self._keys}
        missing = [name for name in content["keys"] if name not in known]
        if missing:
            raise JournalUnusable(
                f"the journal {where} has values that are encrypted with the key "
                f"{' and the key '.join(missing)}, which VERTEXKIT_JOURNAL_KEYS does not contain "
                f"(it has {', '.join(sorted(known))}). Add it to the end of the list. To stop using a "
                "key, run `vertexkit journal rekey` before you remove it"
            )
        return AesGcmCipher(self._keys, self._fingerprint_key(header), has_plain=content["plain"])

    def recordings(self) -> Cipher:
        """See `JournalKeys.recordings`."""
        return AesGcmCipher(self._keys, b"", has_plain=True)

    def _header(self, keys: list[str], fingerprint_key: bytes, *, has_plain: bool) -> bytes:
        sealed = AesGcmCipher(self._keys, b"", has_plain=False).seal(
            FINGERPRINT_PLACE, fingerprint_key
        )
        encoded = base64.b64encode(sealed).decode()
        return to_json({"keys": keys, "plain": has_plain, "fingerprint": encoded})

    def _fingerprint_key(self, header: bytes) -> bytes:
        sealed = base64.b64decode(from_json(header)["fingerprint"])
        return AesGcmCipher(self._keys, b"", has_plain=False).open(FINGERPRINT_PLACE, sealed)


class AesGcmCipher:
    """Seals with the first key, opens with any. See `Cipher`.

    Attributes:
        encrypts: True.

    Args:
        keys: at least one.
        fingerprint_key: of the journal.
        has_plain: the journal may have values that were stored before it was encrypted.
    """

    def __init__(
        self, keys: Sequence[_MasterKey], fingerprint_key: bytes, *, has_plain: bool
    ) -> None:
        self.encrypts: bool = True
        self._keys = {key.id: key for key in keys}
        self._newest = keys[0]
        self._fingerprint_key = fingerprint_key
        self._has_plain = has_plain
        self._left = 0
        self._start = b""
        self._cipher: AESGCM

    def seal(self, place: str, value: bytes) -> bytes:
        """See `Cipher.seal`."""
        if not value:
            return value
        if not self._left:
            self._take_salt()
        self._left -= 1
        nonce = os.urandom(NONCE_BYTES)
        return self._start + nonce + self._cipher.encrypt(nonce, value, place.encode())

    def _take_salt(self) -> None:
        salt = os.urandom(SALT_BYTES)
        self._cipher = self._newest.derive(salt)
        self._start = SEALED + self._newest.id + salt
        self._left = VALUES_PER_SALT

    def open(self, place: str, stored: bytes) -> bytes:
        """See `Cipher.open`."""
        if not stored:
            return stored
        if not stored.startswith(SEALED):
            return self._open_plain(place, stored)
        key = self._keys.get(stored[len(SEALED) : SALT_START])
        if key is None:
            raise JournalUnusable(
                f"{place} is encrypted with the key {stored[len(SEALED) : SALT_START].hex()}, which "
                "VERTEXKIT_JOURNAL_KEYS does not contain. Add it to the end of the list"
            )
        cipher = key.derive(stored[SALT_START:NONCE_START])
        try:
            return cipher.decrypt(
                stored[NONCE_START:TEXT_START], stored[TEXT_START:], place.encode()
            )
        except (InvalidTag, ValueError):
            raise JournalUnusable(
                f"{place} cannot be decrypted: it was changed, or it belongs to another row"
            ) from None

    def _open_plain(self, place: str, stored: bytes) -> bytes:
        if not self._has_plain:
            raise JournalUnusable(
                f"{place} is not encrypted, but every value of this journal is: it was changed"
            )
        return PLAIN.open(place, stored)

    def fingerprint(self, key: bytes) -> bytes:
        """See `Cipher.fingerprint`."""
        return hmac.digest(self._fingerprint_key, key, "sha256")
