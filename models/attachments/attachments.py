"""Attachments: the link of a user to a structure, what its status allows, who sees it, and how attachments are read."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.accounts.accounts import Account, visibility
from models.accounts.actors import Actor
from models.db import database
from models.db.query import Column, Order, Source, day, flag, moment
from models.errors.errors import Invalid, RequestAlreadyDecided, TransitionNotAllowed
from models.structures.services import Service
from models.structures.structures import Structure


class Role(StrEnum):
    """What an attached person is on the structure."""

    PRINCIPAL_MANAGER = "PRINCIPAL_MANAGER"
    SECONDARY_MANAGER = "SECONDARY_MANAGER"
    SIMPLE_USER = "SIMPLE_USER"


class AttachmentStatus(StrEnum):
    """Where an attachment stands; REFUSED and REMOVED are final."""

    PENDING = "PENDING"
    VALIDATED = "VALIDATED"
    REFUSED = "REFUSED"
    DEACTIVATED = "DEACTIVATED"
    REMOVED = "REMOVED"


class DecisionAct(StrEnum):
    """The acts that change an attachment's status or role."""

    VALIDATE = "VALIDATE"
    REFUSE = "REFUSE"
    WITHDRAW = "WITHDRAW"
    DEACTIVATE = "DEACTIVATE"
    REACTIVATE = "REACTIVATE"
    REMOVE = "REMOVE"
    CHANGE_ROLE = "CHANGE_ROLE"
    TRANSFER = "TRANSFER"


MANAGERS = (Role.PRINCIPAL_MANAGER, Role.SECONDARY_MANAGER)
LIVE = (AttachmentStatus.PENDING, AttachmentStatus.VALIDATED, AttachmentStatus.DEACTIVATED)

# From which status (as people read it, see `status_on`) each act may be taken. Source: DOMAIN 4.
ALLOWED_FROM: dict[DecisionAct, frozenset[AttachmentStatus]] = {
    DecisionAct.VALIDATE: frozenset({AttachmentStatus.PENDING}),
    DecisionAct.REFUSE: frozenset({AttachmentStatus.PENDING}),
    DecisionAct.WITHDRAW: frozenset({AttachmentStatus.PENDING}),
    DecisionAct.DEACTIVATE: frozenset({AttachmentStatus.VALIDATED}),
    DecisionAct.REACTIVATE: frozenset({AttachmentStatus.DEACTIVATED}),
    DecisionAct.REMOVE: frozenset({AttachmentStatus.VALIDATED, AttachmentStatus.DEACTIVATED}),
    DecisionAct.CHANGE_ROLE: frozenset({AttachmentStatus.VALIDATED}),
    DecisionAct.TRANSFER: frozenset({AttachmentStatus.VALIDATED}),
}


