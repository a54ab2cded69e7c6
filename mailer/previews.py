"""Every mail as it would be sent, of sample facts and in each language: for whoever works on what mails say."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage

from mailer import payloads, rendering
from mailer.facts import Message, name_of
from mailer.outbox import LANGUAGES
from mailer.rendering import Letterhead
from mailer.samples import NOW, SAMPLES, rows_of
from mailer.seals import Sealer
from models.mail.outbox import Mail

_SEALER = Sealer("a key that opens nothing, for previews", "rattache.example")


@dataclass(frozen=True)
class Preview:
    """One mail; a message of which there are several samples has a number in its name from the second one on."""

    name: str
    language: str
    mail: EmailMessage


def every(letterhead: Letterhead) -> Iterator[Preview]:
    """All of them, language after language."""
    for language in LANGUAGES:
        seen: Counter[str] = Counter()
        for message in SAMPLES:
            kind = name_of(type(message))
            seen[kind] += 1
            name = kind if seen[kind] == 1 else f"{kind}-{seen[kind]}"
            yield Preview(name, language, _composed(message, kind, language, letterhead))


def part(mail: EmailMessage, kind: str) -> str:
    """The mail's text of a kind, `plain` or `html`."""
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def _composed(message: Message, kind: str, language: str, letterhead: Letterhead) -> EmailMessage:
    message_id = f"<{kind}.{language}@rattache.example>"
    row = Mail(
        message=kind,
        payload=payloads.encode(message, sealer=_SEALER, bound_to=message_id),
        message_id=message_id,
        address="lea@demo.example",
        recipient_name="Léa Marchand",
        language=language,
        time_zone="Europe/Paris",
        account_id=1,
        created_at=NOW,
    )
    return rendering.compose(row, letterhead=letterhead, sealer=_SEALER, rows=rows_of(message))
