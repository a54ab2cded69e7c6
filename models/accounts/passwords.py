"""Secrets that people choose: what a password must be, and how passwords and secret answers are hashed and compared.

`common_passwords.txt` holds the words at the heart of the 20,000 most leaked passwords (Royce Williams's list, as the
Django package distributes it), each reduced once as `_core` reduces a candidate, which
`tests/models/accounts/test_passwords.py` checks.
"""

import asyncio
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

from models.db import normalisation, texts
from models.errors.errors import Invalid, Missing, TooLong, WeakPassword

T = TypeVar("T")

MOST_CHARACTERS = 128

# OWASP's minimum for Argon2id: 19 MiB, two passes, one lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)
# Well-formed, with the parameters above, matched by no known secret: verifying against it costs what a real one costs.
_NOBODY = f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}${'A' * 22}${'A' * 43}"
_LONGEST_TRIED = 1024
# Hashing takes a core for some 25 ms: threads keep it off the event loop, and their number bounds memory and cores,
# whatever the number of loops; what comes on top waits its turn.
_THREADS = ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1), thread_name_prefix="argon2")

_LOOK_ALIKES = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"})
_SHORTEST_CORE = 3

# What is easily thought of here counts for nothing, nor does a year beside it: this much must be left of a password.
LEAST_BESIDE = 8
_PRODUCT_WORDS = ("rattache", "rattachement", "chorus", "choruspro", "portail", "portal", "moncompte", "facture")
_SHORTEST_NAME = 3
_SHORTEST_WORD = 4
_SHORTEST_WALK = 4
_ROWS = (
    "1234567890", "azertyuiop", "qsdfghjklm", "wxcvbn", "&é\"'(-è_çà)=",  # azerty
    "qwertyuiop", "asdfghjkl", "zxcvbnm", "!@#$%^&*()",  # qwerty
    "1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "1aqw", "2zsx",  # downwards, on either
    "abcdefghijklmnopqrstuvwxyz",
)  # fmt: skip


@dataclass(frozen=True)
class Owner:
    """Whose password it is to be: what an attacker who knows them would try first."""

    login_email: str
    names: tuple[str, ...] = ()
    address: tuple[str, ...] = ()


def check(password: str | None, owner: Owner, *, path: tuple[str, ...] = ("password",)) -> None:
    """Nothing, when the password is good enough for the account (CNIL deliberation 2022-100).

    Raises:
        Missing: it is absent, empty or only white space.
        TooLong: it has more than 128 characters.
        Invalid: (rule `text`) it has a control character or a lone surrogate.
        WeakPassword: too short for its mix of characters, common, the login, or with fewer than 8 characters beside
            the product's name, the person's own or their address, and what lies in a row on a keyboard.
    """
    if not password or not password.strip():
        raise Missing(*path)
    prepared = _prepared(password)
    if len(prepared) > MOST_CHARACTERS:
        raise TooLong(*path, most=MOST_CHARACTERS)
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in prepared):
        raise Invalid(*path, rule="text")
    if not _is_composed(prepared):
        raise WeakPassword(*path, reason="composition")
    if _is_login(prepared, owner.login_email):
        raise WeakPassword(*path, reason="login")
    if _is_common(prepared):
        raise WeakPassword(*path, reason="common")
    if reason := _built_on(prepared, owner):
        raise WeakPassword(*path, reason=reason)


def normalise_answer(text: str) -> str:
    """A secret answer as it is hashed and compared: no accents, no case, single spaces, none around it."""
    return " ".join(normalisation.without_accents(texts.tidy(text)).split())


async def hash(secret: str) -> str:
    """The Argon2id hash of the secret, with its salt and parameters, as one string of about 100 characters."""
    return await _in_thread(partial(_HASHER.hash, _encoded(secret)))


async def verify(hash: str | None, secret: str) -> bool:
    """Whether the secret is the one behind the hash; without a hash, False after as long a time."""
    if len(secret) > _LONGEST_TRIED:
        hash, secret = None, ""
    return await _in_thread(partial(_matches, hash or _NOBODY, _encoded(secret)))


async def is_one_of(hashes: Iterable[str], secret: str) -> bool:
    """Whether the secret is behind any of the hashes."""
    return any(await asyncio.gather(*(verify(hash, secret) for hash in hashes)))


def needs_rehash(hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(hash)


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)


