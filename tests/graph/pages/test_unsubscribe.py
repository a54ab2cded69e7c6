"""The way out of a periodical mail, from the mail's own bytes: opening changes nothing, one post stops them."""

import re
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from graph.app import office_of
from graph.settings import Settings
from graph.worker.workers import courier
from mailer.courier import Courier
from models.accounts.accounts import Account
from models.attachments.attachments import Attachment, AttachmentStatus
from models.events.events import Event
from models.mail.outbox import Mail, MailState
from models.structures.structures import Structure
from resolvers.accounts import digests
from resolvers.scope import Scope
from tests.conftest import Clock
from tests.graph.support.apps import ask, served, settings_of
from tests.mailer.support.letters import parsed
from tests.support import factories

ONE_CLICK = {"List-Unsubscribe": "One-Click"}  # RFC 8058 3.1
UNSUBSCRIBE = "mutation ($token: String!) { unsubscribe(token: $token) { acknowledged errors { code message } } }"
LINK = re.compile(r"http://127\.0\.0\.1:8000/account/unsubscribe\?token=([\w%-]+)")


class Post:
    """An installation whose mails are files: a reader, their structure, and what the courier wrote."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        office = office_of(settings, clock)
        self.settings, self.clock, self.scope = settings, clock, Scope(office)
        self.courier: Courier = courier(settings, office.sealer)

    async def reader(self, **changes: Any) -> tuple[Account, Structure]:
        person = await factories.person(receive_activity_notifications=True, **changes)
        structure = await factories.structure(person, name="Delmas & Fils")
        title = "Facture 7 rejetée : « montant » <faux>"
        at = {"occurred_at": self.clock.now - timedelta(hours=5), "recorded_at": self.clock.now - timedelta(hours=5)}
        await factories.activity(
            structure, await factories.integration(), title=title, url="https://portal.example/7?a=1&b=2",
            requires_acknowledgement=True, kind="INVOICE_REJECTED", **at,
        )  # fmt: skip
        return person, structure

    async def sent(self) -> EmailMessage | None:
        """The mail of the only digest, once the job and the courier have worked."""
        await digests.send_digests(self.scope)
        await self.courier.run_once(self.clock.now)
        files = list(self.settings.mails.glob("*.eml"))
        assert len(files) <= 1
        return parsed(files[0].read_bytes()) if files else None


@pytest.fixture
def post(tmp_path: Path, database_url: str, clock: Clock) -> Post:
    return Post(settings_of(tmp_path, database_url), clock)


async def wants(person: Account) -> bool:
    await person.refresh_from_db()
    return bool(person.receive_activity_notifications)


def address_of(mail: EmailMessage) -> str:
    """The address that a mail program posts to."""
    header = str(mail["List-Unsubscribe"])
    assert header.startswith("<")
    assert header.endswith(">")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return header[1:-1]


async def test_a_digest_reads_as_bytes_what_was_recorded_and_carries_its_way_out(post: Post) -> None:
    async with served(post.settings, clock=post.clock, sends=False):
        await post.reader(language="FR")
        mail = await post.sent()
    assert mail is not None
    assert mail["Subject"].replace("\u00a0", " ") == "Une nouvelle activité, dont 1 facture rejetée : Delmas & Fils"
    assert mail["Auto-Submitted"] == "auto-generated"
    plain, html = (
        mail.get_body((kind,)).get_content().replace("\r\n", "\n")  # type: ignore[union-attr]
        for kind in ("plain", "html")
    )
    assert "\nDelmas & Fils\n\n- Facture 7 rejetée : « montant » <faux>\n" in plain
    assert "\n  Attestez que vous en avez pris connaissance :\n  https://portal.example/7?a=1&b=2\n" in plain
    assert (
        'Attestez que vous en avez pris connaissance : <a class="plain" href="https://portal.example/7?a=1&amp;b=2"'
        in html
    )
    assert "&lt;faux&gt;" in html
    tokens = {match for text in (plain, html, address_of(mail)) for match in LINK.findall(text)}
    assert len(tokens) == 1
    assert not any(LINK.search(str(mail[name])) for name in ("Subject", "From", "To"))


@pytest.mark.parametrize("form", ["multipart", "urlencoded", "empty"])
async def test_a_mail_program_stops_them_by_one_post_and_a_scanner_by_none(post: Post, form: str) -> None:
    async with served(post.settings, clock=post.clock, sends=False) as client:
        person, _ = await post.reader()
        mail = await post.sent()
        assert mail is not None
        address = address_of(mail)
        for method in ("GET", "HEAD", "GET"):
            opened = await client.request(method, address)
            assert opened.status_code == 200
        assert await wants(person)
        assert await Event.filter(type="ActivityNotificationsStopped").count() == 0
        forms: dict[str, dict[str, Any]] = {
            "multipart": {"files": {name: (None, value) for name, value in ONE_CLICK.items()}},
            "urlencoded": {"data": ONE_CLICK},
            "empty": {},
        }
        stopped = await client.post(address, headers={"origin": "https://mail.example"}, **forms[form])
        assert (stopped.status_code, stopped.history) == (200, [])
        assert "set-cookie" not in stopped.headers
        assert not await wants(person)
        again = await client.post(address, data=ONE_CLICK)
        assert again.status_code == 200
        assert await Event.filter(type="ActivityNotificationsStopped").count() == 1


async def test_a_person_stops_them_by_the_pages_button_in_their_language(post: Post) -> None:
    async with served(post.settings, clock=post.clock, sends=False) as client:
        person, _ = await post.reader()
        mail = await post.sent()
        assert mail is not None
        page = await client.get(address_of(mail), headers={"accept-language": "en"})
        assert "<h1>Stop receiving activity notifications</h1>" in page.text
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
        done = await client.post("/account/unsubscribe", data=fields)
        assert "<h1>You will no longer receive activity notifications</h1>" in done.text
        assert not await wants(person)


async def test_a_client_application_stops_them_by_the_api(post: Post) -> None:
    async with served(post.settings, clock=post.clock, sends=False) as client:
        person, _ = await post.reader()
        token = post.scope.office.sealer.unsubscription(person.id)
        answers = [(await ask(client, UNSUBSCRIBE, token=text))["data"]["unsubscribe"] for text in ("x", token)]
        assert [answer["acknowledged"] for answer in answers] == [False, True]
        assert answers[0]["errors"][0]["code"] == "INVALID_TOKEN"
        assert not await wants(person)


@pytest.mark.parametrize("token", ["", "x", "\u00e9", "A" * 44, "A" * 9000])
async def test_a_link_that_was_altered_shows_what_to_do_instead(post: Post, token: str) -> None:
    async with served(post.settings, clock=post.clock, sends=False) as client:
        headers = {"accept-language": "en"}
        for method in ("GET", "POST"):
            page = await client.request(method, "/account/unsubscribe", params={"token": token}, headers=headers)
            assert page.status_code == 404
            assert "switch the notifications off in your account" in page.text


async def test_a_database_that_is_away_is_told_as_such(tmp_path: Path, clock: Clock) -> None:
    settings = settings_of(tmp_path, "postgres://nobody@127.0.0.1:1/none")
    token = office_of(settings, clock).sealer.unsubscription(1)
    async with served(settings, clock=clock, sends=False) as client:
        answers: list[httpx.Response] = [
            await client.request(method, f"/account/unsubscribe?token={token}") for method in ("GET", "POST")
        ]
    assert [answer.status_code for answer in answers] == [503, 503]


@pytest.mark.parametrize("loss", ["right", "switch"])
async def test_a_reader_who_lost_the_right_while_the_mail_waited_gets_none(post: Post, loss: str) -> None:
    async with served(post.settings, clock=post.clock, sends=False):
        person, _ = await post.reader()
        await digests.send_digests(post.scope)
        if loss == "right":
            changed = {"role": "SIMPLE_USER", "status": AttachmentStatus.DEACTIVATED}
            await Attachment.filter(user_id=person.id).update(**changed)
        else:
            await Account.filter(id=person.id).update(receive_activity_notifications=False)
        assert await post.sent() is None
        (mail,) = await Mail.all()
        assert (mail.state, mail.last_error) == (MailState.WITHDRAWN, "nothing of it concerns its reader any more")
