"""Space subscriptions: the right of an attached person to use one space of one structure, and how they are read."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.accounts.accounts import Account, visibility
from models.accounts.actors import Actor
from models.attachments import attachments
from models.attachments.attachments import DecisionAct
from models.db import database
from models.db.query import Column, Order, Source, day, flag, moment
from models.errors.errors import RequestAlreadyDecided, TransitionNotAllowed
from models.structures.services import Service
from models.structures.structures import Structure
from models.subscriptions.spaces import DEFAULTS, SpaceCode


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


# From which status each act may be taken; a request is taken back by removing it. Source: DOMAIN 5.
ALLOWED_FROM: dict[DecisionAct, frozenset[SpaceSubscriptionStatus]] = {
    DecisionAct.VALIDATE: frozenset({SpaceSubscriptionStatus.PENDING}),
    DecisionAct.REFUSE: frozenset({SpaceSubscriptionStatus.PENDING}),
    DecisionAct.REMOVE: frozenset({SpaceSubscriptionStatus.PENDING, SpaceSubscriptionStatus.VALIDATED}),
}
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

    def validate(self, by: int, at: datetime) -> None:
        """PENDING becomes VALIDATED.

        Raises:
            RequestAlreadyDecided: when somebody decided first.
            TransitionNotAllowed: when it was taken back.
        """
        self._decide(DecisionAct.VALIDATE, SpaceSubscriptionStatus.VALIDATED, by, at)

    def refuse(self, by: int, reason: str, at: datetime) -> None:
        """PENDING becomes REFUSED, with the reason the requester is told.

        Raises:
            RequestAlreadyDecided, TransitionNotAllowed: as `validate`.
        """
        self._decide(DecisionAct.REFUSE, SpaceSubscriptionStatus.REFUSED, by, at)
        self.refusal_reason, self.ended_at = reason, at

    def remove(self, at: datetime) -> None:
        """PENDING or VALIDATED becomes REMOVED.

        Raises:
            TransitionNotAllowed: from any other status.
        """
        if self.status not in ALLOWED_FROM[DecisionAct.REMOVE]:
            raise TransitionNotAllowed(status=self.status, act=DecisionAct.REMOVE)
        self.status, self.ended_at = SpaceSubscriptionStatus.REMOVED, at

    def _decide(self, act: DecisionAct, status: SpaceSubscriptionStatus, by: int, at: datetime) -> None:
        if self.status is not SpaceSubscriptionStatus.PENDING:
            if self.decided_at is None:
                raise TransitionNotAllowed(status=self.status, act=act)
            raise RequestAlreadyDecided(by=None, at=self.decided_at)
        self.status, self.decided_by_id, self.decided_at = status, by, at


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


# ------------------------------------------------------------------ finding rows to change
async def by_id(subscription_id: int) -> SpaceSubscription | None:
    """The subscription of this id, not locked: to learn which structure must be locked first."""
    return await SpaceSubscription.get_or_none(id=subscription_id)


async def lock(subscription_id: int) -> SpaceSubscription | None:
    """The subscription, held until the transaction ends; its structure's lock is taken before."""
    return await SpaceSubscription.filter(id=subscription_id).select_for_update(no_key=True).get_or_none()


async def live_of(
    user_id: int, structure_id: int, codes: frozenset[SpaceCode] | None = None
) -> dict[SpaceCode, SpaceSubscription]:
    """The person's live subscriptions on the locked structure, to all spaces or those of `codes`, by space."""
    rows = SpaceSubscription.filter(user_id=user_id, structure_id=structure_id, status__in=LIVE)
    rows = rows if codes is None else rows.filter(space__in=codes)
    return {row.space: row for row in await rows.order_by("id")}


async def give(user_id: int, structure_id: int, codes: frozenset[SpaceCode], *, since: date, at: datetime) -> None:
    """Subscribe the person to those of the default spaces they have no live subscription to."""
    missing = codes - set(await live_of(user_id, structure_id))
    await SpaceSubscription.bulk_create(
        [
            SpaceSubscription(
                user_id=user_id, structure_id=structure_id, space=code, mode=SubscriptionMode.WRITE,
                status=SpaceSubscriptionStatus.VALIDATED, effective_from=since, requested_at=at,
            )
            for code in sorted(missing)
        ]
    )  # fmt: skip


async def begin_with(user_id: int, structure_id: int, *, since: date) -> None:
    """Let the spaces given by default begin no later than this day, on which the attachment now does."""
    rows = SpaceSubscription.filter(user_id=user_id, structure_id=structure_id, status__in=LIVE, decided_at=None)
    await rows.filter(space__in=DEFAULTS, effective_from__gt=since).update(effective_from=since)


async def end(
    user_id: int, structure_id: int, *, at: datetime, codes: frozenset[SpaceCode] | None = None
) -> list[SpaceSubscription]:
    """End the person's live subscriptions on the structure, those of `codes` when given; which, as they were before."""
    ending = await live_of(user_id, structure_id, codes)
    rows = SpaceSubscription.filter(id__in=[row.id for row in ending.values()])
    await rows.update(status=SpaceSubscriptionStatus.REMOVED, ended_at=at)
    return list(ending.values())


