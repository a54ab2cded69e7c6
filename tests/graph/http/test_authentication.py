"""Who an operation acts for, in which language, and what becomes of the cookie."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from graph.app import office_of
from graph.http.authentication import COOKIE, DEVICE_COOKIE
from models.accounts.sessions import Session
from models.db import database
from tests.conftest import Clock
from tests.graph.support.apps import SIGN_IN, ask, served, settings_of
from tests.resolvers.support.mailbox import token_of
from tests.support import factories

ME = "{ me { loginEmail language } }"
PUBLIC = [
    'signIn(input: {loginEmail: "a@a.example", password: "x"})',
    'signUp(input: {loginEmail: "a@a.example", firstName: "A", lastName: "B", acceptTerms: true})',
    'requestPasswordReset(loginEmail: "a@a.example")',
    'confirmContactEmail(token: "x")',
]


async def _signed_in(client: httpx.AsyncClient, email: str) -> tuple[str, httpx.Response]:
    variables = {"email": email, "password": factories.PASSWORD}
    response = await client.post("/graphql", json={"query": SIGN_IN, "variables": variables})
    return response.json()["data"]["signIn"]["token"], response


async def test_a_bearer_token_stands_for_its_account(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        ada = await factories.person()
        token, _ = await _signed_in(client, ada.login_email)
        client.cookies.clear()
        answer = await ask(client, ME, {"authorization": f"Bearer {token}"})
        assert answer["data"] == {"me": {"loginEmail": ada.login_email, "language": "EN"}}


@pytest.mark.parametrize("header", ["Bearer nobody's", "Bearer ", "Basic abc", "ApiKey abc", ""])
async def test_a_token_that_is_no_good_is_nobodys(tmp_path: Path, database_url: str, header: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        assert (await ask(client, ME, {"authorization": header}))["data"] == {"me": None}


async def test_a_session_left_alone_too_long_is_nobodys(tmp_path: Path, database_url: str, clock: Clock) -> None:
    settings = settings_of(tmp_path, database_url, session_idle="1h")
    async with served(settings, clock=clock, sends=False) as client:
        ada = await factories.person()
        await _signed_in(client, ada.login_email)
        clock.now += timedelta(minutes=59)
        assert (await ask(client, ME))["data"]["me"] is not None
        clock.now += timedelta(minutes=61)
        assert (await ask(client, ME))["data"]["me"] is None


async def test_signing_in_sets_a_cookie_that_counts_and_signing_out_takes_it(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        ada = await factories.person()
        token, response = await _signed_in(client, ada.login_email)
        cookie = response.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}={token}; ")
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Secure" not in cookie
        assert (await ask(client, ME))["data"]["me"] == {"loginEmail": ada.login_email, "language": "EN"}
        await ask(client, "mutation { signOut { acknowledged } }")
        assert COOKIE not in client.cookies
        assert (await ask(client, ME, {"cookie": f"{COOKIE}={token}"}))["data"]["me"] is None


async def test_cookies_of_a_secure_place_are_bound_to_its_host(tmp_path: Path, database_url: str) -> None:
    settings = settings_of(tmp_path, database_url, public_url="https://accounts.example")
    async with served(settings, sends=False) as client:
        ada = await factories.person()
        token, response = await _signed_in(client, ada.login_email)
        set_cookies = response.headers.get_list("set-cookie")
        assert set_cookies[0].startswith(f"__Host-{COOKIE}={token}; ")
        assert set_cookies[1].startswith(f'{COOKIE}=""; ')  # the one of before the prefix goes
        assert set_cookies[2].startswith(f"__Host-{DEVICE_COOKIE}=")
        assert "Max-Age=34560000" in set_cookies[2]
        for cookie in (set_cookies[0], set_cookies[2]):
            assert "HttpOnly" in cookie
            assert "Secure" in cookie
            assert "SameSite=lax" in cookie
            assert "Path=/" in cookie
            assert len(cookie.partition(";")[0]) < 100
            assert "Domain" not in cookie
        left = await client.post("/graphql", json={"query": "mutation { signOut { acknowledged } }"})
        assert left.headers["clear-site-data"] == '"cache", "storage"'
        assert list(client.cookies) == [f"__Host-{DEVICE_COOKIE}"]


async def test_a_cookie_of_before_the_prefix_counts_until_its_session_ends(tmp_path: Path, database_url: str) -> None:
    settings = settings_of(tmp_path, database_url, public_url="https://accounts.example")
    async with served(settings, sends=False) as client:
        ada = await factories.person()
        token, _ = await _signed_in(client, ada.login_email)
        client.cookies.clear()
        old = {"cookie": f"{COOKIE}={token}"}
        assert (await ask(client, ME, old))["data"]["me"] is None  # a page of a subdomain could have set it
        await Session.all().update(source=None)  # as a session of before was
        assert (await ask(client, ME, old))["data"]["me"] is not None


@pytest.mark.parametrize(("delivery", "in_body", "in_cookie"), [("COOKIE", False, True), ("TOKEN", True, False)])
async def test_the_client_says_how_the_token_comes(
    tmp_path: Path, database_url: str, delivery: str, in_body: bool, in_cookie: bool
) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        ada = await factories.person()
        query = (
            f'mutation {{ signIn(input: {{loginEmail: "{ada.login_email}", password: "{factories.PASSWORD}",'
            f" delivery: {delivery}}}) {{ token deviceToken account {{ id }} }} }}"
        )
        payload = (await ask(client, query))["data"]["signIn"]
        assert (payload["token"] is not None, payload["deviceToken"] is not None) == (in_body, in_body)
        assert payload["account"] is not None
        assert ((await ask(client, ME))["data"]["me"] is not None) is in_cookie


async def test_a_sign_in_ends_the_cookies_older_session(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        ada, bob = await factories.person(), await factories.person()
        older, _ = await _signed_in(client, ada.login_email)
        await _signed_in(client, bob.login_email)
        assert await Session.all().count() == 1
        assert (await ask(client, ME, {"authorization": f"Bearer {older}"}))["data"]["me"] is None
        assert await factories.event_types() == ["SignedIn", "SignedOut", "SignedIn"]


async def test_the_device_cookie_lets_its_owner_in_while_others_guess(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url, rate_limits=False), sends=False) as client:
        ada = await factories.person()
        await _signed_in(client, ada.login_email)
        await ask(client, "mutation { signOut { acknowledged } }")
        device = client.cookies[DEVICE_COOKIE]
        client.cookies.clear()
        for _ in range(6):
            await ask(client, SIGN_IN, email=ada.login_email, password="Wrong-Password-2026")
        right: dict[str, Any] = {"email": ada.login_email, "password": factories.PASSWORD}
        limited = await ask(client, SIGN_IN, **right)
        assert limited["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
        let_in = await ask(client, SIGN_IN, {"cookie": f"{DEVICE_COOKIE}={device}"}, **right)
        assert let_in["data"]["signIn"]["token"] is not None


async def test_the_device_cookie_counts_on_the_page_that_resets_a_password(tmp_path: Path, database_url: str) -> None:
    settings = settings_of(tmp_path, database_url, rate_limits=False)
    async with served(settings, sends=False) as client:
        ada = await factories.person()
        await _signed_in(client, ada.login_email)
        device = client.cookies[DEVICE_COOKIE]
        client.cookies.clear()
        await ask(client, f'mutation {{ requestPasswordReset(loginEmail: "{ada.login_email}") {{ acknowledged }} }}')
        new = {"password": "Lighthouse-Keeper-7", "password_again": "Lighthouse-Keeper-7"}
        form = {"token": await token_of(office_of(settings), "password_reset"), "lang": "en"} | new

        async def reset(answer: str, **headers: str) -> int:
            given = form | {"secret_answer": answer}
            return (await client.post("/account/reset-password", data=given, headers=headers)).status_code

        assert [await reset("wrong") for _ in range(6)] == [422] * 5 + [429]
        assert await reset("demo") == 429
        assert await reset("demo", cookie=f"{DEVICE_COOKIE}={device}") == 200
        answer = await ask(client, SIGN_IN, email=ada.login_email, password="Lighthouse-Keeper-7")
        assert answer["data"]["signIn"]["token"] is not None


async def test_the_cookie_is_secure_away_from_loopback(tmp_path: Path, database_url: str) -> None:
    settings = settings_of(tmp_path, database_url, public_url="https://accounts.example")
    async with served(settings, sends=False) as client:
        ada = await factories.person()
        _, response = await _signed_in(client, ada.login_email)
        assert "Secure" in response.headers["set-cookie"]
        assert response.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
async def test_another_sites_page_can_not_use_the_cookie(
    tmp_path: Path, database_url: str, headers: dict[str, str]
) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        ada = await factories.person()
        await _signed_in(client, ada.login_email)
        assert (await ask(client, ME, headers))["data"]["me"] is None


async def test_a_header_that_names_none_of_our_languages_leaves_the_accounts(tmp_path: Path, database_url: str) -> None:
    wrong = "{ structures(search: {}, first: 1) { totalCount } }"
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        ada = await factories.person(language="EN")
        anonymous = await ask(client, wrong, {"accept-language": "de"})
        await _signed_in(client, ada.login_email)
        english = await ask(client, wrong, {"accept-language": "de"})
        french = await ask(client, wrong, {"accept-language": "fr"})
        assert anonymous["errors"][0]["message"] == "Connectez-vous d'abord."
        assert english["errors"][0]["message"] != french["errors"][0]["message"]


async def test_a_database_that_goes_away_is_told_as_such(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        await database.close()
        await database.connect("postgres://nobody@127.0.0.1:1/none")
        response = await client.post("/graphql", json={"query": ME}, headers={"authorization": "Bearer x"})
        assert response.status_code == 503
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        for act in PUBLIC:
            response = await client.post("/graphql", json={"query": f"mutation {{ {act} {{ errors {{ code }} }} }}"})
            assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert (await client.get("/account/activate?token=x")).status_code == 503
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200
        await database.close()
        await database.connect(database_url)