def _matches(hash: str, secret: bytes) -> bool:
    try:
        return _HASHER.verify(hash, secret)
    except VerifyMismatchError:
        return False


def _prepared(password: str) -> str:
    """The password as RFC 8265 (OpaqueString) compares it: NFC, so that keyboards agree, and one kind of space."""
    composed = unicodedata.normalize("NFC", password)
    return "".join(" " if unicodedata.category(character) == "Zs" else character for character in composed)


def _encoded(secret: str) -> bytes:
    # a lone surrogate is refused when a password is chosen; one that is tried must be wrong, not a failure
    return _prepared(secret).encode("utf-8", "surrogatepass")


def _is_composed(password: str) -> bool:
    lower = any(map(str.islower, password))
    upper = any(map(str.isupper, password))
    digit = any(map(str.isdigit, password))
    # what has no case and is no digit counts as special: punctuation, spaces, emoji, scripts without case
    special = any(not (c.islower() or c.isupper() or c.isdigit()) for c in password)
    least = 12 if special else 14
    return lower and upper and digit and len(password) >= least


def _is_login(password: str, login_email: str) -> bool:
    login, candidate = login_email.casefold(), password.casefold()
    local_part = login.partition("@")[0]
    if not login:
        return False
    return login in candidate or candidate == local_part or _core(candidate) == _core(local_part) != ""


def _is_common(password: str) -> bool:
    core = _core(password)
    if len(core) < _SHORTEST_CORE:
        return True
    unit = _repeated_unit(core)
    if len(unit) < _SHORTEST_CORE:
        return True
    common = _common_cores()
    return any(unit * times in common for times in range(1, len(core) // len(unit) + 1))


def _built_on(password: str, owner: Owner) -> str | None:
    """Which kind of what is easily thought of makes up most of the password; None when enough is left beside it."""
    plain = [normalisation.without_accents(character)[:1] or character for character in password.casefold()]
    kinds: list[str | None] = [None] * len(plain)
    for text in ("".join(plain), "".join(plain).translate(_LOOK_ALIKES)):
        for reason, words in _words_of(owner).items():
            for word in words:
                _cover(kinds, text, word, reason)
    for row in _ROWS:
        for line in (row, row[::-1]):
            for text in (password.casefold(), "".join(plain)):
                _cover_walks(kinds, text, line)
    found = [kind for kind in kinds if kind is not None]
    years = [kinds[slice(*year.span())] for year in re.finditer(r"(19|20)[0-9]{2}", "".join(plain))]
    left = len(kinds) - len(found) - sum(year.count(None) for year in years)
    return max(found, key=found.count) if found and left < LEAST_BESIDE else None


def _words_of(owner: Owner) -> dict[str, set[str]]:
    names = {word for name in owner.names for word in _words(name) if len(word) >= _SHORTEST_NAME}
    logins = set(_words(owner.login_email.partition("@")[0]))
    places = {word for line in owner.address for word in _words(line)}
    return {
        "product": set(_PRODUCT_WORDS),
        "names": names | {word for word in logins if len(word) >= _SHORTEST_WORD},
        "address": {word for word in places if len(word) >= _SHORTEST_WORD},
    }


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", normalisation.without_accents(text.casefold()))


def _cover(kinds: list[str | None], text: str, word: str, reason: str) -> None:
    place = text.find(word)
    while place >= 0:
        kinds[place : place + len(word)] = [reason] * len(word)
        place = text.find(word, place + 1)


def _cover_walks(kinds: list[str | None], text: str, line: str) -> None:
    """Mark each run of four or more characters that stand side by side in the line."""
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and text[end - 1 : end + 1] in line:
            continue
        if end - start >= _SHORTEST_WALK:
            kinds[start:end] = [kind or "keyboard" for kind in kinds[start:end]]
        start = end


def _core(password: str) -> str:
    """The word that digits and signs dress up: `P@ssw0rd-2026!` is `password`."""
    bare = normalisation.without_accents(password)
    letters = [index for index, character in enumerate(bare) if character.isalpha()]
    return bare[letters[0] : letters[-1] + 1].translate(_LOOK_ALIKES) if letters else ""


def _repeated_unit(text: str) -> str:
    """The shortest text that, repeated, makes this one: `dou` of `doudou`; often the text itself."""
    return text[: (text + text).find(text, 1)]


@cache
def _common_cores() -> frozenset[str]:
    return frozenset(resources.files("models.accounts").joinpath("common_passwords.txt").read_text("utf-8").split())