class Attachment(Model):
    """One user's attachment to one structure. `status` is stored; `status_on` a day is what people read."""

    id: int = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="attachments"
    )
    user_id: int
    structure: fields.ForeignKeyRelation[Structure] = fields.ForeignKeyField(
        "models.Structure", on_delete=fields.RESTRICT, related_name="attachments"
    )
    structure_id: int
    on_behalf_of: fields.ForeignKeyNullableRelation[Structure] = fields.ForeignKeyField(
        "models.Structure", on_delete=fields.RESTRICT, null=True, related_name="delegated_attachments"
    )
    on_behalf_of_id: int | None
    role = fields.CharEnumField(Role, max_length=20, default=Role.SIMPLE_USER)
    status = fields.CharEnumField(AttachmentStatus, max_length=12, default=AttachmentStatus.PENDING)
    valid_from = fields.DateField()
    valid_until = fields.DateField(null=True)
    comment = fields.CharField(max_length=255, null=True)
    refusal_reason = fields.CharField(max_length=255, null=True)
    requested_at = fields.DatetimeField()
    decided_at = fields.DatetimeField(null=True)
    decided_by: fields.ForeignKeyNullableRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, null=True, related_name="decided_attachments"
    )
    decided_by_id: int | None
    escalated_at = fields.DatetimeField(null=True)
    role_since = fields.DatetimeField(null=True)
    absence_told_at = fields.DatetimeField(null=True)

    class Meta:
        table = "attachments"

    def status_on(self, today: date) -> AttachmentStatus:
        """The status people read: VALIDATED past its end reads as DEACTIVATED at once."""
        if self.status is AttachmentStatus.VALIDATED and self.is_ended(today):
            return AttachmentStatus.DEACTIVATED
        return self.status

    def is_ended(self, today: date) -> bool:
        """Has the last day passed?"""
        return self.valid_until is not None and self.valid_until < today

    def is_valid_on(self, today: date) -> bool:
        """Is it VALIDATED with `today` between its dates? It has effect when, besides, the account is active."""
        return self.status is AttachmentStatus.VALIDATED and self.valid_from <= today and not self.is_ended(today)

    @property
    def is_manager(self) -> bool:
        """Is its role one of the two managers'?"""
        return self.role in MANAGERS

    def validate(self, by: int, at: datetime) -> None:
        """PENDING becomes VALIDATED.

        Raises:
            RequestAlreadyDecided: when somebody decided first.
            TransitionNotAllowed: when it was withdrawn.
        """
        self._decide(DecisionAct.VALIDATE, AttachmentStatus.VALIDATED, by, at)
        self.role_since = at

    def refuse(self, by: int, reason: str, at: datetime) -> None:
        """PENDING becomes REFUSED, with the reason the requester is told.

        Raises:
            RequestAlreadyDecided, TransitionNotAllowed: as `validate`.
        """
        self._decide(DecisionAct.REFUSE, AttachmentStatus.REFUSED, by, at)
        self.refusal_reason = reason

    def withdraw(self) -> None:
        """PENDING becomes REMOVED.

        Raises:
            TransitionNotAllowed: when it isn't waiting any more.
        """
        if self.status is not AttachmentStatus.PENDING:
            raise TransitionNotAllowed(status=self.status, act=DecisionAct.WITHDRAW)
        self.status = AttachmentStatus.REMOVED

    def deactivate(self, today: date) -> None:
        """VALIDATED becomes DEACTIVATED.

        Raises:
            TransitionNotAllowed: from any other status, that of a past end included.
        """
        self.must_allow(DecisionAct.DEACTIVATE, today)
        self.status = AttachmentStatus.DEACTIVATED

    def reactivate(self, today: date) -> None:
        """DEACTIVATED becomes VALIDATED; the dates stay, so one that has ended needs its end moved instead.

        Raises:
            TransitionNotAllowed: from any other status.
            Invalid: when its end has passed.
        """
        self.must_allow(DecisionAct.REACTIVATE, today)
        if self.is_ended(today):
            raise Invalid(rule="ended")
        self.status = AttachmentStatus.VALIDATED

    def remove(self, today: date) -> None:
        """VALIDATED or DEACTIVATED becomes REMOVED.

        Raises:
            TransitionNotAllowed: from any other status.
        """
        self.must_allow(DecisionAct.REMOVE, today)
        self.status = AttachmentStatus.REMOVED

    def become(self, role: Role, today: date, at: datetime) -> None:
        """Take another role; the principal management has no end, so taking it clears the end date.

        Raises:
            TransitionNotAllowed: when it is not VALIDATED.
        """
        self.must_allow(DecisionAct.CHANGE_ROLE, today)
        self.role, self.role_since, self.absence_told_at = role, at, None
        if role is Role.PRINCIPAL_MANAGER:
            self.valid_until = None

    def must_allow(self, act: DecisionAct, today: date) -> None:
        """Refuse an act that the status people read today doesn't allow.

        Raises:
            TransitionNotAllowed: when `act` isn't in the table for it.
        """
        status = self.status_on(today)
        if status not in ALLOWED_FROM[act]:
            raise TransitionNotAllowed(status=status, act=act)

    def _decide(self, act: DecisionAct, status: AttachmentStatus, by: int, at: datetime) -> None:
        if self.status is not AttachmentStatus.PENDING:
            if self.decided_at is None:
                raise TransitionNotAllowed(status=self.status, act=act)
            raise RequestAlreadyDecided(by=None, at=self.decided_at)
        self.status, self.decided_by_id, self.decided_at = status, by, at


class AttachmentService(Model):
    """A service that an attachment entitles its user to."""

    id: int = fields.BigIntField(primary_key=True)
    attachment: fields.ForeignKeyRelation[Attachment] = fields.ForeignKeyField(
        "models.Attachment", on_delete=fields.CASCADE
    )
    attachment_id: int
    service: fields.ForeignKeyRelation[Service] = fields.ForeignKeyField("models.Service", on_delete=fields.RESTRICT)
    service_id: int

    class Meta:
        table = "attachment_services"


