"""What people say of themselves: each field's form, and all wrong ones told at once."""

import pytest

from models.accounts import profiles
from models.accounts.profiles import Language, PostalAddress
from models.errors.errors import DomainError

PARIS = {"line1": "1 rue de la Paix", "postcode": "75002", "city": "Paris", "country": "FR"}


def told(problems: list[DomainError]) -> list[tuple[object, ...]]:
    return [(type(problem).__name__, problem.path, problem.data) for problem in problems]


@pytest.mark.parametrize(
    ("typed", "kept", "key"),
    [
        (" Claire@Demo.Example ", "Claire@demo.example", "claire@demo.example"),
        ("a+b@x.test", "a+b@x.test", "a+b@x.test"),
        ("a@société.fr", "a@xn--socit-esab.fr", "a@xn--socit-esab.fr"),
    ],
)
def test_good_email_is_kept_and_its_key_has_no_case(typed: str, kept: str, key: str) -> None:
    problems: list[DomainError] = []
    assert profiles.email(problems, typed, "login_email") == kept
    assert problems == []
    assert profiles.email_key(typed) == profiles.email_key(kept) == key


@pytest.mark.parametrize(
    "value",
    [
        "claire",
        "a@b",
        "a@test",
        "a b@x.fr",
        "a@x..fr",
        "é@x.fr",
        "A <a@x.fr>",
        '"a b"@x.fr',
        "a@[127.0.0.1]",
        "a@x.localhost",
        "a@x.fr,b@x.fr",
        "a" * 65 + "@x.fr",
    ],
)
def test_bad_email_is_refused(value: str) -> None:
    problems: list[DomainError] = []
    assert profiles.email(problems, value, "contact_email") == ""
    assert told(problems) == [("Invalid", ("contact_email",), {"rule": "email"})]


def test_email_of_more_than_254_characters_is_too_long() -> None:
    problems: list[DomainError] = []
    profiles.email(problems, "a@" + "b" * 250 + ".fr", "email")
    assert told(problems) == [("TooLong", ("email",), {"most": 254})]


@pytest.mark.parametrize("value", ["", "nobody", "a@b@c", "\ud800@x.fr", "a" * 100_000])
def test_stranger_signing_in_with_no_address_has_a_key_that_no_account_has(value: str) -> None:
    assert profiles.email_key(value) == value


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("01 23 45 67 89", "0123456789"),
        ("01.23.45.67.89", "0123456789"),
        ("+33 (0)1-23-45-67-89", "+33123456789"),
        ("0033 1 23 45 67 89", "+33123456789"),
        ("+687 12.34.56", "+687123456"),
        ("3646", "3646"),
        (" ", None),
        (None, None),
    ],
)
def test_phone_is_kept_without_separators(typed: str | None, kept: str | None) -> None:
    problems: list[DomainError] = []
    assert profiles.phone(problems, typed, "phone") == kept
    assert problems == []


@pytest.mark.parametrize(
    "value", ["abc", "+1", "12", "+0123456789", "1234567890123456", "01 23 45 67 89 poste 2", "٠١٢٣٤"]
)
def test_bad_phone_is_refused(value: str) -> None:
    problems: list[DomainError] = []
    assert profiles.phone(problems, value, "phone") is None
    assert told(problems) == [("Invalid", ("phone",), {"rule": "phone"})]


def test_whole_address_is_kept_tidied() -> None:
    problems: list[DomainError] = []
    address = PARIS | {"line2": " Bât. B ", "line3": " ", "postcode": "75 002", "country": "fr"}
    kept = profiles.postal_address(problems, address, "postal_address")
    assert problems == []
    assert kept == PostalAddress("1 rue de la Paix", "Bât. B", None, "75002", "Paris", "FR")


def test_empty_address_lacks_its_four_mandatory_fields() -> None:
    problems: list[DomainError] = []
    profiles.postal_address(problems, {"line1": " ", "city": None}, "postal_address")
    assert sorted(told(problems), key=str) == sorted(
        [("Missing", ("postal_address", field), {}) for field in ("line1", "postcode", "city", "country")], key=str
    )


def test_every_wrong_field_of_an_address_is_told_by_its_path() -> None:
    problems: list[DomainError] = []
    wrong = {"line1": "x" * 101, "line2": "\x00", "postcode": "7500", "city": "\u200b", "country": "FR"}
    profiles.postal_address(problems, wrong, "postal_address")
    assert told(problems) == [
        ("TooLong", ("postal_address", "line1"), {"most": 100}),
        ("Invalid", ("postal_address", "line2"), {"rule": "text"}),
        ("Invalid", ("postal_address", "postcode"), {"rule": "postcode_fr"}),
        ("Invalid", ("postal_address", "city"), {"rule": "text"}),
    ]


@pytest.mark.parametrize(
    ("country", "postcode", "rule"),
    [
        ("FR", "75002", None),
        ("FR", "2A004", "postcode_fr"),
        ("FR", "750021", "postcode_fr"),
        ("RE", "97400", None),
        ("NC", "9880", "postcode_fr"),
        ("GB", "SW1A 1AA", None),
        ("NL", "1012-JS", None),
        ("US", "#1", "postcode"),
    ],
)
def test_postcode_has_the_form_of_its_country(country: str, postcode: str, rule: str | None) -> None:
    problems: list[DomainError] = []
    profiles.postal_address(problems, PARIS | {"country": country, "postcode": postcode})
    assert told(problems) == ([] if rule is None else [("Invalid", ("postcode",), {"rule": rule})])


@pytest.mark.parametrize("value", ["XX", "FRA", "France", "EU", "UK"])
def test_unknown_country_is_refused(value: str) -> None:
    problems: list[DomainError] = []
    profiles.postal_address(problems, PARIS | {"country": value})
    assert told(problems) == [("Invalid", ("country",), {"rule": "country"})]


def test_language_and_time_zone_are_known_ones() -> None:
    problems: list[DomainError] = []
    assert profiles.language(problems, "en", "language") is Language.EN
    assert profiles.time_zone(problems, "Europe/Paris", "time_zone") == "Europe/Paris"
    assert problems == []
    profiles.language(problems, "de", "language")
    profiles.time_zone(problems, "../etc/passwd", "time_zone")
    profiles.time_zone(problems, "Europe/Paris\x00", "time_zone")
    profiles.time_zone(problems, "", "time_zone")
    assert told(problems) == [
        ("Invalid", ("language",), {"rule": "language"}),
        ("Invalid", ("time_zone",), {"rule": "time_zone"}),
        ("Invalid", ("time_zone",), {"rule": "time_zone"}),
        ("Missing", ("time_zone",), {}),
    ]


def test_names_question_and_answer_have_their_lengths() -> None:
    problems: list[DomainError] = []
    assert profiles.name(problems, "É" * 80, "first_name") == "É" * 80
    assert profiles.secret_question(problems, "Chat ?", "secret_question") == "Chat ?"
    assert profiles.secret_answer(problems, " Le  CHÂTEAU ", "secret_answer") == "le chateau"
    assert problems == []
    profiles.name(problems, "x" * 81, "last_name")
    profiles.business_name(problems, "x" * 201, "name")
    profiles.secret_question(problems, "Qui?", "secret_question")
    profiles.secret_answer(problems, " Éli ", "secret_answer")
    assert told(problems) == [
        ("TooLong", ("last_name",), {"most": 80}),
        ("TooLong", ("name",), {"most": 200}),
        ("TooShort", ("secret_question",), {"least": 5}),
        ("TooShort", ("secret_answer",), {"least": 4}),
    ]
