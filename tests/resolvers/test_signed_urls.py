"""Addresses that hold what was granted: read again whole, in time, at their own path, and never altered."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from models.errors.errors import ExpiredToken, InvalidToken
from resolvers.signed_urls import Signer

NOW = datetime(2027, 3, 15, 9, 0, tzinfo=UTC)
SIGNER = Signer("a secret key of thirty-two characters", "https://accounts.example/portal")
CLAIMS = {"account": 7, "subject": {"name": "société é"}}


def signed() -> str:
    """The signed parameter of an address that is good for five minutes."""
    url = SIGNER.url("/exports/structures", CLAIMS, until=NOW + timedelta(minutes=5))
    return parse_qs(urlsplit(url).query)["signed"][0]


def test_an_address_lies_below_the_public_one() -> None:
    url = SIGNER.url("/exports/structures", CLAIMS, until=NOW)
    assert url == f"https://accounts.example/portal/exports/structures?{urlsplit(url).query}"


def test_what_was_signed_is_read_until_its_time_is_over() -> None:
    assert SIGNER.read("/exports/structures", signed(), NOW) == CLAIMS
    assert SIGNER.read("/exports/structures", signed(), NOW + timedelta(minutes=4, seconds=59)) == CLAIMS
    with pytest.raises(ExpiredToken):
        SIGNER.read("/exports/structures", signed(), NOW + timedelta(minutes=5))


def test_no_character_of_it_can_be_altered() -> None:
    good = signed()
    for place, character in enumerate(good):
        altered = good[:place] + ("A" if character != "A" else "B") + good[place + 1 :]
        with pytest.raises(InvalidToken):
            SIGNER.read("/exports/structures", altered, NOW)


@pytest.mark.parametrize("value", ["", ".", "a.b", "é.é", "\udce9.a", "a" * 10_000, "bm9uZQ."])
def test_what_was_never_signed_is_refused(value: str) -> None:
    with pytest.raises(InvalidToken):
        SIGNER.read("/exports/structures", value, NOW)


def test_claims_put_together_by_somebody_else_are_refused() -> None:
    text, _, signature = signed().partition(".")
    forged = base64.urlsafe_b64encode(base64.urlsafe_b64decode(text + "==").replace(b"7", b"8")).decode().rstrip("=")
    for value in (f"{forged}.{signature}", f"{text}=.{signature}", f"{text}.{signature}=", f"{text}.{signature}.x"):
        with pytest.raises(InvalidToken):
            SIGNER.read("/exports/structures", value, NOW)


def test_it_is_good_at_its_own_path_and_under_its_own_key() -> None:
    with pytest.raises(InvalidToken):
        SIGNER.read("/exports/users", signed(), NOW)
    with pytest.raises(InvalidToken):
        Signer("another key of thirty-two characters", "https://accounts.example").read(
            "/exports/structures", signed(), NOW
        )
    with pytest.raises(InvalidToken):
        Signer.unshared().read("/exports/structures", signed(), NOW)


def test_address_signed_under_a_former_key_is_read_and_new_ones_are_signed_under_the_new() -> None:
    old, new = "a secret key of thirty-two characters", "a newer key of thirty-two characters!"
    rotated = Signer(new, "https://accounts.example", [old])
    until = NOW + timedelta(minutes=5)
    before = Signer(old, "https://accounts.example").url("/exports/users", {"a": 1}, until).partition("signed=")[2]
    assert rotated.read("/exports/users", before, NOW) == {"a": 1}
    after = rotated.url("/exports/users", {"a": 2}, until).partition("signed=")[2]
    assert Signer(new, "https://accounts.example").read("/exports/users", after, NOW) == {"a": 2}
    with pytest.raises(InvalidToken):
        Signer(new, "https://accounts.example").read("/exports/users", before, NOW)


def test_addresses_given_by_earlier_versions_are_those_given_now() -> None:
    """Made at f5a04b3: whoever changes the key's derivation or the form breaks the links that people hold."""
    given = (
        "eyJhY2NvdW50Ijo3LCJzdWJqZWN0Ijp7Im5hbWUiOiJzb2Npw6l0w6kgw6kifSwidW50aWwiOjE4MDUxMDE1MDAuMH0"
        ".-1v5GXg_Qm1VNwJujJjYGj5kPL63a5N7EfSXSd6tP_8"
    )
    assert SIGNER.read("/exports/structures", given, NOW) == CLAIMS
    assert signed() == given
