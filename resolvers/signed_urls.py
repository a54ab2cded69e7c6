"""Signed addresses: URLs of this server that hold what was granted, to whom and until when, and can't be altered."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import itsdangerous
import orjson
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from itsdangerous.encoding import base64_decode, base64_encode

from models.errors.errors import ExpiredToken, InvalidToken

PARAMETER = "signed"
UNTIL = "until"


class Signer:
    """Signs under a key derived from the application's (HKDF, RFC 5869; HMAC-SHA256), below the public address.

    What was signed under one of the `former` keys is still read.
    """

    def __init__(self, secret_key: str, public_url: str, former: Sequence[str] = ()) -> None:
        keys = [_derived(key) for key in (*former, secret_key)]  # the last one signs
        self._signer = itsdangerous.Signer(keys, key_derivation="none", digest_method=hashlib.sha256)
        self._public_url = public_url

    @classmethod
    def unshared(cls) -> "Signer":
        """A signer whose addresses are good in this process alone: for work that gives none out."""
        return cls(secrets.token_urlsafe(32), "http://127.0.0.1:8000")

    def url(self, path: str, claims: Mapping[str, object], until: datetime) -> str:
        """The address of `path` that holds the claims, JSON values by name; it can be used before `until`."""
        place = f"{path}\n".encode()  # is signed too, so that an address is good at its own path alone
        text = base64_encode(orjson.dumps({**claims, UNTIL: until.timestamp()}))
        signed = self._signer.sign(place + text).removeprefix(place)
        return f"{self._public_url}{path}?{urlencode({PARAMETER: signed})}"

    def read(self, path: str, signed: str, now: datetime) -> dict[str, Any]:
        """The claims of a signed address, from the value of its parameter.

        Raises:
            InvalidToken: when it was altered, made for another path, or signed under another key.
            ExpiredToken: when its time is over.
        """
        place, given = f"{path}\n".encode(), signed.encode("utf-8", "surrogatepass")
        try:
            text = self._signer.unsign(place + given).removeprefix(place)
        except itsdangerous.BadSignature:
            raise InvalidToken from None
        signature = given.removeprefix(text + b".")
        if base64_encode(base64_decode(signature)) != signature:
            raise InvalidToken  # the same signature in another spelling: one grant has one address
        claims: dict[str, Any] = orjson.loads(base64_decode(text))
        if claims.pop(UNTIL) <= now.timestamp():
            raise ExpiredToken
        return claims


def _derived(secret_key: str) -> bytes:
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"rattache signed address v1")
    return derive.derive(secret_key.encode())
