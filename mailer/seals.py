"""Sealing: one-time tokens lie in the outbox encrypted, so that reading the database opens no account; and signing."""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12
_SIGNATURE_BYTES = 25  # with the account's number 33 bytes, which are 44 characters and no padding


class SealBroken(Exception):
    """A sealed token was altered, moved to another mail, or sealed under another application key."""


class Sealer:
    """Seals tokens under a key derived from the application's (HKDF, RFC 5869), and names mails after its domain.

    What was sealed or signed under one of the `former` keys still opens.
    """

    def __init__(self, secret_key: str, domain: str, former: Sequence[str] = ()) -> None:
        keys = (secret_key, *former)
        self._ciphers = [AESGCM(_derived(key, b"rattache outbox token v1")) for key in keys]
        self._readers = [_derived(key, b"rattache unsubscription v1") for key in keys]
        self._pseudonyms = _derived(secret_key, b"rattache security log v1")
        self._domain = domain

    def pseudonym(self, text: str) -> str:
        """What stands for an address in a log: the same for the same one, not to be guessed without the key."""
        return hmac.new(self._pseudonyms, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]

    def message_id(self) -> str:
        """A fresh Message-ID (RFC 5322), angle brackets included."""
        return f"<{os.urandom(16).hex()}@{self._domain}>"

    def unsubscription(self, account_id: int) -> str:
        """The token by which whoever holds a periodical mail of the account stops them; the same in each of them."""
        number = account_id.to_bytes(8, "big")
        return base64.urlsafe_b64encode(number + _signature(self._readers[0], number)).decode()

    def reader(self, token: str) -> int | None:
        """The account that an unsubscription token is of; None when it was altered, or made under another key."""
        try:
            data = base64.b64decode(token, b"-_", validate=True)
        except ValueError:
            return None
        number, signature = data[:8], data[8:]
        known = [hmac.compare_digest(_signature(key, number), signature) for key in self._readers]
        return int.from_bytes(number, "big") if any(known) else None

    def seal(self, clear: str, bound_to: str) -> str:
        """The text encrypted; it opens only with the same `bound_to`."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[0].encrypt(nonce, clear.encode(), bound_to.encode())
        return base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, sealed: str, bound_to: str) -> str:
        """The clear text of what `seal` made.

        Raises:
            SealBroken: when it was altered, or made for another `bound_to` or under another key.
        """
        return self._opened(sealed, bound_to)[0]

    def is_former(self, sealed: str, bound_to: str) -> bool:
        """Whether it takes one of the former keys to open this.

        Raises:
            SealBroken: as `open`.
        """
        return self._opened(sealed, bound_to)[1] > 0

    def _opened(self, sealed: str, bound_to: str) -> tuple[str, int]:
        try:
            data = base64.urlsafe_b64decode(sealed)
        except ValueError as error:
            raise SealBroken from error
        for place, cipher in enumerate(self._ciphers):
            try:
                return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], bound_to.encode()).decode(), place
            except (InvalidTag, ValueError):
                continue
        raise SealBroken


def _derived(secret_key: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret_key.encode())


def _signature(key: bytes, number: bytes) -> bytes:
    return hmac.new(key, number, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
