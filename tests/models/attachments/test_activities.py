"""What is taken of an activity from outside: keys, links and moments, right and wrong."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from models.activities import activities
from models.errors.errors import DomainError

NOW = datetime(2027, 3, 15, 9, 0, tzinfo=UTC)


def told(problems: list[DomainError]) -> list[tuple[str, str]]:
    return [(type(error).__name__, str(error.data.get("rule", ""))) for error in problems]


@pytest.mark.parametrize("value", ["1", "x" * 200, "invoice/2027-03/№ 42", " a ", "e\u0301"])
def test_a_key_is_taken_exactly_as_it_was_sent(value: str) -> None:
    problems: list[DomainError] = []
    assert (activities.key(problems, value, "key"), problems) == (value, [])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", ("Missing", "")),
        (" \u00a0", ("Missing", "")),
        ("x" * 201, ("TooLong", "")),
        ("a\0b", ("Invalid", "text")),
        ("a\nb", ("Invalid", "text")),
        ("a\u200bb", ("Invalid", "text")),
    ],
)
def test_a_key_that_can_not_be_one_is_refused(value: str, problem: tuple[str, str]) -> None:
    problems: list[DomainError] = []
    activities.key(problems, value, "key")
    assert told(problems) == [problem]


@pytest.mark.parametrize(
    ("value", "link"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ("https://portal.example/invoices/7?lang=fr#top", "https://portal.example/invoices/7?lang=fr#top"),
        (" HTTP://portal.example:8080/ ", "HTTP://portal.example:8080/"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]/x"),
        ("https://a.example/" + "x" * 2030, "https://a.example/" + "x" * 2030),
        ("https://a.example/?to=b@c.example", "https://a.example/?to=b@c.example"),
    ],
)
def test_a_link_leads_to_a_host_by_http(value: str | None, link: str | None) -> None:
    problems: list[DomainError] = []
    assert (activities.link(problems, value, "url"), problems) == (link, [])


@pytest.mark.parametrize(
    "value",
    [
        "portal.example",
        "/invoices/7",
        "//portal.example/",
        "ftp://portal.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https:portal.example",
        "https://",
        "https:///x",
        "https://:443/",
        "https://user:secret@portal.example/",
        "https://bank.example@evil.example/",
        "https://evil.example\\@bank.example/",
        "https://portal.example/a b",
        'https://portal.example/"><script>',
        "https://portal.example:0/",
        "https://portal.example:99999/",
        "https://portal.example:x/",
        "https://[x/",
        "https://éxample.example/",
    ],
)
def test_any_other_link_is_refused(value: str) -> None:
    problems: list[DomainError] = []
    activities.link(problems, value, "url")
    assert told(problems) == [("Invalid", "url")]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("https://a.example/" + "x" * 2031, ("TooLong", "")),
        ("https://a.example/\0", ("Invalid", "text")),
        ("https://a.ex\nample/", ("Invalid", "text")),
    ],
)
def test_a_link_is_a_text_of_its_length(value: str, problem: tuple[str, str]) -> None:
    problems: list[DomainError] = []
    activities.link(problems, value, "url")
    assert told(problems) == [problem]


@pytest.mark.parametrize(
    "value",
    [
        NOW,
        NOW + timedelta(days=1),
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2027, 3, 16, 22, 59, tzinfo=timezone(timedelta(hours=14))),
    ],
)
def test_a_moment_since_2000_and_a_day_ahead_at_most_is_taken(value: datetime) -> None:
    problems: list[DomainError] = []
    taken = activities.occurrence(problems, value, "occurred_at", now=NOW)
    assert (taken, taken.tzinfo, problems) == (value, UTC, [])


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (datetime(2027, 3, 1), "time_zone_given"),  # noqa: DTZ001 - what is refused
        (NOW + timedelta(days=1, microseconds=1), "occurrence"),
        (datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), "occurrence"),
        (datetime(2000, 1, 1, tzinfo=timezone(timedelta(hours=1))), "occurrence"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), "occurrence"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))), "occurrence"),
    ],
)
def test_any_other_moment_is_refused(value: datetime, rule: str) -> None:
    problems: list[DomainError] = []
    activities.occurrence(problems, value, "occurred_at", now=NOW)
    assert told(problems) == [("Invalid", rule)]
