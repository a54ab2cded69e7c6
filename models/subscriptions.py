"""Space subscriptions: the right of an attached person to use one space of one structure."""

from datetime import date, datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models import spaces
from models.accounts import Account
from models.services import Service
from models.spaces import SpaceCode
from models.structures import Structure


class SpaceSubscriptionStatus(StrEnum):
    """Where a subscription stands; REFUSED and REMOVED are final."""

    PENDING = "PENDING"
    VALIDATED = "VALIDATED"
    REFUSED = "REFUSED"
    REMOVED = "REMOVED"


class SubscriptionMode(StrEnum):
    """What a subscriber may do in the space."""

    READ = "READ"
    WRITE = "WRITE"


LIVE = (SpaceSubscriptionStatus.PENDING, SpaceSubscriptionStatus.VALIDATED)


class SpaceSubscription(Model):
    """One person's subscription to one space of one structure; at most one live row for the three."""

    id: int = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="subscriptions"
    )
    user_id: int
    structure: fields.ForeignKeyRelation[Structure] = fields.ForeignKeyField(
        "models.Structure", on_delete=fields.RESTRICT
    )
    structure_id: int
    space = fields.CharEnumField(SpaceCode, max_length=32)
    mode = fields.CharEnumField(SubscriptionMode, max_length=5, default=SubscriptionMode.WRITE)
    status = fields.CharEnumField(SpaceSubscriptionStatus, max_length=10)
    effective_from = fields.DateField()
    comment = fields.CharField(max_length=255, null=True)
    refusal_reason = fields.CharField(max_length=255, null=True)
    requested_at = fields.DatetimeField()
    decided_at = fields.DatetimeField(null=True)
    decided_by: fields.ForeignKeyNullableRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, null=True, related_name="decided_subscriptions"
    )
    decided_by_id: int | None
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "space_subscriptions"


class SubscriptionService(Model):
    """A service that a subscription is for; one without any follows the attachment's."""

    id: int = fields.BigIntField(primary_key=True)
    subscription: fields.ForeignKeyRelation[SpaceSubscription] = fields.ForeignKeyField(
        "models.SpaceSubscription", on_delete=fields.CASCADE
    )
    subscription_id: int
    service: fields.ForeignKeyRelation[Service] = fields.ForeignKeyField("models.Service", on_delete=fields.RESTRICT)
    service_id: int

    class Meta:
        table = "subscription_services"


async def give(
    user_id: int, structure_id: int, codes: frozenset[SpaceCode], *, since: date, at: datetime
) -> set[SpaceCode]:
    """Subscribe the person to those of the spaces they have no live subscription to; which ones that were."""
    live = SpaceSubscription.filter(user_id=user_id, structure_id=structure_id, status__in=LIVE)
    missing = set(codes) - {row.space for row in await live}
    await SpaceSubscription.bulk_create(
        [
            SpaceSubscription(
                user_id=user_id, structure_id=structure_id, space=code, mode=SubscriptionMode.WRITE,
                status=SpaceSubscriptionStatus.VALIDATED, effective_from=since, requested_at=at,
            )
            for code in sorted(missing)
        ]
    )  # fmt: skip
    return missing


async def give_defaults(user_id: int, structure_id: int, *, manager: bool, since: date, at: datetime) -> None:
    """The spaces that come with a validated attachment, a manager's own among them for a manager. Source: DOMAIN 3."""
    codes = spaces.GIVEN_TO_ALL | spaces.GIVEN_TO_MANAGERS if manager else spaces.GIVEN_TO_ALL
    await give(user_id, structure_id, codes, since=since, at=at)
    live = SpaceSubscription.filter(user_id=user_id, structure_id=structure_id, status__in=LIVE, space__in=codes)
    await live.filter(effective_from__gt=since).update(effective_from=since)
    if not manager:
        await end(user_id, structure_id, at=at, codes=spaces.GIVEN_TO_MANAGERS)


async def end(user_id: int, structure_id: int, *, at: datetime, codes: frozenset[SpaceCode] | None = None) -> None:
    """End the person's live subscriptions on the structure, those of `codes` when given."""
    live = SpaceSubscription.filter(user_id=user_id, structure_id=structure_id, status__in=LIVE)
    if codes is not None:
        live = live.filter(space__in=codes)
    await live.update(status=SpaceSubscriptionStatus.REMOVED, ended_at=at)
