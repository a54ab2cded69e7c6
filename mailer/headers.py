"""How the headers of mails are kept and written, where the standard library does it slowly or badly."""

from email.header import Header
from email.policy import EmailPolicy
from functools import lru_cache
from typing import Any

# Headers of ours that are told as they are: ASCII, on one line, however long an address in them may be.
_PLAIN = {
    *("date", "message-id", "auto-submitted", "content-language", "mime-version", "content-transfer-encoding"),
    *("list-unsubscribe", "list-unsubscribe-post"),
}


_SAME_IN_MANY = {"From", "Content-Type"}


class Folding(EmailPolicy):
    """Writes headers as RFC 5322 and 2047 say: the standard library's folding puts spaces into long subjects, encodes
    long addresses, and takes apart again what is the same in every mail.
    """

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        """The header as it is kept: what needs no taking apart as its text."""
        if name.lower() in _PLAIN or name == "Subject":
            if len(value.splitlines()) > 1:
                raise ValueError(f"{name} holds a line break")
            return name, value
        return _parsed(self, name, value) if isinstance(value, str) else super().header_store_parse(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        """The header as the lines that are sent."""
        if name.lower() in _PLAIN:
            return f"{name}: {value}{self.linesep}".encode("ascii")
        if name == "Subject" and not self.utf8:
            charset = "us-ascii" if value.isascii() else "utf-8"
            lines = Header(str(value), charset, header_name=name).encode(linesep=self.linesep)
            return f"{name}: {lines}{self.linesep}".encode("ascii")
        return _folded(self, name, value) if name in _SAME_IN_MANY else self.folded(name, value)

    def folded(self, name: str, value: Any) -> bytes:
        """The lines as the standard library makes them."""
        return super().fold_binary(name, value)

    def parsed(self, name: str, value: str) -> tuple[str, Any]:
        """The header taken apart as the standard library does."""
        return super().header_store_parse(name, value)


@lru_cache(maxsize=256)
def _parsed(policy: Folding, name: str, value: str) -> tuple[str, Any]:
    return policy.parsed(name, value)


@lru_cache(maxsize=256)
def _folded(policy: Folding, name: str, value: Any) -> bytes:
    return policy.folded(name, value)


POLICY = Folding(linesep="\r\n")
UTF8_POLICY = Folding(linesep="\r\n", utf8=True)
