"""The pages behind mailed links: opening one changes nothing, sending its form acts once and says so."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from graph.http.csrf import Trusted
from graph.pages import account, layout
from models.accounts.accounts import Language
from models.accounts.tokens import Purpose
from models.errors.errors import (
    DatabaseAway,
    DomainError,
    ExpiredToken,
    InvalidToken,
    RateLimited,
    ReactivationExpired,
    Refusals,
    TooLong,
    WeakPassword,
    WrongSecretAnswer,
)

QUESTION = "Name of <your> first school?"
ANSWERS = {
    "token": "good",
    "password": "Correct-horse-9",
    "password_again": "Correct-horse-9",
    "secret_question": "Which street?",
    "secret_answer": "Elm",
}
REFUSED_TOKENS = {"bad": InvalidToken, "old": ExpiredToken, "late": ReactivationExpired}
WORDS = ("activate", "reactivate", "reset-password", "confirm-email")


class Desk:
    """The acts of the pages, kept in a list; what is to be refused is set beforehand."""

    def __init__(self) -> None:
        self.done: list[tuple[str, ...]] = []
        self.refusal: Exception | None = None

    async def inspect(self, purpose: Purpose, token: str) -> None:
        if isinstance(self.refusal, DatabaseAway):
            raise self.refusal
        if token in REFUSED_TOKENS:
            raise REFUSED_TOKENS[token]("token")

    async def secret_question(self, token: str) -> str | None:
        return QUESTION

    async def activate(self, *given: str) -> None:
        self._act("activate", *given)

    async def reactivate(self, *given: str) -> None:
        self._act("reactivate", *given)

    async def reset_password(self, *given: str) -> None:
        self._act("reset_password", *given)

    async def confirm_contact_email(self, *given: str) -> None:
        self._act("confirm_contact_email", *given)

    async def resend_activation(self, *given: str) -> None:
        self._act("resend_activation", *given)

    async def request_reactivation(self, *given: str) -> None:
        self._act("request_reactivation", *given)

    async def request_password_reset(self, *given: str) -> None:
        self._act("request_password_reset", *given)

    def _act(self, *call: str) -> None:
        if self.refusal:
            raise self.refusal
        self.done.append(call)


def explain(error: DomainError, language: Language) -> str:
    return f"{language}:{type(error).__name__}"


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def browser(desk: Desk) -> TestClient:
    @asynccontextmanager
    async def acts(_: Request) -> AsyncIterator[Desk]:
        yield desk

    trusted = Trusted("https://portal.example")
    routes = account.routes(acts, explain, trusted=trusted, sign_in_url="/graphql")
    routes += account.home_routes(sdl="type Query { a: Int }", graphiql=True, mails=False) + layout.routes()
    return TestClient(Starlette(routes=routes), headers={"accept-language": "en"})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("word", WORDS)
def test_a_scanner_opening_a_link_changes_nothing(browser: TestClient, desk: Desk, word: str, method: str) -> None:
    page = browser.request(method, f"/account/{word}?token=good")
    assert page.status_code == 200
    assert desk.done == []
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["content-security-policy"] == layout.POLICY
    assert "set-cookie" not in page.headers


@pytest.mark.parametrize(
    ("word", "act", "title"),
    [
        ("activate", ("activate", "good", "Correct-horse-9", "Which street?", "Elm"), "Your account is active"),
        (
            "reactivate",
            ("reactivate", "good", "Correct-horse-9", "Which street?", "Elm"),
            "Your account is active again",
        ),
        ("reset-password", ("reset_password", "good", "Elm", "Correct-horse-9"), "Your password is changed"),
        ("confirm-email", ("confirm_contact_email", "good"), "Your contact address is confirmed"),
    ],
)
def test_a_person_sending_the_form_acts_once(
    browser: TestClient, desk: Desk, word: str, act: tuple[str, ...], title: str
) -> None:
    page = browser.post(f"/account/{word}", data=ANSWERS)
    assert page.status_code == 200
    assert desk.done == [act]
    assert f"<h1>{title}</h1>" in page.text
    assert 'href="/graphql"' in page.text
    assert "set-cookie" not in page.headers


@pytest.mark.parametrize(("token", "status"), [("bad", 404), ("old", 410), ("late", 410)])
@pytest.mark.parametrize("word", WORDS)
def test_a_person_with_a_dead_link_learns_what_to_do(
    browser: TestClient, desk: Desk, word: str, token: str, status: int
) -> None:
    page = browser.get(f"/account/{word}?token={token}")
    assert page.status_code == status
    assert f"EN:{REFUSED_TOKENS[token].__name__}" in page.text
    renewable = word != "confirm-email" and token != "late"
    assert (f'action="/account/{word}/link"' in page.text) is renewable
    assert f'action="/account/{word}"' not in page.text
    assert desk.done == []


def test_a_person_whose_link_dies_while_typing_gets_the_page_of_dead_links(browser: TestClient, desk: Desk) -> None:
    desk.refusal = ExpiredToken("token")
    page = browser.post("/account/activate", data={**ANSWERS, "token": "old"})
    assert page.status_code == 410
    assert 'action="/account/activate/link"' in page.text


@pytest.mark.parametrize(
    ("word", "act"),
    [
        ("activate", "resend_activation"),
        ("reactivate", "request_reactivation"),
        ("reset-password", "request_password_reset"),
    ],
)
def test_a_person_asking_for_a_link_gets_one_answer_whatever_the_address(
    browser: TestClient, desk: Desk, word: str, act: str
) -> None:
    assert 'name="login_email"' in browser.get(f"/account/{word}").text
    one = browser.post(f"/account/{word}/link", data={"login_email": " known@a.example "})
    other = browser.post(f"/account/{word}/link", data={"login_email": "unknown@a.example"})
    assert (one.status_code, one.text) == (other.status_code, other.text)
    assert one.status_code == 200
    assert desk.done == [(act, "known@a.example"), (act, "unknown@a.example")]


def test_a_person_with_wrong_answers_sees_each_beside_its_field(browser: TestClient, desk: Desk) -> None:
    desk.refusal = Refusals([WeakPassword("password", reason="common"), TooLong("secret_question", most=255)])
    page = browser.post("/account/activate", data=ANSWERS)
    assert page.status_code == 422
    assert '<a href="#password">New password</a>: EN:WeakPassword' in page.text
    assert '<p class="error" id="secret_question-error">EN:TooLong</p>' in page.text
    assert 'aria-describedby="secret_question-hint secret_question-error"' in page.text
    assert page.text.count('aria-invalid="true"') == 2
    assert "<title>Error: Activate your account" in page.text


def test_a_person_with_wrong_answers_finds_the_question_again_but_no_secret(browser: TestClient, desk: Desk) -> None:
    desk.refusal = WrongSecretAnswer("secret_answer")
    page = browser.post("/account/reactivate", data=ANSWERS)
    assert 'value="Which street?"' in page.text
    assert "Correct-horse-9" not in page.text
    assert "Elm" not in page.text


def test_a_person_who_repeats_the_password_wrong_or_leaves_blanks_changes_nothing(
    browser: TestClient, desk: Desk
) -> None:
    differing = browser.post("/account/activate", data={**ANSWERS, "password_again": "Correct-horse-8"})
    assert differing.status_code == 422
    assert '<p class="error" id="password_again-error">EN:Invalid</p>' in differing.text
    blank = browser.post("/account/activate", data={"token": "good", "password": " "})
    assert blank.status_code == 422
    assert re.findall(r'id="(\w+)-error">EN:Missing', blank.text) == [
        "password",
        "password_again",
        "secret_question",
        "secret_answer",
    ]
    assert desk.done == []


@pytest.mark.parametrize("word", ["activate", "reactivate", "reset-password"])
def test_a_password_is_masked_and_may_be_pasted_or_filled_in(browser: TestClient, word: str) -> None:
    page = browser.get(f"/account/{word}?token=good").text
    inputs = [tag for tag in re.findall(r"<input[^>]+>", page) if 'name="password' in tag]
    assert len(inputs) == 2
    for tag in inputs:
        assert 'type="password"' in tag
        assert 'autocomplete="new-password"' in tag
    assert re.findall(r"<script|\son\w+=|readonly", page) == []


def test_a_person_resetting_sees_their_question_as_text(browser: TestClient) -> None:
    page = browser.get("/account/reset-password?token=good")
    assert "Name of &lt;your&gt; first school?" in page.text
    assert 'aria-describedby="question secret_answer-hint"' in page.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "https://portal.example"}, 200),
        ({"origin": "http://testserver"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null", "sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_a_page_of_another_site_cannot_send_the_form(
    browser: TestClient, desk: Desk, headers: dict[str, str], status: int
) -> None:
    page = browser.post("/account/activate", data=ANSWERS, headers=headers)
    assert page.status_code == status
    assert len(desk.done) == (1 if status == 200 else 0)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("", b"token=good", 415),
        ("application/x-www-form-urlencoded", b"token=" + b"a" * 16 * 1024, 413),
        ("application/x-www-form-urlencoded", b"token=\xff", 400),
        ("application/x-www-form-urlencoded", b"token=%ff", 400),
        ("application/x-www-form-urlencoded", b"token=good&secret_question=a%00b", 400),
        ("application/x-www-form-urlencoded", b"&".join(b"a=b" for _ in range(30)), 400),
    ],
)
def test_a_form_that_is_no_form_changes_nothing(
    browser: TestClient, desk: Desk, content_type: str, body: bytes, status: int
) -> None:
    page = browser.post("/account/activate", content=body, headers={"content-type": content_type})
    assert page.status_code == status
    assert "<h1>This form could not be read</h1>" in page.text
    assert desk.done == []


@pytest.mark.parametrize(("refusal", "status", "after"), [(RateLimited(30), 429, "30"), (DatabaseAway(), 503, "5")])
def test_a_person_who_must_wait_is_told_so(
    browser: TestClient, desk: Desk, refusal: Exception, status: int, after: str
) -> None:
    desk.refusal = refusal
    page = browser.post("/account/activate/link", data={"login_email": "a@a.example"})
    assert page.status_code == status
    assert page.headers["retry-after"] == after


@pytest.mark.parametrize(
    ("accept", "address", "language"),
    [
        ("", "", "fr"),
        ("de, es;q=0.5", "", "fr"),
        ("en-GB,en;q=0.9,fr;q=0.8", "", "en"),
        ("fr, en;q=0.95, fr-CA;q=0.9", "", "fr"),
        ("en;q=0, fr;q=0.1", "", "fr"),
        ("en", "&lang=fr", "fr"),
        ("fr", "&lang=EN", "en"),
        ("en", "&lang=xx", "en"),
    ],
)
def test_a_reader_gets_their_language(browser: TestClient, accept: str, address: str, language: str) -> None:
    page = browser.get(f"/account/activate?token=good{address}", headers={"accept-language": accept})
    assert page.headers["content-language"] == language
    assert f'<html lang="{language}">' in page.text
    other = "en" if language == "fr" else "fr"
    assert f'href="/account/activate?token=good&amp;lang={other}"' in page.text


def test_a_reader_who_chose_a_language_keeps_it_after_the_form(browser: TestClient) -> None:
    page = browser.post("/account/activate", data={**ANSWERS, "lang": "fr"})
    assert "<h1>Votre compte est actif</h1>" in page.text


def test_both_languages_have_the_same_texts() -> None:
    def keys(texts: object) -> object:
        return {name: keys(value) for name, value in texts.items()} if isinstance(texts, dict) else None

    assert keys(layout.TEXTS[Language.FR]) == keys(layout.TEXTS[Language.EN])


def test_a_visitor_finds_what_the_server_offers(browser: TestClient) -> None:
    page = browser.get("/")
    assert re.findall(r'<li><a href="([^"]+)"', page.text) == ["/graphql", "/schema.graphql"]
    assert browser.get("/schema.graphql").text == "type Query { a: Int }"
