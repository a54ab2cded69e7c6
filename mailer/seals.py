"""Sealing: one-time tokens lie in the outbox encrypted, so that reading the database opens no account; and signing."""

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12
_SIGNATURE_BYTES = 25  # with the account's number 33 bytes, which are 44 characters and no padding


class SealBroken(Exception):
    """A sealed token was altered, moved to another mail, or sealed under another application key."""


class Sealer:
    """Seals tokens under a key derived from the application's (HKDF, RFC 5869), and names mails after its domain."""

    def __init__(self, secret_key: str, domain: str) -> None:
        def key(purpose: bytes) -> bytes:
            derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose)
            return derive.derive(secret_key.encode())

        self._cipher = AESGCM(key(b"rattache outbox token v1"))
        self._readers = key(b"rattache unsubscription v1")
        self._domain = domain

    def message_id(self) -> str:
        """A fresh Message-ID (RFC 5322), angle brackets included."""
        return f"<{os.urandom(16).hex()}@{self._domain}>"

    def unsubscription(self, account_id: int) -> str:
        """The token by which whoever holds a periodical mail of the account stops them; the same in each of them."""
        number = account_id.to_bytes(8, "big")
        return base64.urlsafe_b64encode(number + self._signature(number)).decode()

    def reader(self, token: str) -> int | None:
        """The account that an unsubscription token is of; None when it was altered, or made under another key."""
        try:
            data = base64.b64decode(token, b"-_", validate=True)
        except ValueError:
            return None
        number, signature = data[:8], data[8:]
        return int.from_bytes(number, "big") if hmac.compare_digest(self._signature(number), signature) else None

    def _signature(self, number: bytes) -> bytes:
        return hmac.new(self._readers, number, hashlib.sha256).digest()[:_SIGNATURE_BYTES]

    def seal(self, clear: str, bound_to: str) -> str:
        """The text encrypted; it opens only with the same `bound_to`."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, clear.encode(), bound_to.encode())).decode()

    def open(self, sealed: str, bound_to: str) -> str:
        """The clear text of what `seal` made.

        Raises:
            SealBroken: when it was altered, or made for another `bound_to` or under another key.
        """
        try:
            data = base64.urlsafe_b64decode(sealed)
            return self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], bound_to.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SealBroken from error