# ------------------------------------------------------------------ finding rows to change
async def by_id(attachment_id: int) -> Attachment | None:
    """The attachment of this id, not locked: to learn which structure must be locked first."""
    return await Attachment.get_or_none(id=attachment_id)


async def lock(attachment_id: int) -> Attachment | None:
    """The attachment, held until the transaction ends; its structure's lock is taken before."""
    return await Attachment.filter(id=attachment_id).select_for_update(no_key=True).get_or_none()


async def lock_live(user_id: int, structure_id: int) -> Attachment | None:
    """The user's live attachment to the structure, held until the transaction ends."""
    rows = Attachment.filter(user_id=user_id, structure_id=structure_id, status__in=LIVE)
    return await rows.select_for_update(no_key=True).get_or_none()


async def live_of(user_id: int, structure_id: int) -> Attachment | None:
    """The user's live attachment to the structure, not locked."""
    return await Attachment.get_or_none(user_id=user_id, structure_id=structure_id, status__in=LIVE)


async def principal_of(structure_id: int) -> Attachment | None:
    """The principal manager's attachment, with its account; None while nobody manages the structure."""
    rows = Attachment.filter(structure_id=structure_id, role=Role.PRINCIPAL_MANAGER, status=AttachmentStatus.VALIDATED)
    return await rows.prefetch_related("user").get_or_none()


async def principals_of(structure_ids: list[int]) -> dict[int, int]:
    """The user in each structure's principal management, by structure."""
    rows = await ATTACHMENTS.read(
        ["structure_id", "user_id"],
        ["a.structure_id IN :structures", "a.role = 'PRINCIPAL_MANAGER'", "a.status = 'VALIDATED'"],
        {"structures": structure_ids},
    )
    return {row.structure_id: row.user_id for row in rows}


async def managers_of(structure_id: int, today: date) -> list[Attachment]:
    """The managers' attachments whose dates hold today, each with its account."""
    rows = Attachment.filter(structure_id=structure_id, role__in=MANAGERS, status=AttachmentStatus.VALIDATED)
    return [row for row in await rows.prefetch_related("user").order_by("id") if row.is_valid_on(today)]


async def valid_in(structure_id: int, today: date) -> list[Attachment]:
    """All attachments of the structure whose dates hold today, each with its account."""
    rows = Attachment.filter(structure_id=structure_id, status=AttachmentStatus.VALIDATED)
    return [row for row in await rows.prefetch_related("user").order_by("id") if row.is_valid_on(today)]


async def people_of(structure_id: int) -> set[int]:
    """Whoever is attached to the structure, in effect or not, or waits to be."""
    rows = await Attachment.filter(structure_id=structure_id, status__in=LIVE).values_list("user_id", flat=True)
    return set(rows)  # type: ignore[arg-type]


async def roles_of(user_id: int, today: date) -> dict[int, Role]:
    """The user's roles by structure, of the attachments in effect today."""
    rows = await ATTACHMENTS.read(
        ["structure_id", "role"],
        ["a.user_id = :user", IN_EFFECT_SQL],
        {"user": user_id, "today": today},
    )
    return {row.structure_id: Role(row.role) for row in rows}


@database.guarded
async def any_live(user_id: int, structure_ids: list[int]) -> bool:
    """Has the user a live attachment to any of the structures?"""
    return await Attachment.filter(user_id=user_id, structure_id__in=structure_ids, status__in=LIVE).exists()


@database.guarded
async def principal_attachments_of(user_id: int) -> list[Attachment]:
    """The attachments by which the user is a principal manager."""
    rows = Attachment.filter(user_id=user_id, role=Role.PRINCIPAL_MANAGER, status=AttachmentStatus.VALIDATED)
    return await rows.order_by("structure_id")


@database.guarded
async def pending_of(user_id: int) -> list[Attachment]:
    """The user's requests that nobody has decided."""
    return await Attachment.filter(user_id=user_id, status=AttachmentStatus.PENDING).order_by("id")


async def service_ids_of(attachment_id: int) -> set[int]:
    """The ids of the services the attachment entitles to."""
    return set(await AttachmentService.filter(attachment_id=attachment_id).values_list("service_id", flat=True))  # type: ignore[arg-type]


