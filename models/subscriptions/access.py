"""Access: may a person use a space of a structure on a day, why, and when the answer changes. Source: DOMAIN 5."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from models.accounts.accounts import AccountState
from models.attachments.attachments import AttachmentStatus
from models.db.query import Column, Source, day, flag
from models.structures.structures import StructureStatus
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SPACE_OPEN_SQL, SpaceSubscriptionStatus


class AccessReason(StrEnum):
    """Why access is given or not."""

    GRANTED = "GRANTED"
    NO_ATTACHMENT = "NO_ATTACHMENT"
    ATTACHMENT_PENDING = "ATTACHMENT_PENDING"
    ATTACHMENT_NOT_STARTED = "ATTACHMENT_NOT_STARTED"
    ATTACHMENT_ENDED = "ATTACHMENT_ENDED"
    ATTACHMENT_DEACTIVATED = "ATTACHMENT_DEACTIVATED"
    NO_SUBSCRIPTION = "NO_SUBSCRIPTION"
    SUBSCRIPTION_PENDING = "SUBSCRIPTION_PENDING"
    SUBSCRIPTION_NOT_STARTED = "SUBSCRIPTION_NOT_STARTED"
    SPACE_NOT_OPEN = "SPACE_NOT_OPEN"
    STRUCTURE_INACTIVE = "STRUCTURE_INACTIVE"
    ACCOUNT_INACTIVE = "ACCOUNT_INACTIVE"


@dataclass(frozen=True)
class Situation:
    """All that an answer depends on, as it stands now; only days make a later answer another one."""

    account: AccountState
    structure: StructureStatus
    space_open: bool
    attachment: AttachmentStatus | None = None
    valid_from: date = date.min
    valid_until: date | None = None
    subscription: SpaceSubscriptionStatus | None = None
    effective_from: date = date.min

    def reason_on(self, day: date) -> AccessReason:
        """Why access is given on the day, or the outermost thing in its way."""
        if self.account is not AccountState.ACTIVE:
            return AccessReason.ACCOUNT_INACTIVE
        if self.structure is not StructureStatus.ACTIVE:
            return AccessReason.STRUCTURE_INACTIVE
        return self._of_attachment(day) or self._of_subscription(day) or AccessReason.GRANTED

    def changes_after(self, day: date) -> date | None:
        """The first later day on which the answer is another one, if nobody acts until then; None when it stays."""
        ends = [self.valid_until + timedelta(days=1)] if self.valid_until and self.valid_until < date.max else []
        turns = sorted(turn for turn in (self.valid_from, self.effective_from, *ends) if turn > day)
        present = self.reason_on(day)
        return next((turn for turn in turns if self.reason_on(turn) is not present), None)

    def _of_attachment(self, day: date) -> AccessReason | None:
        match self.attachment:
            case AttachmentStatus.PENDING:
                return AccessReason.ATTACHMENT_PENDING
            case AttachmentStatus.DEACTIVATED:
                return AccessReason.ATTACHMENT_DEACTIVATED
            case AttachmentStatus.VALIDATED if self.valid_until is not None and self.valid_until < day:
                return AccessReason.ATTACHMENT_ENDED
            case AttachmentStatus.VALIDATED:
                return AccessReason.ATTACHMENT_NOT_STARTED if day < self.valid_from else None
            case _:
                return AccessReason.NO_ATTACHMENT

    def _of_subscription(self, day: date) -> AccessReason | None:
        if not self.space_open:
            return AccessReason.SPACE_NOT_OPEN
        match self.subscription:
            case SpaceSubscriptionStatus.PENDING:
                return AccessReason.SUBSCRIPTION_PENDING
            case SpaceSubscriptionStatus.VALIDATED:
                return AccessReason.SUBSCRIPTION_NOT_STARTED if day < self.effective_from else None
            case _:
                return AccessReason.NO_SUBSCRIPTION


SITUATIONS = Source(
    "structures s",
    columns={
        "id": Column("s.id"),
        "account": Column("u.state"),
        "structure": Column("s.status"),
        "space_open": flag(SPACE_OPEN_SQL.replace("b.space", ":space")),
        "attachment": Column("a.status"),
        "valid_from": day("a.valid_from"),
        "valid_until": day("a.valid_until"),
        "subscription": Column("b.status"),
        "effective_from": day("b.effective_from"),
    },
    joins={
        "u": "JOIN accounts u ON u.id = :user",
        "a": "LEFT JOIN attachments a ON a.user_id = :user AND a.structure_id = s.id"
        " AND a.status IN ('PENDING', 'VALIDATED', 'DEACTIVATED')",
        "b": "LEFT JOIN space_subscriptions b ON b.user_id = :user AND b.structure_id = s.id AND b.space = :space"
        " AND b.status IN ('PENDING', 'VALIDATED')",
        "o": "LEFT JOIN open_spaces o ON o.structure_id = s.id AND o.space = :space",
    },
)


async def situations(user_id: int, structure_ids: Sequence[int], space: SpaceCode) -> dict[int, Situation]:
    """How the person stands to the space on each structure that exists, by structure."""
    rows = await SITUATIONS.read(
        list(SITUATIONS.columns),
        ["s.id IN :structures"],
        {"structures": list(structure_ids), "user": user_id, "space": str(space)},
    )
    return {
        row.id: Situation(
            account=AccountState(row.account),
            structure=StructureStatus(row.structure),
            space_open=row.space_open,
            attachment=AttachmentStatus(row.attachment) if row.attachment else None,
            valid_from=row.valid_from or date.min,
            valid_until=row.valid_until,
            subscription=SpaceSubscriptionStatus(row.subscription) if row.subscription else None,
            effective_from=row.effective_from or date.min,
        )
        for row in rows
    }
