"""Deliveries: every try of a mail, recorded with the state it leaves the mail in and what it tells of the address."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.db import database
from models.events import events
from models.events.events import ContactEmailReached, ContactEmailRefused
from models.mail.outbox import Mail, MailState

LONGEST_ANSWER = 300


class Outcome(StrEnum):
    """What came of one try: SENT, POSTPONED to another one, or the state in which the mail was given up."""

    SENT = "SENT"
    POSTPONED = "POSTPONED"
    REFUSED = "REFUSED"
    EXHAUSTED = "EXHAUSTED"
    EXPIRED = "EXPIRED"
    UNRENDERABLE = "UNRENDERABLE"
    WITHDRAWN = "WITHDRAWN"


class MailAttempt(Model):
    """One try to send a mail: when, by which courier, what came of it, and why or with which answer of the server."""

    id: int = fields.BigIntField(primary_key=True)
    mail: fields.ForeignKeyRelation[Mail] = fields.ForeignKeyField("models.Mail", on_delete=fields.CASCADE)
    mail_id: int
    at = fields.DatetimeField()
    courier = fields.CharField(max_length=100)
    outcome = fields.CharEnumField(Outcome, max_length=12)
    code = fields.IntField(null=True)
    answer = fields.TextField(null=True)

    class Meta:
        table = "mail_attempts"


@dataclass(frozen=True)
class Try:
    """One try of a mail as it ends: whose, when, and the server's answer where it gave one."""

    mail: Mail
    courier: str
    at: datetime
    code: int | None = None
    answer: str | None = None

    def ended(self, outcome: Outcome) -> MailAttempt:
        """Its row in the mail's history, not yet stored."""
        return MailAttempt(
            mail_id=self.mail.id, at=self.at, courier=self.courier, outcome=outcome, code=self.code, answer=self.answer
        )


async def sent(tries: Sequence[Try], *, refused: Collection[int] = (), again: bool = False) -> None:
    """The server took these mails: a fact, whoever holds their leases by now; `refused` accounts are reached again.

    Where it is said `again`, as nobody knows whether it was written the first time, it stands there once.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    async with database.transaction():
        await database.fetch(
            "UPDATE outbox SET state = 'SENT', sent_at = :at, lease_owner = NULL, lease_until = NULL,"
            " last_error = NULL WHERE id IN :ids AND state <> 'SENT' RETURNING id",
            {"ids": [tried.mail.id for tried in tries], "at": max(tried.at for tried in tries)},
        )
        if again:
            tries = await _unwritten(tries)
        await MailAttempt.bulk_create([tried.ended(Outcome.SENT) for tried in tries])
        for tried in tries:
            if tried.mail.account_id in refused:
                await _reached(tried)


async def _unwritten(tries: Sequence[Try]) -> list[Try]:
    """Those of the tries that aren't in the mails' history yet: a courier has a mail taken once."""
    ids = [tried.mail.id for tried in tries]
    written = await MailAttempt.filter(mail_id__in=ids, outcome=Outcome.SENT).values_list("mail_id", "courier")
    return [tried for tried in tries if (tried.mail.id, tried.courier) not in written]


async def postponed(tried: Try, due_at: datetime) -> None:
    """The try failed for now: the mail is due again at `due_at`.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    async with database.transaction():
        await database.fetch(
            "UPDATE outbox SET due_at = :due_at, last_error = :error, lease_owner = NULL, lease_until = NULL"
            " WHERE id = :id AND lease_owner = :owner AND state = 'PENDING' RETURNING id",
            {"id": tried.mail.id, "owner": tried.courier, "due_at": due_at, "error": tried.answer},
        )
        await tried.ended(Outcome.POSTPONED).save()


async def given_up(tried: Try, state: MailState, *, unreachable: bool = False) -> None:
    """The mail is given up, for the reason that `state` names; its address is marked when it is `unreachable`.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    async with database.transaction():
        await database.fetch(
            "UPDATE outbox SET state = :state, last_error = :error, lease_owner = NULL, lease_until = NULL"
            " WHERE id = :id AND lease_owner = :owner AND state = 'PENDING' RETURNING id",
            {"id": tried.mail.id, "owner": tried.courier, "state": state.value, "error": tried.answer},
        )
        await tried.ended(Outcome(state)).save()
        if unreachable:
            await _refused(tried)


async def attempts_of(mail_id: int) -> list[MailAttempt]:
    """The tries of a mail, the first one first."""
    return await MailAttempt.filter(mail_id=mail_id).order_by("id")


# ------------------------------------------------------------------ addresses
async def refused_among(account_ids: Collection[int]) -> set[int]:
    """Those of the accounts whose contact address is marked as refused."""
    rows = await database.fetch(
        "SELECT id FROM accounts WHERE id IN :ids AND contact_email_refusal IS NOT NULL", {"ids": sorted(account_ids)}
    )
    return {row[0] for row in rows}


async def _refused(tried: Try) -> None:
    """Mark the contact address that the mail went to, if it still is the account's; its first refusal is an event."""
    answer = (tried.answer or "")[:LONGEST_ANSWER]
    rows = await database.fetch(
        "UPDATE accounts SET contact_email_refusal = :answer, contact_email_refused_at = :at"
        " WHERE id = :account AND contact_email = :address AND contact_email_refusal IS NULL RETURNING id",
        {"account": tried.mail.account_id, "address": tried.mail.address, "answer": answer, "at": tried.at},
    )
    if rows:
        fact = ContactEmailRefused(subject_id=tried.mail.account_id, after={"server": answer})
        await events.append(fact, actor_id=None, at=tried.at)


async def _reached(tried: Try) -> None:
    """Take the mark from the contact address that the mail went to, if it still is the account's."""
    rows = await database.fetch(
        "UPDATE accounts SET contact_email_refusal = NULL, contact_email_refused_at = NULL"
        " WHERE id = :account AND contact_email = :address AND contact_email_refusal IS NOT NULL RETURNING id",
        {"account": tried.mail.account_id, "address": tried.mail.address},
    )
    if rows:
        await events.append(ContactEmailReached(subject_id=tried.mail.account_id), actor_id=None, at=tried.at)
