"""What mails say: every message in both languages, the same facts in both forms, and nothing typed acts as markup."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date, datetime
from email.message import EmailMessage
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import UndefinedError, meta, nodes

from mailer import catalogues, digests, messages, payloads, previews, rendering, samples
from mailer.catalogues import MESSAGES
from mailer.facts import LinkMessage, LinkToken, Message, name_of
from mailer.rendering import TEMPLATES
from mailer.samples import NAME, NOW, SAMPLES, TOKEN
from mailer.seals import SealBroken, Sealer
from mailer.wording import MODES, PHRASES
from models.attachments.attachments import Role
from models.mail.outbox import Mail
from models.subscriptions.spaces import WORDING
from tests.mailer.support.letters import LETTERHEAD, SEALER, bodies, parsed

LINK = re.compile(r"https?://[^\s<>\"]+")
SAMPLES_BY_NAME = {name_of(type(sample)): sample for sample in SAMPLES}


def row(message: Message, language: str = "fr", **changed: object) -> Mail:
    identifier = SEALER.message_id()
    values = {
        "id": 1,
        "message": name_of(type(message)),
        "payload": payloads.encode(message, sealer=SEALER, bound_to=identifier),
        "message_id": identifier,
        "address": "lea@demo.example",
        "recipient_name": "Léa Martin",
        "language": language,
        "time_zone": "Europe/Paris",
        "created_at": NOW,
        "account_id": 7,
    }
    return Mail(**{**values, **changed})


def composed(mail: Mail, letterhead: rendering.Letterhead = LETTERHEAD) -> tuple[str, str, str]:
    """Subject, text and visible HTML."""
    rows = samples.rows_of(SAMPLES_BY_NAME[mail.message])
    read = parsed(rendering.compose(mail, letterhead=letterhead, sealer=SEALER, rows=rows).as_bytes())
    text, html = bodies(read)
    return read["Subject"].replace("\u00a0", " "), _unbroken(text), _unbroken(html)


def _source(mail: EmailMessage) -> str:
    """The HTML part as it is written."""
    html = mail.get_body(("html",))
    assert html is not None
    return str(html.get_content())


def _unbroken(text: str) -> str:
    """The text without the joiners that nobody sees, which keep it from being made a link."""
    return text.replace("\u2060", "")


def test_every_message_has_a_sample_and_a_text_in_each_language() -> None:
    assert {type(sample) for sample in SAMPLES} == set(MESSAGES.values())
    assert {folder.name for folder in TEMPLATES.iterdir() if folder.is_dir()} == set(MESSAGES)
    for name in MESSAGES:
        assert sorted(file.name for file in (TEMPLATES / name).iterdir()) == ["en.txt", "fr.txt"]


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize(
    "message", SAMPLES, ids=lambda sample: f"{type(sample).__name__}-{getattr(sample, 'reader', '')}"
)
def test_reader_of_text_and_reader_of_html_learn_the_same(message: Message, language: str) -> None:
    mail = row(message, language)
    letter = rendering.write(mail.message, message, language, "Europe/Paris", LETTERHEAD, samples.rows_of(message))
    subject, text, html = composed(mail)
    said = [*letter.paragraphs, *letter.closing, *(part for fact in letter.facts for part in fact)]
    for section in letter.sections:
        said += [section.heading, *(text for line in section.lines for text in (line.text, " · ".join(line.details)))]
    if isinstance(message, LinkMessage):
        assert letter.action is not None
        assert letter.url is not None
        assert letter.expires is not None
        said += [letter.action, letter.url, letter.expires]
        assert letter.url == f"https://portail.example/account/{message.page}?token={TOKEN}"
        assert f"{message.expires_at.hour + 1:02}:05" in letter.expires
    for sentence in said:
        plain = _unbroken(sentence.replace("\u00a0", " "))
        assert plain in text
        assert plain in html
    assert said
    assert subject == letter.subject.replace("\u00a0", " ")
    assert TOKEN not in subject
    assert text.startswith("Bonjour Léa Martin, " if language == "fr" else "Hello Léa Martin, ")


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize(
    "message", SAMPLES, ids=lambda sample: f"{type(sample).__name__}-{getattr(sample, 'reader', '')}"
)
def test_every_fact_of_a_message_is_told(message: Message, language: str) -> None:
    _, text, _ = composed(row(message, language))
    told: dict[str, Callable[[Any], str]] = {
        "NoneType": lambda value: "",
        "str": lambda value: " ".join(value.split()),
        "date": lambda value: str(value.year),
        "datetime": lambda value: f"{value.year}",
        "LinkToken": lambda value: value.value,
        "tuple": lambda value: ", ".join(value) if isinstance(value[0], str) else "",
        "int": str,
        "Reader": lambda value: "",
        "Role": lambda value: "",
        "SpaceCode": lambda value: getattr(WORDING[value], language),
        "SubscriptionMode": lambda value: MODES[language][value],
        "bool": lambda value: "",
    }
    for fact, value in vars(message).items():
        if fact != "new_address":
            assert told[type(value).__name__](value) in text, fact


@pytest.mark.parametrize(
    ("message", "language", "subject", "sentences"),
    [
        (
            messages.AttachmentRefused(structure="Alpha", by="Claire Dupont", reason="Dossier incomplet"),
            "fr",
            "Votre rattachement à Alpha est refusé",
            ["Claire Dupont a refusé votre demande de rattachement à la structure Alpha.", "Motif : Dossier incomplet"],
        ),
        (
            messages.UserAttached(
                structure="Alpha",
                by="Claire",
                role=Role.SIMPLE_USER,
                valid_from=date(2026, 12, 1),
                valid_until=None,
            ),
            "fr",
            "Vous êtes rattaché à Alpha",
            ["Rôle : utilisateur simple", "Début : 1er décembre 2026", "Fin : sans date de fin"],
        ),
        (
            messages.ContactEmailChanged(new_address="claire@ailleurs.example", at=NOW),
            "en",
            "Your contact address has changed",
            ["changed on 24 November 2026 at 14:05", "New address: c…@ailleurs.example"],
        ),
    ],
)
def test_recipient_reads_exact_words(message: Message, language: str, subject: str, sentences: list[str]) -> None:
    read_subject, text, _ = composed(row(message, language))
    assert read_subject == subject
    for sentence in sentences:
        assert sentence in text


def test_mail_program_sees_complete_headers() -> None:
    mail = row(messages.AttachmentRemoved(structure=NAME, by="Claire"))
    read = parsed(rendering.compose(mail, letterhead=LETTERHEAD, sealer=SEALER).as_bytes())
    assert read["From"] == "Portail Rattache <ne-pas-repondre@rattache.example>"
    assert read["To"] == "Léa Martin <lea@demo.example>"
    assert read["Date"].datetime == NOW
    assert read["Message-ID"] == mail.message_id
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["Content-Language"] == "fr"
    assert read["Subject"] == f"Votre rattachement à {NAME} est supprimé"
    assert read.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content_charset() for part in read.iter_parts()] == ["utf-8", "utf-8"]


def test_second_try_composes_the_same_facts_and_headers() -> None:
    mail = row(messages.PasswordReset(token=LinkToken(TOKEN), expires_at=NOW))
    first, second = (rendering.compose(mail, letterhead=LETTERHEAD, sealer=SEALER) for _ in range(2))
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]
    assert bodies(first) == bodies(second)


def test_stranger_cannot_add_headers_lines_or_markup() -> None:
    typed = "Alpha\r\nBcc: tous@example.org\u2028\u202e<script>alert(1)</script>{{ 7 * 7 }}"
    mail = row(messages.AttachmentRefused(structure=typed, by="<b>Claire</b>", reason="non\n\nMotif : oui"))
    raw = rendering.compose(replace_name(mail, 'Eve"\r\nCc: x@example.org'), letterhead=LETTERHEAD, sealer=SEALER)
    read = parsed(raw.as_bytes())
    assert read["Bcc"] is None
    assert read["Cc"] is None
    assert [address.addr_spec for address in read["To"].addresses] == ["lea@demo.example"]
    html = _source(read)
    assert "<script" not in html
    assert "<b>" not in html
    text, visible = bodies(read)
    assert "Motif : non Motif : oui" in text
    assert "Alpha Bcc: tous@example.org <script>alert(1)</script>{{ 7 * 7 }}" in _unbroken(visible)


def replace_name(mail: Mail, name: str) -> Mail:
    mail.recipient_name = name
    return mail


@pytest.mark.parametrize(
    ("name", "greeting"),
    [
        ("Léa Martin", "Bonjour Léa Martin,"),
        ("J.P. Martin", "Bonjour J.P. Martin,"),
        ("", "Bonjour,"),
        ("Gagnez sur https://piege.example", "Bonjour,"),
        ("www.piege", "Bonjour,"),
        ("Voir piege.example/x", "Bonjour,"),
    ],
)
def test_stranger_cannot_make_us_mail_a_link_as_a_name(name: str, greeting: str) -> None:
    mail = row(messages.PasswordChanged(at=NOW), recipient_name=name)
    read = parsed(rendering.compose(mail, letterhead=LETTERHEAD, sealer=SEALER).as_bytes())
    assert bodies(read)[0].startswith(f"{greeting} ")
    assert "piege" not in str(read["To"])


def test_address_with_a_line_break_is_no_recipient() -> None:
    mail = row(messages.PasswordChanged(at=NOW), address="lea@demo.example\r\nBcc: x@example.org")
    with pytest.raises(ValueError, match=r"Address parts cannot contain CR or LF|invalid"):
        rendering.compose(mail, letterhead=LETTERHEAD, sealer=SEALER)


def test_client_application_receives_the_links_when_there_is_one() -> None:
    letterhead = replace(LETTERHEAD, account_app_url="https://app.example/compte/")
    mail = row(messages.ContactEmailConfirmation(token=LinkToken("a b/+&"), expires_at=NOW))
    _, text, html = composed(mail, letterhead)
    assert "https://app.example/compte/confirm-email?token=a%20b%2F%2B%26" in text
    assert "https://app.example/compte/confirm-email?token=a%20b%2F%2B%26" in html
    assert "https://portail.example" not in text


def test_html_works_on_a_phone_in_the_dark_and_without_images() -> None:
    read = rendering.compose(row(SAMPLES[0]), letterhead=LETTERHEAD, sealer=SEALER)
    html = _source(read)
    for needed in ('name="viewport"', "prefers-color-scheme: dark", 'lang="fr"', "max-width:600px"):
        assert needed in html
    for absent in ("<img", "<script", "src=", "@import", "url("):
        assert absent not in html


def test_template_that_asks_for_an_unknown_fact_fails() -> None:
    with pytest.raises(UndefinedError):
        rendering.write("attachment_refused", messages.PasswordChanged(at=NOW), "fr", "Europe/Paris", LETTERHEAD)


def test_reader_of_the_database_finds_no_token_in_clear() -> None:
    mail = row(SAMPLES[0])
    assert TOKEN not in repr(mail.payload)
    assert TOKEN not in repr(SAMPLES[0])


def test_sealed_token_opens_only_for_its_own_mail_and_key() -> None:
    sealed = SEALER.seal(TOKEN, "<1@x>")
    assert SEALER.open(sealed, "<1@x>") == TOKEN
    assert SEALER.seal(TOKEN, "<1@x>") != sealed
    refused = ((SEALER, sealed, "<2@x>"), (Sealer("another key", "x"), sealed, "<1@x>"), (SEALER, "nonsense", "<1@x>"))
    for sealer, text, bound_to in refused:
        with pytest.raises(SealBroken):
            sealer.open(text, bound_to)


def test_message_of_another_version_is_unknown() -> None:
    for name, payload in (("no_such_message", {}), ("password_changed", {"when": 1}), ("password_changed", {})):
        with pytest.raises(payloads.UnknownMessage):
            payloads.decode(name, payload, sealer=SEALER, bound_to="<1@x>")


@pytest.mark.parametrize("message", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_every_message_survives_storage(message: Message) -> None:
    stored = payloads.encode(message, sealer=SEALER, bound_to="<1@x>")
    name = name_of(type(message))
    assert payloads.decode(name, stored, sealer=SEALER, bound_to="<1@x>") == message


def test_instants_are_told_on_the_recipients_clock() -> None:
    at = datetime(2026, 7, 1, 23, 30, tzinfo=NOW.tzinfo)
    mail = row(messages.PasswordChanged(at=at), "en", time_zone="Indian/Reunion")
    assert "2 July 2026 at 03:30" in composed(mail)[1]


def test_first_of_a_month_is_an_ordinal_in_french_alone() -> None:
    ending = messages.AttachmentEnding(structure=NAME, last_day=date(2027, 4, 1))
    assert "jusqu'au 1er avril 2027 inclus" in composed(row(ending))[1]
    assert "after April 1, 2027" in composed(row(ending, "en"))[1]
    suspended = messages.AccountSuspended(at=datetime(2027, 3, 31, 22, 30, tzinfo=NOW.tzinfo))
    assert "le 1er avril 2027 à 00:30" in composed(row(suspended))[1]
    assert "11 avril 2027" in composed(row(replace(ending, last_day=date(2027, 4, 11))))[1]


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_both_languages_say_the_same(name: str) -> None:
    sources = [(TEMPLATES / name / f"{language}.txt").read_text(encoding="utf-8") for language in ("fr", "en")]
    french, english = (rendering.WORDS.parse(source) for source in sources)
    assert meta.find_undeclared_variables(french) == meta.find_undeclared_variables(english)
    assert [block.name for block in french.find_all(nodes.Block)] == [
        block.name for block in english.find_all(nodes.Block)
    ]
    facts = [[re.sub(r'"[^"]*"', "", call) for call in re.findall(r"fact\(.*?\)", source)] for source in sources]
    assert facts[0] == facts[1]


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_every_fact_of_a_message_is_known_to_its_templates(name: str) -> None:
    given = {fact.name for fact in fields(MESSAGES[name])} | {"language", "time_zone", "fact"}
    sample = SAMPLES_BY_NAME[name]
    if isinstance(sample, digests.PeriodicalMessage):
        given |= digests.particulars(sample, samples.rows_of(sample), "fr", "UTC", "").keys()
    source = (TEMPLATES / name / "fr.txt").read_text(encoding="utf-8")
    assert meta.find_undeclared_variables(rendering.WORDS.parse(source)) <= given


def test_previews_show_every_message_in_both_languages_with_links_that_open_nothing() -> None:
    shown = list(previews.every(LETTERHEAD))
    assert {(each.name.partition("-")[0], each.language) for each in shown} == {
        (name, language) for name in MESSAGES for language in ("fr", "en")
    }
    assert len({(each.name, each.language) for each in shown}) == len(shown) == 2 * len(SAMPLES)
    for each in shown:
        links = {part: set(LINK.findall(previews.part(each.mail, part))) for part in ("plain", "html")}
        assert {link.replace("&amp;", "&") for link in links["html"]} == links["plain"], each.name


@pytest.mark.parametrize(
    ("total", "rejected", "subject"),
    [
        (1, 0, "One new activity: Ateliers Delmas & Fils"),
        (2, 1, "2 new activities, among them 1 rejected invoice: Ateliers Delmas & Fils"),
        (40, 2, "40 new activities, among them 2 rejected invoices: Ateliers Delmas & Fils"),
    ],
)
def test_subject_of_a_digest_says_what_happened(total: int, rejected: int, subject: str) -> None:
    _, progress, refused = samples.rows_of(SAMPLES_BY_NAME["activity_digest"])
    rows = [refused] * rejected + [progress] * (min(total, 30) - rejected)
    message = digests.ActivityDigest(until=NOW, total=total, ids=tuple(range(len(rows))))
    letter = rendering.write("activity_digest", message, "en", "Europe/Paris", LETTERHEAD, rows)
    assert letter.subject == subject
    assert letter.closing == (
        ("10 more activities are to be read in the list of your activities.",) if total > 30 else ()
    )


@pytest.mark.parametrize(
    ("language", "invitation"),
    [("fr", "Attestez que vous en avez pris connaissance :"), ("en", "Please attest that you have read it:")],
)
@pytest.mark.parametrize("url", ["https://portail.example/factures/7", None])
def test_a_digest_invites_to_attest_a_rejection_and_leads_there(
    language: str, invitation: str, url: str | None
) -> None:
    _, progress, refused = samples.rows_of(SAMPLES_BY_NAME["activity_digest"])
    leading: Any = SimpleNamespace(**{**vars(refused), "url": url})
    message = digests.ActivityDigest(until=NOW, total=2, ids=(2, 3))
    mail = row(message, language=language)
    composed = parsed(
        rendering.compose(mail, letterhead=LETTERHEAD, sealer=SEALER, rows=[progress, leading]).as_bytes()
    )
    place = url or "https://portail.example"
    for text in bodies(composed):
        assert text.count(f"{invitation} {place}") == 1


@pytest.mark.parametrize("length", range(60, 90))
def test_subject_of_any_length_arrives_as_it_was_written(length: int) -> None:
    for letter in ("a", "é"):
        name = (f"{letter * 9} " * 10)[: length - 40].strip()
        mail = row(messages.PrincipalManagerOfferDeclined(structure=name, successor="Samir"))
        read = parsed(rendering.compose(mail, letterhead=LETTERHEAD, sealer=SEALER).as_bytes())
        assert read["Subject"].replace("\u00a0", " ") == rendering.write(
            mail.message,
            messages.PrincipalManagerOfferDeclined(structure=name, successor="Samir"),
            "fr",
            "Europe/Paris",
            LETTERHEAD,
        ).subject.replace("\u00a0", " ")


def test_no_phrase_has_the_name_of_what_every_mapping_can_do() -> None:
    for phrases in PHRASES.values():
        assert [name for name in phrases if hasattr(dict, name)] == []  # a template would say that instead


@pytest.mark.parametrize(
    "preview", list(previews.every(LETTERHEAD)), ids=lambda preview: f"{preview.language}-{preview.name}"
)
def test_no_mail_says_what_only_programs_say(preview: previews.Preview) -> None:
    for text in (preview.mail["Subject"], *bodies(preview.mail)):
        assert not re.search(r"built-in|object at|None|True|False|Undefined|\{\{|\bdatetime\b", text)


def test_client_application_has_the_page_to_stop_digests_and_mail_programs_post_to_ours() -> None:
    letterhead = replace(LETTERHEAD, account_app_url="https://app.example/compte")
    mail = row(SAMPLES_BY_NAME["activity_digest"])
    rows = samples.rows_of(SAMPLES_BY_NAME["activity_digest"])
    read = parsed(rendering.compose(mail, letterhead=letterhead, sealer=SEALER, rows=rows).as_bytes())
    token = SEALER.unsubscription(7)
    assert read["List-Unsubscribe"] == f"<https://portail.example/account/unsubscribe?token={token}>"
    assert f"https://app.example/compte/unsubscribe?token={token}" in bodies(read)[0]
    assert SEALER.reader(token) == 7
    assert Sealer("another key", "x").reader(token) is None


def test_mail_about_the_account_itself_cannot_be_stopped() -> None:
    read = parsed(rendering.compose(row(SAMPLES[0]), letterhead=LETTERHEAD, sealer=SEALER).as_bytes())
    assert (read["List-Unsubscribe"], read["List-Unsubscribe-Post"]) == (None, None)


def test_address_to_unsubscribe_at_stays_on_one_line_however_long_it_is() -> None:
    letterhead = replace(LETTERHEAD, public_url=f"https://{'accounts.' * 12}portail.example")
    mail = row(SAMPLES_BY_NAME["weekly_recap"])
    raw = rendering.compose(
        mail, letterhead=letterhead, sealer=SEALER, rows=samples.rows_of(SAMPLES_BY_NAME["weekly_recap"])
    ).as_bytes()
    address = letterhead.one_click(SEALER.unsubscription(7))
    assert len(address) > 150
    assert f"\r\nList-Unsubscribe: <{address}>\r\n".encode() in raw
    assert max(map(len, raw.split(b"\r\n"))) < 998  # RFC 5322 2.1.1


def test_what_a_former_key_sealed_opens_and_new_ones_seal() -> None:
    old, new, rotated = Sealer("an old key", "x"), Sealer("a new key", "x"), Sealer("a new key", "x", ["an old key"])
    sealed, token = old.seal("secret", "<1@x>"), old.unsubscription(7)
    assert rotated.open(sealed, "<1@x>") == "secret"
    assert rotated.is_former(sealed, "<1@x>") is True
    assert rotated.reader(token) == 7
    assert new.open(rotated.seal("secret", "<1@x>"), "<1@x>") == "secret"
    assert rotated.is_former(rotated.seal("secret", "<1@x>"), "<1@x>") is False
    assert new.reader(rotated.unsubscription(7)) == 7
    with pytest.raises(SealBroken):
        new.open(sealed, "<1@x>")


@pytest.mark.parametrize(("former", "kind"), catalogues.FORMER_NAMES.items())
def test_a_mail_stored_under_a_former_name_is_read_as_what_it_is_called_now(former: str, kind: str) -> None:
    message = next(sample for sample in SAMPLES if name_of(type(sample)) == kind)
    stored = payloads.encode(message, sealer=SEALER, bound_to="somebody")
    before = {fact: former_fact for former_fact, fact in catalogues.FORMER_FACTS.items()}
    as_before = {before.get(fact, fact): value for fact, value in stored.items()}
    assert former not in catalogues.MESSAGES
    assert payloads.decode(former, as_before, sealer=SEALER, bound_to="somebody") == message
