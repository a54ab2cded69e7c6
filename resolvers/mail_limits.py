"""Limits on the mails that one person's acts bring to others: per sender, and per recipient, in an hour."""

from datetime import timedelta

from models.accounts import throttle
from models.errors.errors import TooManyMails
from resolvers.scope import Scope

HOUR = timedelta(hours=1)
SENT_AN_HOUR = 100
RECEIVED_AN_HOUR = 10
SPACES_AN_HOUR = 30  # asked of one structure: more than there are
CONTACT_ADDRESSES_AN_HOUR = 5


async def count(scope: Scope, kind: str, recipient: str, *path: str, received: int = RECEIVED_AN_HOUR) -> None:
    """Count one mail of a kind from the actor to a recipient, inside the transaction of the act that causes it.

    Raises:
        TooManyMails: when the actor or the recipient has had their share of the hour.
    """
    sender = str(scope.signed_in().account_id)
    for key, most in (
        (throttle.key_of(f"sent {kind}", sender), SENT_AN_HOUR),
        (throttle.key_of(f"received {kind}", recipient), received),
    ):
        if not await throttle.take_along(key, scope.now(), most=most, per=HOUR):
            raise TooManyMails(*path, most=most)


async def count_contact_address(scope: Scope, *path: str) -> None:
    """Count one more address that the actor says is theirs: a link goes there, whoever it belongs to.

    Raises:
        TooManyMails: after 5 of them in an hour.
    """
    key = throttle.key_of("contact address", str(scope.signed_in().account_id))
    if not await throttle.take(key, scope.now(), most=CONTACT_ADDRESSES_AN_HOUR, per=HOUR):
        raise TooManyMails(*path, most=CONTACT_ADDRESSES_AN_HOUR)