async def set_services(attachment: Attachment, service_ids: set[int]) -> None:
    """Make these, and no others, the services the attachment entitles to."""
    present = await service_ids_of(attachment.id)
    await AttachmentService.filter(attachment_id=attachment.id, service_id__in=present - service_ids).delete()
    added = sorted(service_ids - present)
    await AttachmentService.bulk_create([AttachmentService(attachment=attachment, service_id=id) for id in added])


# ------------------------------------------------------------------ reading
STATUS_SQL = "CASE WHEN a.status = 'VALIDATED' AND a.valid_until < :today THEN 'DEACTIVATED' ELSE a.status END"
IN_EFFECT_SQL = (
    "(a.status = 'VALIDATED' AND a.valid_from <= :today AND (a.valid_until IS NULL OR a.valid_until >= :today)"
    " AND u.state = 'ACTIVE')"
)
# What people read as in effect: on a structure that has ended nobody exercises rights, but for a manager to revive it.
GIVES_RIGHTS_SQL = f"({IN_EFFECT_SQL} AND s.status = 'ACTIVE')"
_PLAIN = ("id", "user_id", "structure_id", "on_behalf_of_id", "role", "comment", "refusal_reason", "decided_by_id")
ATTACHMENTS = Source(
    "attachments a",
    columns={name: Column(f"a.{name}") for name in _PLAIN}
    | {
        "status": Column(STATUS_SQL),
        "in_effect": flag(IN_EFFECT_SQL),
        "gives_rights": flag(GIVES_RIGHTS_SQL),
        "structure_active": flag("s.status = 'ACTIVE'"),
        "valid_from": day("a.valid_from"),
        "valid_until": day("a.valid_until"),
        "requested_at": moment("a.requested_at"),
        "decided_at": moment("a.decided_at"),
        "escalated_at": moment("a.escalated_at"),
    },
    joins={"u": "JOIN accounts u ON u.id = a.user_id", "s": "JOIN structures s ON s.id = a.structure_id"},
)
NEWEST_FIRST = Order(("id",), descending=True)
OLDEST_FIRST = Order(("id",))


@dataclass(frozen=True)
class AttachmentFilter:
    """What a list of attachments is narrowed to; statuses as people read them today."""

    statuses: tuple[AttachmentStatus, ...] | None = None
    roles: tuple[Role, ...] | None = None
    in_effect: bool | None = None
    structure_id: int | None = None

    def conditions(self) -> list[str]:
        """The SQL conditions, over the parameters of `parameters`."""
        effect = {None: None, True: GIVES_RIGHTS_SQL, False: f"NOT {GIVES_RIGHTS_SQL}"}[self.in_effect]
        conditions = [
            f"({STATUS_SQL}) IN :statuses" if self.statuses is not None else None,
            "a.role IN :roles" if self.roles is not None else None,
            "a.structure_id = :only_structure" if self.structure_id is not None else None,
            effect,
        ]
        return [condition for condition in conditions if condition]

    def parameters(self) -> dict[str, object]:
        """The values that the conditions name."""
        return {
            "statuses": [str(status) for status in self.statuses or ()],
            "roles": [str(role) for role in self.roles or ()],
            "only_structure": self.structure_id,
        }


# A viewer's right over a structure's attachments: an attachment of theirs, as a manager, in effect. The session
# guarantees that the viewer's account is active. Source: DOMAIN 4.
MANAGES = (
    "mine.role <> 'SIMPLE_USER' AND mine.status = 'VALIDATED' AND mine.valid_from <= :today"
    " AND (mine.valid_until IS NULL OR mine.valid_until >= :today)"
)


def managed_by_viewer(alias: str) -> str:
    """The condition that the viewer manages the structure of the row of this alias."""
    managed = f"SELECT mine.structure_id FROM attachments mine WHERE mine.user_id = :viewer AND {MANAGES}"
    return f"{alias}.structure_id IN ({managed})"


MANAGED_BY_VIEWER = managed_by_viewer("a")
VISIBLE = f"a.user_id = :viewer OR :viewer_is_support OR {MANAGED_BY_VIEWER}"
LIVE_SQL = "a.status IN ('PENDING', 'VALIDATED', 'DEACTIVATED')"


async def visible_to(actor: Actor, attachment: Attachment, today: date) -> bool:
    """Does this attachment exist for the actor: their own, one of a structure they manage now, or any for support?"""
    parameters = {**visibility(actor), "today": today, "id": attachment.id}
    return bool(await ATTACHMENTS.read(["id"], ["a.id = :id", VISIBLE], parameters))
