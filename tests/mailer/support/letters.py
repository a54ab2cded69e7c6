"""Rendered mails as tests read them: who writes them, and what they say once they are parsed back."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

from mailer.rendering import Letterhead
from mailer.seals import Sealer

SEALER = Sealer("a secret key of the tests", "rattache.example")
LETTERHEAD = Letterhead("Portail Rattache <ne-pas-repondre@rattache.example>", "https://portail.example")


def parsed(raw: bytes) -> EmailMessage:
    """The mail as a mail program reads it."""
    return message_from_bytes(raw, policy=policy.default)


def bodies(mail: EmailMessage) -> tuple[str, str]:
    """The text part, and the HTML part's visible text; both with single spaces."""
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    reader = _Visible()
    reader.feed(html.get_content())
    return _spaced(plain.get_content()), _spaced(" ".join(reader.said))


def _spaced(text: str) -> str:
    return re.sub(r"[\s\u00a0]+", " ", text)


class _Visible(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag in {"style", "title"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.said.append(data)
