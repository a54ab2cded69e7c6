"""No link, address or call survives in what people type, wherever a mail shows it; names that look like one read well."""

import re
import unicodedata
from dataclasses import fields, replace
from typing import Any

import pytest

from mailer import payloads, rendering, samples, wording
from mailer.facts import Message, name_of
from mailer.samples import NOW, SAMPLES
from models.db.query import Row
from models.mail.outbox import Mail
from tests.mailer.support.letters import LETTERHEAD, SEALER, bodies, parsed

BAITS = (
    "http://evil.example/x",
    "HTTPS:\\\\evil.example",
    "www.evil.example",
    "evil.example/x?y=z",
    "evil\u3002example",
    "evil\uff0eexample",
    "évil.exämple",
    "xn--vil-9la.example",
    "evil.exam\u200dple",
    "ev\u200bil.\u200bexample",
    "evil\u200d.\u200dexample",
    "\u202eelpmaxe.live",
    "claim@evil.example",
    "claim\uff20evil.example",
    "mailto:claim",
    "tel:+33612345678",
    "appelez le +33 6 12 34 56 78",
    "06.12.34.56.78",
    "call 800-555-0199 now",
    "evil\r\n.example\r\nBcc: x",
    "evil.example\nnext",
    "//evil.example",
)
# As mail programs do: any scheme, any word with something like a dot or an at sign inside, a number one can dial.
LINKS = re.compile(
    r"[^\W\d_]:(?:[/\\]|[^\s\d])|[/\\]{2}|[^\W_][.\u3002\uff0e\uff61][^\W_]|\S[@\uff20]\w|\d(?:[ .\-]?\d){8,}",
    re.IGNORECASE,
)
DISGUISES = re.compile("[\u0000-\u0009\u000b-\u001f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
WORDS = ("S.A.R.L. Dupont", "St. Martin", "Node.js SARL", "Amazon.fr", "J.-P. Martin & Fils", "12.5 % : taux")


def _texts(message: Message) -> list[str]:
    """The names of the facts that people typed; enumerations and identifiers of ours aside."""
    plain = [fact.name for fact in fields(message) if type(getattr(message, fact.name)) is str]
    lists = [
        fact.name
        for fact in fields(message)
        if isinstance(value := getattr(message, fact.name), tuple) and value and isinstance(value[0], str)
    ]
    return plain + lists


def _with(message: Message, name: str, text: str) -> Message:
    present = getattr(message, name)
    changed: dict[str, Any] = {name: (text, text) if isinstance(present, tuple) else text}
    return replace(message, **changed)


def _row(row: Any, text: str) -> Any:
    """A row of a periodical mail, all that people typed in it replaced."""
    typed = {name for name in ("structure", "title", "service", "subject", "actor") if getattr(row, name, None)}
    more = {"after": {"name": text}} if getattr(row, "after", {}).get("name") else {}
    return type(row)(**{**vars(row), **dict.fromkeys(typed, text), **more})


def _sent(message: Message, language: str, rows: tuple[Row, ...], name: str = "Léa Martin") -> str:
    """All that a mail shows: whom it is to, its subject, its text and what is seen of its HTML."""
    identifier = "<1@rattache.example>"
    mail = Mail(
        id=1,
        message=name_of(type(message)),
        payload=payloads.encode(message, sealer=SEALER, bound_to=identifier),
        message_id=identifier,
        address="lea@demo.example",
        recipient_name=name,
        language=language,
        time_zone="Europe/Paris",
        created_at=NOW,
        account_id=7,
    )
    read = parsed(rendering.compose(mail, letterhead=LETTERHEAD, sealer=SEALER, rows=rows).as_bytes())
    shown = [read["To"].addresses[0].display_name, read["From"].addresses[0].display_name, read["Subject"]]
    return "\n".join([*shown, *bodies(read)])


def _found(shown: str) -> set[str]:
    return set(LINKS.findall(shown)) | set(DISGUISES.findall(shown))


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("message", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_reader_finds_no_link_that_somebody_typed_in_any_mail(message: Message, language: str) -> None:
    rows = samples.rows_of(message)
    harmless = dict.fromkeys(_texts(message), "Harmless")
    clean = message
    for name, text in harmless.items():
        clean = _with(clean, name, text)
    ours = _found(_sent(clean, language, tuple(_row(row, "Harmless") for row in rows)))
    for bait in BAITS:
        baited = message
        for name in harmless:
            baited = _with(baited, name, bait)
        shown = _sent(baited, language, tuple(_row(row, bait) for row in rows), name=bait)
        assert _found(shown) - ours == set(), bait


@pytest.mark.parametrize("bait", BAITS)
def test_name_that_reads_as_a_link_is_broken_where_it_would_be_one(bait: str) -> None:
    assert _found(wording.harmless(bait)) == set()
    assert "\n" not in wording.harmless(bait)


@pytest.mark.parametrize("word", WORDS)
def test_name_with_a_dot_reads_as_it_was_typed(word: str) -> None:
    shown = wording.harmless(word)
    assert shown.replace("\u2060", "") == word
    assert all(unicodedata.category(sign) != "Cf" or sign == "\u2060" for sign in shown)


def test_name_without_a_bait_is_left_alone() -> None:
    for word in ("Ateliers Delmas & Fils", "Facture 2026-0117 mise en paiement", "11000201100044", "COMPTA - Achats"):
        assert wording.harmless(word) == word
