"""In effect, written twice, in Python for one answer and in SQL for lists, is the same on every combination.

The grid has subscriptions, attachments, accounts, structures and spaces of each kind, with each first and last day
around today.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import product

from models.accounts.accounts import AccountState
from models.attachments.attachments import Attachment, AttachmentStatus
from models.structures.structures import Structure, StructureStatus
from models.subscriptions import access
from models.subscriptions.access import AccessReason
from models.subscriptions.spaces import OpenSpace, SpaceCode
from models.subscriptions.subscriptions import SUBSCRIPTIONS, SpaceSubscription, SpaceSubscriptionStatus
from tests.support import factories

NOW = datetime(2027, 3, 15, 9, tzinfo=UTC)
TODAY = NOW.date()
DAY = timedelta(days=1)
DAYS = (TODAY - DAY, TODAY, TODAY + DAY)
VALIDATED, PENDING, DEACTIVATED = AttachmentStatus.VALIDATED, AttachmentStatus.PENDING, AttachmentStatus.DEACTIVATED
SPACES = ((SpaceCode.COMMITMENTS, True), (SpaceCode.COMMITMENTS, False), (SpaceCode.INVOICES_ISSUED, False))
Tie = tuple[AttachmentStatus, date, date | None]
TIES: list[Tie | None] = [
    None,
    (PENDING, TODAY, None),
    (DEACTIVATED, TODAY, None),
    *((VALIDATED, first, last) for first, last in product(DAYS, (None, *DAYS)) if last is None or last >= first),
]


async def test_in_effect_and_attached(db: str) -> None:
    people = [await factories.person(), await factories.person(state=AccountState.SUSPENDED)]
    statuses = (SpaceSubscriptionStatus.VALIDATED, SpaceSubscriptionStatus.PENDING)
    cells = list(product(statuses, DAYS, TIES, people, (StructureStatus.ACTIVE, StructureStatus.INACTIVE), SPACES))
    made = await factories.structure()
    plain = {name: getattr(made, name) for name in made._meta.db_fields if name not in ("id", "identifier", "status")}
    await Structure.bulk_create(
        [Structure(**plain, identifier=f"GRID-{number}", status=cell[4]) for number, cell in enumerate(cells)]
    )
    structures = await Structure.filter(identifier__startswith="GRID-").order_by("id")
    attached, subscribed, opened = [], [], []
    for structure, (status, since, tie, user, _, (space, is_open)) in zip(structures, cells, strict=True):
        decided_at = NOW if status is SpaceSubscriptionStatus.VALIDATED else None
        subscribed.append(
            SpaceSubscription(
                user=user, structure=structure, space=space, status=status, effective_from=since, requested_at=NOW,
                decided_at=decided_at,
            )
        )  # fmt: skip
        if tie is not None:
            stage, first, last = tie
            attached.append(
                Attachment(
                    user=user, structure=structure, status=stage, valid_from=first, valid_until=last, requested_at=NOW,
                    decided_at=None if stage is PENDING else NOW,
                )
            )  # fmt: skip
        if is_open:
            opened.append(OpenSpace(structure=structure, space=space))
    await Attachment.bulk_create(attached)
    await SpaceSubscription.bulk_create(subscribed)
    await OpenSpace.bulk_create(opened)

    ids = [structure.id for structure in structures]
    found = {
        (user.id, space): await access.situations(user.id, ids, space)
        for user, space in product(people, {space for space, _ in SPACES})
    }
    in_effect, valid = {}, {row.structure_id: row.status_on(TODAY) is VALIDATED for row in attached}
    for structure, (_, _, _, user, _, (space, _)) in zip(structures, cells, strict=True):
        reason = found[user.id, space][structure.id].reason_on(TODAY)
        in_effect[structure.id] = reason is AccessReason.GRANTED
    rows = await SUBSCRIPTIONS.read(["structure_id", "in_effect", "attached"], [], {"today": TODAY})
    assert {row.structure_id: row.in_effect for row in rows} == in_effect
    assert {row.structure_id: row.attached for row in rows} == {id: valid.get(id, False) for id in ids}
    assert 0 < sum(in_effect.values()) < len(ids)
