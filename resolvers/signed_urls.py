"""Signed addresses: URLs of this server that hold what was granted, to whom and until when, and can't be altered."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from models.errors.errors import ExpiredToken, InvalidToken

PARAMETER = "signed"
UNTIL = "until"


class Signer:
    """Signs under a key derived from the application's (HKDF, RFC 5869; HMAC-SHA256), below the public address.

    What was signed under one of the `former` keys is still read.
    """

    def __init__(self, secret_key: str, public_url: str, former: Sequence[str] = ()) -> None:
        self._keys = [_derived(key) for key in (secret_key, *former)]
        self._public_url = public_url

    @classmethod
    def unshared(cls) -> "Signer":
        """A signer whose addresses are good in this process alone: for work that gives none out."""
        return cls(secrets.token_urlsafe(32), "http://127.0.0.1:8000")

    def url(self, path: str, claims: Mapping[str, object], until: datetime) -> str:
        """The address of `path` that holds the claims, JSON values by name; it can be used before `until`."""
        payload = orjson.dumps({**claims, UNTIL: until.timestamp()})
        text = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
        return f"{self._public_url}{path}?{urlencode({PARAMETER: f'{text}.{_signature(self._keys[0], path, text)}'})}"

    def read(self, path: str, signed: str, now: datetime) -> dict[str, Any]:
        """The claims of a signed address, from the value of its parameter.

        Raises:
            InvalidToken: when it was altered, made for another path, or signed under another key.
            ExpiredToken: when its time is over.
        """
        text, _, signature = signed.partition(".")
        made = [_signature(key, path, text).encode() for key in self._keys]
        if not any(hmac.compare_digest(one, signature.encode("utf-8", "surrogatepass")) for one in made):
            raise InvalidToken
        claims: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if claims.pop(UNTIL) <= now.timestamp():
            raise ExpiredToken
        return claims


def _derived(secret_key: str) -> bytes:
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"rattache signed address v1")
    return derive.derive(secret_key.encode())


def _signature(key: bytes, path: str, text: str) -> str:
    signed = f"{path}\n{text}".encode("utf-8", "surrogatepass")
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
