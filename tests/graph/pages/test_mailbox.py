"""The mail page lists what the courier wrote to its folder, and shows each message without trusting it."""

import os
import re
from email.message import EmailMessage
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from graph.http.accept import LANGUAGES
from graph.pages import layout, mail_previews, mailbox
from mailer.rendering import Letterhead
from mailer.samples import SAMPLES
from tests.graph.cli.test_commands import run
from tests.graph.support.apps import served, settings_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two messages, beside a file that is not to be shown."""
    (tmp_path / "secret.eml").write_text("Subject: outside\n\nnot shown\n")
    inside = tmp_path / "mails"
    inside.mkdir()
    for age, (name, subject) in enumerate([("b.eml", "Réactivez <b>"), ("a.eml", "Activez votre compte")]):
        message = EmailMessage()
        message["Subject"], message["To"] = subject, "noor@demo.example"
        message.set_content("Ouvrez http://127.0.0.1/account/activate?token=x&y=1.\n<i>text</i>\n")
        message.add_alternative("<html><head></head><body><a href='http://a.example'>ici</a></body></html>", "html")
        (inside / name).write_bytes(bytes(message))
        os.utime(inside / name, (1_000_000_000 - age, 1_000_000_000 - age))
    (inside / "notes.txt").write_text("no message")
    (inside / "link.eml").symlink_to(tmp_path / "secret.eml")
    return inside


@pytest.fixture
def browser(folder: Path) -> TestClient:
    return TestClient(Starlette(routes=mailbox.routes(folder)), "http://127.0.0.1", headers={"accept-language": "en"})


def test_a_reader_sees_the_latest_message_first(browser: TestClient) -> None:
    page = browser.get("/mails")
    assert page.status_code == 200
    assert page.text.index("Réactivez &lt;b&gt;") < page.text.index("Activez votre compte")
    assert page.text.count("<li>") == 2
    assert "2001-09-09 01:46:40 UTC" in page.text


def test_a_reader_of_hundreds_of_messages_turns_pages_and_a_file_is_read_again_only_once_it_changed(
    tmp_path: Path,
) -> None:
    def write(name: str, subject: str, at: int) -> None:
        (tmp_path / name).write_text(f"Subject: {subject}\nTo: noor@demo.example\n\ntext\n")
        os.utime(tmp_path / name, (at, at))

    for number in range(120):
        write(f"{number}.eml", f"number {number:03}", 1_000_000_000 + number)
    index = mailbox.Index(tmp_path)

    def subjects(page: int) -> list[str]:
        return [letter.subject for letter in index.page(page)[0]]

    assert subjects(1) == [f"number {number:03}" for number in range(119, 69, -1)]
    assert subjects(3) == [f"number {number:03}" for number in range(19, -1, -1)]
    assert (subjects(9), index.page(1)[1]) == (subjects(3), 3)
    write("117.eml", "number xxx", 1_000_000_117)  # by its time and length it is the same
    write("118.eml", "written anew, from outside", 2_000_000_000)
    write("new.eml", "added from outside", 1_500_000_000)
    (tmp_path / "119.eml").unlink()
    assert subjects(1)[:4] == ["written anew, from outside", "added from outside", "number 117", "number 116"]


def test_a_reader_is_led_from_page_to_page(tmp_path: Path) -> None:
    for number in range(51):
        (tmp_path / f"{number}.eml").write_text("Subject: x\n\n")
    browser = TestClient(Starlette(routes=mailbox.routes(tmp_path)), "http://127.0.0.1")
    first, second = (browser.get(f"/mails?page={number}&lang=en") for number in (1, 2))
    assert 'rel="next" href="/mails?page=2"' in first.text
    assert 'rel="prev" href="/mails?page=1"' in second.text
    assert [page.text.count("<li>") for page in (first, second)] == [50, 1]
    assert browser.get("/mails?page=x").text.count("<li>") == 50


def test_a_reader_follows_a_link_of_the_text(browser: TestClient) -> None:
    page = browser.get("/mails/b.eml")
    address = "http://127.0.0.1/account/activate?token=x&amp;y=1"
    assert f'<a href="{address}">{address}</a>.' in page.text
    assert "&lt;i&gt;text&lt;/i&gt;" in page.text
    assert "<dd>noor@demo.example</dd>" in page.text
    assert 'src="/mails/b.eml/html"' in page.text


def test_a_message_runs_no_script_and_loads_nothing(browser: TestClient) -> None:
    page = browser.get("/mails/a.eml/html")
    assert page.headers["content-security-policy"] == mailbox.LETTER_POLICY
    assert mailbox.LETTER_POLICY.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'")
    assert page.text.startswith('<html><head><base target="_blank"></head>')


@pytest.mark.parametrize(
    "name", ["c.eml", "notes.txt", "link.eml", "..%2Fsecret.eml", "%2e%2e%2fsecret.eml", "..", "%00.eml", "*.eml"]
)
def test_a_reader_opens_nothing_but_the_messages(browser: TestClient, name: str) -> None:
    page = browser.get(f"/mails/{name}")
    assert page.status_code == 404
    assert "not shown" not in page.text


def test_a_page_elsewhere_cannot_reach_the_mails_under_its_own_name(browser: TestClient) -> None:
    for address in ("/mails", "/mails/a.eml", "/mails/a.eml/html"):
        assert browser.get(address, headers={"host": "rebound.example"}).status_code == 421
    assert browser.get("/mails", headers={"host": "[::1]:8000"}).status_code == 200
    assert browser.get("/mails", headers={"host": "localhost:8000"}).status_code == 200


@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "forwarded", "via"]
)
def test_a_request_that_a_proxy_brought_sees_no_mail(folder: Path, header: str) -> None:
    letterhead = Letterhead("Portail <no-reply@rattache.example>", "http://127.0.0.1:8000")
    app = Starlette(routes=[*mail_previews.routes(letterhead), *mailbox.routes(folder)])
    browser = TestClient(app, "http://127.0.0.1", headers={header: "127.0.0.1"})
    addresses = ("/mails", "/mails/a.eml", "/mails/a.eml/html", "/mails/preview", "/mails/preview/en/weekly_recap")
    assert [browser.get(address).status_code for address in addresses] == [421] * len(addresses)


async def test_an_installation_with_a_public_address_has_no_mail_page(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, public_url="https://accounts.example.org")
    async with served(settings, sends=False) as client:
        found = [
            (await client.get(path, headers={"host": host})).status_code
            for path in ("/mails", "/mails/preview")
            for host in ("accounts.example.org", "127.0.0.1")
        ]
    assert found == [404, 421] * 2


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_public_address_without_a_mail_server_starts_nothing(tmp_path: Path, command: str) -> None:
    done = run(tmp_path, command, PUBLIC_URL="https://accounts.example.org")
    sentence = "PUBLIC_URL is not this machine's, so mails must leave it: set SMTP_URL."
    assert (done.returncode, done.stderr) == (2, f"rattache: {sentence}\n")


def test_check_says_that_a_public_address_needs_a_mail_server(tmp_path: Path) -> None:
    done = run(tmp_path, "check", PUBLIC_URL="https://accounts.example.org")
    sentence = "PUBLIC_URL is not this machine's, so mails must leave it: set SMTP_URL."
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, f"configuration  FAILED  {sentence}")


def test_a_reader_before_the_first_mail_is_told_there_is_none(tmp_path: Path) -> None:
    browser = TestClient(Starlette(routes=mailbox.routes(tmp_path / "none")), "http://localhost")
    page = browser.get("/mails?lang=fr")
    assert page.status_code == 200
    assert layout.TEXTS[LANGUAGES["fr"]]["mails"]["none"] in page.text


def test_a_reader_sees_how_each_message_would_read(folder: Path) -> None:
    letterhead = Letterhead("Portail <no-reply@rattache.example>", "http://127.0.0.1:8000")
    app = Starlette(routes=[*mail_previews.routes(letterhead), *mailbox.routes(folder)])
    browser = TestClient(app, "http://127.0.0.1", headers={"accept-language": "en"})
    listed = browser.get("/mails/preview")
    links = re.findall(r'href="(/mails/preview/en/[\w-]+)"', listed.text)
    assert len(links) == len(set(links)) == len(SAMPLES)
    page = browser.get("/mails/preview/fr/weekly_recap")
    assert "Votre semaine" in page.text
    assert '<iframe src="/mails/preview/fr/weekly_recap/html"' in page.text
    html = browser.get("/mails/preview/fr/weekly_recap/html")
    assert html.headers["content-security-policy"] == mailbox.LETTER_POLICY
    assert "Ateliers Delmas &amp; Fils" in html.text
    assert [browser.get(f"/mails/preview/{path}").status_code for path in ("de/weekly_recap", "fr/none/html")] == [
        404
    ] * 2
    assert browser.get("/mails/b.eml").status_code == 200