@database.guarded
async def pending_of(user_id: int) -> list[SpaceSubscription]:
    """The user's requests for spaces that nobody has decided."""
    rows = SpaceSubscription.filter(user_id=user_id, status=SpaceSubscriptionStatus.PENDING)
    return await rows.order_by("id")


async def service_ids_of(subscription_id: int) -> set[int]:
    """The ids of the services the subscription is for."""
    rows = SubscriptionService.filter(subscription_id=subscription_id)
    return set(await rows.values_list("service_id", flat=True))  # type: ignore[arg-type]


async def set_services(subscription: SpaceSubscription, service_ids: set[int]) -> None:
    """Make these, and no others, the services the subscription is for."""
    await SubscriptionService.filter(subscription_id=subscription.id).delete()
    await SubscriptionService.bulk_create(
        [SubscriptionService(subscription=subscription, service_id=id) for id in sorted(service_ids)]
    )


# ------------------------------------------------------------------ reading
_OPEN_BY_NATURE = ", ".join(f"'{code}'" for code in sorted(DEFAULTS))
SPACE_OPEN_SQL = f"(b.space IN ({_OPEN_BY_NATURE}) OR o.id IS NOT NULL)"
IN_EFFECT_SQL = (
    "(b.status = 'VALIDATED' AND b.effective_from <= :today AND s.status = 'ACTIVE'"
    f" AND {SPACE_OPEN_SQL} AND a.id IS NOT NULL AND {attachments.IN_EFFECT_SQL})"
)
_PLAIN = ("id", "user_id", "structure_id", "space", "mode", "status", "comment", "refusal_reason", "decided_by_id")
SUBSCRIPTIONS = Source(
    "space_subscriptions b",
    columns={name: Column(f"b.{name}") for name in _PLAIN}
    | {
        "in_effect": flag(f"CASE WHEN {IN_EFFECT_SQL} THEN TRUE ELSE FALSE END"),
        "structure_active": flag("s.status = 'ACTIVE'"),
        "space_open": flag(SPACE_OPEN_SQL),
        "subscriber_role": Column("a.role"),
        "attached": flag(
            "CASE WHEN a.status = 'VALIDATED' AND (a.valid_until IS NULL OR a.valid_until >= :today)"
            " THEN TRUE ELSE FALSE END"
        ),
        "effective_from": day("b.effective_from"),
        "requested_at": moment("b.requested_at"),
        "decided_at": moment("b.decided_at"),
    },
    joins={
        "u": "JOIN accounts u ON u.id = b.user_id",
        "s": "JOIN structures s ON s.id = b.structure_id",
        "a": "LEFT JOIN attachments a ON a.user_id = b.user_id AND a.structure_id = b.structure_id"
        " AND a.status IN ('PENDING', 'VALIDATED', 'DEACTIVATED')",
        "o": "LEFT JOIN open_spaces o ON o.structure_id = b.structure_id AND o.space = b.space",
    },
)
NEWEST_FIRST = Order(("id",), descending=True)
OLDEST_FIRST = Order(("id",))
MANAGED_BY_VIEWER = attachments.managed_by_viewer("b")
VISIBLE = f"b.user_id = :viewer OR :viewer_is_support OR {MANAGED_BY_VIEWER}"


@dataclass(frozen=True)
class SubscriptionFilter:
    """What a list of subscriptions is narrowed to."""

    statuses: tuple[SpaceSubscriptionStatus, ...] | None = None
    spaces: tuple[SpaceCode, ...] | None = None
    structure_id: int | None = None
    in_effect: bool | None = None

    def conditions(self) -> list[str]:
        """The SQL conditions, over the parameters of `parameters`."""
        effect = {None: None, True: IN_EFFECT_SQL, False: f"CASE WHEN {IN_EFFECT_SQL} THEN FALSE ELSE TRUE END"}
        conditions = [
            "b.status IN :statuses" if self.statuses is not None else None,
            "b.space IN :spaces" if self.spaces is not None else None,
            "b.structure_id = :only_structure" if self.structure_id is not None else None,
            effect[self.in_effect],
        ]
        return [condition for condition in conditions if condition]

    def parameters(self) -> dict[str, object]:
        """The values that the conditions name."""
        return {
            "statuses": [str(status) for status in self.statuses or ()],
            "spaces": [str(space) for space in self.spaces or ()],
            "only_structure": self.structure_id,
        }


async def visible_to(actor: Actor, subscription: SpaceSubscription, today: date) -> bool:
    """Does this subscription exist for the actor: their own, one on a structure they manage now, any for support?"""
    parameters = {**visibility(actor), "today": today, "id": subscription.id}
    return bool(await SUBSCRIPTIONS.read(["id"], ["b.id = :id", VISIBLE], parameters))
