"""What people say of themselves and of their structures: names, addresses, telephone, language, secret question.

Like those of `models.db.texts`, these functions add every wrong field to `problems`, by its path, and what they return
counts only once `errors.refuse_if_any(problems)` has passed.
"""

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from models.accounts import countries, passwords
from models.db import texts
from models.errors.errors import DomainError, Invalid, Missing, TooLong, TooShort

MOST_NAME = 80
MOST_BUSINESS_NAME = 200
MOST_EMAIL = 254  # RFC 5321, 4.5.3.1.3, less the two angle brackets
MOST_ADDRESS_LINE = 100
MOST_POSTCODE = 12
MOST_PHONE = 40
MOST_QUESTION = 200
MOST_ANSWER = 200
LEAST_QUESTION = 5
LEAST_ANSWER = 4

_PHONE_SEPARATORS = re.compile(r"\(0\)|[ ().\-/]")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,15}")
_POSTCODE = re.compile(r"[0-9A-Z]([0-9A-Z -]*[0-9A-Z])?")
_FRENCH_POSTCODE = re.compile(r"[0-9]{5}")


class Language(StrEnum):
    """The languages the portal speaks."""

    FR = "FR"
    EN = "EN"


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """A postal address, whole: there is no such thing as half of one."""

    line1: str
    line2: str | None
    line3: str | None
    postcode: str
    city: str
    country: str


def name(problems: list[DomainError], value: str | None, *path: str) -> str:
    """A mandatory first or last name of at most 80 characters."""
    return texts.required(problems, value, *path, most=MOST_NAME)


def business_name(problems: list[DomainError], value: str | None, *path: str) -> str:
    """A mandatory business name of at most 200 characters."""
    return texts.required(problems, value, *path, most=MOST_BUSINESS_NAME)


def email(problems: list[DomainError], value: str | None, *path: str) -> str:
    """A mandatory e-mail address, in the ASCII form that every relay delivers; its case is the person's."""
    text = texts.required(problems, value, *path, most=MOST_EMAIL)
    if not text:
        return ""
    parsed = _parsed_email(text)
    if parsed is None or parsed.ascii_email is None or len(parsed.ascii_email) > MOST_EMAIL:
        problems.append(Invalid(*path, rule="email"))
        return ""
    return parsed.ascii_email


def email_key(value: str) -> str:
    """What makes two addresses the same login: the tidied address without case; any text has one, even a wrong one."""
    text = texts.tidy(value)
    parsed = _parsed_email(text)
    return (parsed.ascii_email if parsed and parsed.ascii_email else text).casefold()


def phone(problems: list[DomainError], value: str | None, *path: str) -> str | None:
    """An optional telephone number, without separators: `+` and 7 to 15 digits (E.164), or a national one as dialled.

    A national number keeps its form: +33 would be wrong for the overseas ones, which look the same.
    """
    text = texts.optional(problems, value, *path, most=MOST_PHONE)
    if text is None:
        return None
    number = re.sub("^00", "+", _PHONE_SEPARATORS.sub("", text))
    if _PHONE.fullmatch(number):
        return number
    problems.append(Invalid(*path, rule="phone"))
    return None


def postal_address(problems: list[DomainError], address: Mapping[str, str | None], *path: str) -> PostalAddress:
    """A whole postal address; all of line 1, postcode, city and country are mandatory once one is given."""
    line1 = texts.required(problems, address.get("line1"), *path, "line1", most=MOST_ADDRESS_LINE)
    line2 = texts.optional(problems, address.get("line2"), *path, "line2", most=MOST_ADDRESS_LINE)
    line3 = texts.optional(problems, address.get("line3"), *path, "line3", most=MOST_ADDRESS_LINE)
    country = _country(problems, address.get("country"), *path, "country")
    postcode = _postcode(problems, address.get("postcode"), country, *path, "postcode")
    city = texts.required(problems, address.get("city"), *path, "city", most=MOST_ADDRESS_LINE)
    return PostalAddress(line1, line2, line3, postcode, city, country)


def language(problems: list[DomainError], value: str | None, *path: str) -> Language:
    """A mandatory language, given by its code in either case."""
    text = texts.tidy(value or "").upper()
    if text in Language.__members__:
        return Language[text]
    problems.append(Invalid(*path, rule="language") if text else Missing(*path))
    return Language.FR


def time_zone(problems: list[DomainError], value: str | None, *path: str) -> str:
    """A mandatory time zone, by its name in the IANA database."""
    text = texts.tidy(value or "")
    if text in _time_zones():
        return text
    problems.append(Invalid(*path, rule="time_zone") if text else Missing(*path))
    return ""


def secret_question(problems: list[DomainError], value: str | None, *path: str) -> str:
    """A mandatory question of 5 to 200 characters."""
    return texts.required(problems, value, *path, most=MOST_QUESTION, least=LEAST_QUESTION)


def secret_answer(problems: list[DomainError], value: str | None, *path: str) -> str:
    """A mandatory answer of 4 to 200 characters once it is in the normalised form that is hashed."""
    text = texts.required(problems, value, *path, most=MOST_ANSWER)
    if not text:
        return ""
    answer = passwords.normalise_answer(text)
    if len(answer) < LEAST_ANSWER:
        problems.append(TooShort(*path, least=LEAST_ANSWER))
    elif len(answer) > MOST_ANSWER:
        problems.append(TooLong(*path, most=MOST_ANSWER))
    return answer


def _parsed_email(text: str) -> ValidatedEmail | None:
    if len(text) > MOST_EMAIL:
        return None
    # Accented local parts are refused: most relays don't take them (SMTPUTF8). `.test` passes: it reaches nobody.
    try:
        parsed = validate_email(
            text, strict=True, check_deliverability=False, allow_smtputf8=False, test_environment=True
        )
    except EmailNotValidError:
        return None
    return parsed if "." in parsed.ascii_domain else None


def _country(problems: list[DomainError], value: str | None, *path: str) -> str:
    text = texts.required(problems, value, *path, most=MOST_ADDRESS_LINE)
    code = text.upper()
    if not text or code in countries.codes():
        return code
    problems.append(Invalid(*path, rule="country"))
    return ""


def _postcode(problems: list[DomainError], value: str | None, country: str, *path: str) -> str:
    text = texts.required(problems, value, *path, most=MOST_POSTCODE)
    if not text:
        return ""
    if country in countries.FRENCH_POSTCODES:
        postcode, form, rule = text.replace(" ", ""), _FRENCH_POSTCODE, "postcode_fr"
    else:
        postcode, form, rule = text.upper(), _POSTCODE, "postcode"
    if form.fullmatch(postcode):
        return postcode
    problems.append(Invalid(*path, rule=rule))
    return ""


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) - {"localtime", "Factory"}
