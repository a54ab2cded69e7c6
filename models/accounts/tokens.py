"""One-time tokens behind mailed links: stored hashed, good once and for 60 minutes, voided by a newer one."""

from datetime import datetime, timedelta
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.accounts.accounts import Account
from models.accounts.sessions import hashed
from models.db import database
from models.errors.errors import ExpiredToken, InvalidToken

LIFETIME = timedelta(minutes=60)


class Purpose(StrEnum):
    """What a mailed link is for."""

    ACTIVATION = "ACTIVATION"
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105 - the name of a purpose
    REACTIVATION = "REACTIVATION"
    CONTACT_EMAIL = "CONTACT_EMAIL"


class OneTimeToken(Model):
    """The hash of a mailed token; the row goes once it is used or voided."""

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("models.Account", on_delete=fields.CASCADE)
    account_id: int
    purpose = fields.CharEnumField(Purpose, max_length=20)
    token_hash = fields.CharField(max_length=64)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "one_time_tokens"


async def issue(account: Account, purpose: Purpose, token: str, at: datetime) -> OneTimeToken:
    """A new token, which voids every older one of its purpose."""
    await void(account.id, purpose)
    return await OneTimeToken.create(
        account=account, purpose=purpose, token_hash=hashed(token), created_at=at, expires_at=at + LIFETIME
    )


async def void(account_id: int, purpose: Purpose | None = None) -> None:
    """End the account's tokens, of one purpose or all."""
    ending = OneTimeToken.filter(account_id=account_id)
    await (ending.filter(purpose=purpose) if purpose else ending).delete()


@database.guarded
async def find(token: str, purpose: Purpose) -> OneTimeToken:
    """The token's row, expired or not, nothing changed.

    Raises:
        InvalidToken: when it is unknown, used, void or for another purpose.
    """
    row = await OneTimeToken.get_or_none(token_hash=hashed(token), purpose=purpose)
    if row is None:
        raise InvalidToken("token")
    return row


async def look_at(token: str, purpose: Purpose, now: datetime) -> OneTimeToken:
    """The token's row while it is good, nothing changed: for what must be known before the act.

    Raises:
        InvalidToken: as `find`.
        ExpiredToken: when it has outlived its 60 minutes.
    """
    row = await find(token, purpose)
    if now >= row.expires_at:
        raise ExpiredToken("token")
    return row


async def use(token: str, purpose: Purpose, now: datetime) -> None:
    """Use the token up: of any number of parallel uses exactly one gets past this.

    Raises:
        InvalidToken, ExpiredToken: as `look_at`.
    """
    row = await look_at(token, purpose, now)
    if not await OneTimeToken.filter(id=row.id).delete():
        raise InvalidToken("token")
