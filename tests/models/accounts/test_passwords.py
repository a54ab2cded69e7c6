"""What a password must be, and how secrets are hashed and compared."""

import asyncio
import time
from collections.abc import Awaitable
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.accounts import passwords
from models.accounts.passwords import Owner
from models.errors.errors import Invalid, Missing, TooLong, WeakPassword

OWNER = Owner(
    login_email="claire.martin@demo.example",
    names=("Claire", "Martin-Kerouédan"),
    address=("12 rue des Tanneurs", "35000", "Rennes"),
)

GOOD = [
    "Demonstration-2026!",
    "Trois-Petits-1",
    "TroisPetitsTours7",
    "Été à la mer 12",
    "Aé1日本語日本語日本語",
    "Aa1👨‍👩‍👧👨‍👩‍👧👨‍👩‍👧x",
    "Zk4" + "€xq" * 41 + "ab",
    # what is easily thought of does no harm beside enough that isn't
    "Rattache-vl8#kTnq",
    "Claire aime 3 phoques",
    "Azerty-vl8#kTnq2",
    "Rennes, puis 2 Oslo",
]

WEAK = [
    ("Trois-Pet-1", "composition"),
    ("TroisPetits77", "composition"),
    ("trois-petits-tours-1", "composition"),
    ("TROIS-PETITS-TOURS-1", "composition"),
    ("Trois-Petits-Tours", "composition"),
    ("Azertyuiop-1234", "common"),
    ("P@ssw0rd-2026!", "common"),
    ("Motdepasse2026", "common"),
    ("Doudoudoudou-1", "common"),
    ("Aaaaaaaaaaaa1!", "common"),
    ("1234567890-Aa!", "common"),
    ("Rattache-2026!", "product"),
    ("R4tt@che-2026!", "product"),
    ("Chorus-Pro-2026", "product"),
    ("MonCompte-2026-Portail", "product"),
    ("Kerouedan-2026!", "names"),
    ("KÉROUÉDAN-2026-Claire", "names"),
    ("Tanneurs-35000!", "address"),
    ("Rennes-35000-Tanneurs", "address"),
    ("Azertyuiop-Qwerty1", "keyboard"),
    ("Mlkjhgfdsq-987", "keyboard"),
    ("1qaz2wsx-3EDC", "keyboard"),
    ("Qsdfghjklm-12", "keyboard"),
    ("Bcdefghijk-4567", "keyboard"),
    ("Claire.Martin-2026", "login"),
    ("Claire.Martin@demo.example1", "login"),
]


@pytest.mark.parametrize("password", GOOD)
def test_good_password_passes(password: str) -> None:
    passwords.check(password, OWNER)


@pytest.mark.parametrize(("password", "reason"), WEAK)
def test_weak_password_is_refused_with_the_reason(password: str, reason: str) -> None:
    with pytest.raises(WeakPassword) as refusal:
        passwords.check(password, OWNER, path=("password", "new"))
    assert refusal.value.path == ("password", "new")
    assert refusal.value.data == {"reason": reason}


@pytest.mark.parametrize("password", [None, "", "   ", "\u00a0"])
def test_blank_password_is_missing(password: str | None) -> None:
    with pytest.raises(Missing):
        passwords.check(password, OWNER)


def test_password_of_128_characters_passes() -> None:
    passwords.check("Zk4€x" + "€xq" * 41, OWNER)


def test_password_of_129_characters_is_too_long() -> None:
    with pytest.raises(TooLong) as refusal:
        passwords.check("Zk4" + "€xq" * 42, OWNER)
    assert refusal.value.data == {"most": 128}


@pytest.mark.parametrize("character", ["\x00", "\n", "\ud800"])
def test_password_with_a_control_character_is_refused(character: str) -> None:
    with pytest.raises(Invalid) as refusal:
        passwords.check(f"Trois-{character}Petits-1", OWNER)
    assert refusal.value.data == {"rule": "text"}


def test_list_of_common_words_is_reduced_as_candidates_are() -> None:
    words = resources.files("models.accounts").joinpath("common_passwords.txt").read_text("utf-8").splitlines()
    assert len(words) == 10_167
    assert words == sorted(set(words))
    assert [word for word in words if passwords._core(word) != word or len(word) < 3] == []


@given(
    st.sampled_from(["azerty", "motdepasse", "soleil", "marseille"]), st.from_regex(r"[0-9!?.\-]{8,20}", fullmatch=True)
)
def test_common_word_stays_common_whatever_digits_and_signs_follow(word: str, tail: str) -> None:
    with pytest.raises(WeakPassword):
        passwords.check(word.capitalize() + tail, OWNER)


@pytest.mark.parametrize(
    ("typed", "compared"),
    [
        (" Le  Mont-BLANC ", "le mont-blanc"),
        ("Élodie", "elodie"),
        ("STRASSE", "strasse"),
        ("straße", "strasse"),
        ("´", ""),
    ],
)
def test_secret_answer_is_compared_without_case_accents_or_spaces_around(typed: str, compared: str) -> None:
    assert passwords.normalise_answer(typed) == compared


async def test_person_with_the_right_password_is_recognised_and_with_a_wrong_one_is_not() -> None:
    hash = await passwords.hash("Été à la mer 12")
    assert hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(hash, "E\u0301te\u0301 a\u0300\u00a0la mer 12")
    assert not await passwords.verify(hash, "Ete a la mer 12")
    assert not passwords.needs_rehash(hash)
    assert passwords.needs_rehash(hash.replace("t=2", "t=1"))


async def test_stranger_is_never_recognised_and_waits_as_long() -> None:
    hash = await passwords.hash("Trois-Petits-1")
    known = await _seconds(passwords.verify(hash, "wrong"))
    unknown = await _seconds(passwords.verify(None, "wrong"))
    assert not await passwords.verify(None, "")
    assert 0.25 < unknown / known < 4


@pytest.mark.parametrize(
    "secret",
    ["trois-petits-1", "TROIS-PETITS-1", "Trois-Petits-", "Trois-Petits-1 ", " Trois-Petits-1", "Trois Petits 1"],
)
async def test_secret_that_differs_by_case_length_or_sign_is_wrong(secret: str) -> None:
    assert not await passwords.verify(await passwords.hash("Trois-Petits-1"), secret)


@pytest.mark.parametrize("secret", ["", "\ud800", "x" * 1_000_000, "\x00"])
async def test_odd_secret_is_wrong_and_no_failure(secret: str) -> None:
    assert not await passwords.verify(await passwords.hash("Trois-Petits-1"), secret)


async def test_password_is_found_among_the_last_five() -> None:
    hashes = [await passwords.hash(f"Trois-Petits-{number}") for number in range(5)]
    assert await passwords.is_one_of(hashes, "Trois-Petits-4")
    assert not await passwords.is_one_of(hashes, "Trois-Petits-5")
    assert not await passwords.is_one_of([], "Trois-Petits-5")


async def test_others_are_served_while_passwords_are_hashed() -> None:
    hashing = asyncio.gather(*(passwords.hash("Trois-Petits-1") for _ in range(8)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 8
    assert len(set(await hashing)) == 8


def test_hashing_works_in_one_event_loop_after_another() -> None:
    hash = asyncio.run(passwords.hash("Trois-Petits-1"))
    assert asyncio.run(passwords.verify(hash, "Trois-Petits-1"))


async def _seconds(answer: Awaitable[bool]) -> float:
    start = time.perf_counter()
    await answer
    return time.perf_counter() - start
