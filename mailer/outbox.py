"""Putting mails in the outbox, in the transaction of the change they tell, and what operators do with them there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailer import payloads
from mailer.facts import LinkMessage, Message, name_of
from mailer.seals import SealBroken, Sealer
from models.mail import mail_attempts, outbox
from models.mail.mail_attempts import MailAttempt
from models.mail.outbox import Mail, MailState, NewMail

RETRY_FOR = timedelta(days=3)
LANGUAGES = ("fr", "en")
DEAD = (MailState.REFUSED, MailState.EXHAUSTED, MailState.EXPIRED, MailState.UNRENDERABLE)


@dataclass(frozen=True)
class Recipient:
    """Who a mail goes to, and how they are addressed; a language without texts reads French."""

    address: str
    language: str
    account_id: int | None = None
    name: str = ""
    time_zone: str = "Europe/Paris"


@dataclass(frozen=True)
class Letter:
    """What is to be said to whom; no second mail of the same `key` is ever put in."""

    message: Message
    to: Recipient
    key: str | None = None


async def enqueue(
    message: Message,
    *,
    to: Recipient,
    sealer: Sealer,
    now: datetime,
    key: str | None = None,
    not_before: datetime | None = None,
) -> bool:
    """Write one mail in the running transaction; False when a mail of the same `key` is there already.

    Raises:
        DatabaseAway: when the database can't be reached.
        ValueError: when the address holds a control character, which no rule upstream lets through.
    """
    return await outbox.insert(_new(Letter(message, to, key), sealer, now, not_before))


async def enqueue_all(letters: Sequence[Letter], *, sealer: Sealer, now: datetime) -> None:
    """Write many mails in the running transaction, by one statement; one whose key is there already is left out.

    Raises:
        ValueError: when an address holds a control character.
    """
    if letters:
        await outbox.insert_all([_new(letter, sealer, now) for letter in letters])


def _new(letter: Letter, sealer: Sealer, now: datetime, not_before: datetime | None = None) -> NewMail:
    message, to = letter.message, letter.to
    if not to.address.isprintable():
        raise ValueError("the recipient's address holds a control character")
    message_id = sealer.message_id()
    due_at = max(now, not_before or now)
    language = to.language.lower()
    return NewMail(
        message=name_of(type(message)),
        payload=payloads.encode(message, sealer=sealer, bound_to=message_id),
        key=letter.key,
        message_id=message_id,
        address=to.address,
        recipient_name=to.name,
        language=language if language in LANGUAGES else LANGUAGES[0],
        time_zone=to.time_zone,
        account_id=to.account_id,
        created_at=now,
        due_at=due_at,
        give_up_at=due_at + RETRY_FOR,
        expires_at=message.expires_at if isinstance(message, LinkMessage) else None,
    )


async def withdraw(account_id: int) -> int:
    """Stop every unsent mail of an account, in the running transaction; how many there were.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    return await outbox.withdraw(account_id)


async def listed(state: MailState | None = None, *, limit: int = 50) -> list[Mail]:
    """The newest mails, of one state when it is given."""
    return await outbox.listed((state,) if state else (), limit=limit)


async def dead_letters(*, limit: int = 50) -> list[Mail]:
    """The newest mails that were given up."""
    return await outbox.listed(DEAD, limit=limit)


async def shown(mail_id: int) -> Mail | None:
    """One mail as it stands; its token stays sealed."""
    return await outbox.shown(mail_id)


async def attempts_of(mail_id: int) -> list[MailAttempt]:
    """The tries to send a mail, the first one first."""
    return await mail_attempts.attempts_of(mail_id)


@dataclass(frozen=True)
class Sealed:
    """How many unsent links open under a former key alone, until when the last of them is good; how many under none."""

    former: int
    until: datetime | None
    lost: int


async def sealed(sealer: Sealer, *, now: datetime) -> Sealed:
    """Which keys the links of mails that weren't sent yet still need.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    former, lost = [], 0
    for mail in await outbox.with_living_links(now):
        try:
            if sealer.is_former(str(mail.payload.get("token", "")), mail.message_id):
                former.append(mail.expires_at)
        except SealBroken:
            lost += 1
    return Sealed(len(former), max(filter(None, former), default=None), lost)


async def retry(mail_ids: Sequence[int] | None, *, now: datetime) -> int:
    """Try mails again from now on, for three more days; how many. None means every dead letter.

    A mail whose link has died stays dead.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    return await outbox.requeue(mail_ids, now=now, give_up_at=now + RETRY_FOR)
