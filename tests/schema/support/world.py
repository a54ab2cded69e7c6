"""The world that the rights matrix asks in: one structure with everybody a right can depend on, and what happens there."""

from dataclasses import dataclass
from datetime import UTC, datetime

from models.accounts.accounts import Account, AccountState
from models.accounts.actors import PlatformRole
from models.activities.activities import Activity
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.attachments.offers import PrincipalManagerOffer
from models.documents.documents import Document
from models.events import events
from models.structures.services import Service
from models.structures.structures import Structure
from models.subscriptions.spaces import OpenSpace, SpaceCode
from models.subscriptions.subscriptions import SpaceSubscription, SpaceSubscriptionStatus
from schema.base import ids
from tests.support import factories

VIEWERS = ("anonymous", "stranger", "simple", "secondary", "principal", "support")


@dataclass
class World:
    """One structure with everybody in it that a right can depend on."""

    viewers: dict[str, Account | None]
    structure: Structure
    vacant: Structure
    service: Service
    tim: Attachment  # a simple user, validated
    dan: Attachment  # a simple user, deactivated
    rex: Attachment  # a request nobody decided
    wes: SpaceSubscription  # a simple user's space
    ask: SpaceSubscription  # a request for a space that nobody decided
    old: Attachment  # a request nobody decided for more than a year
    pat: Account  # attached, waits for activation
    sly: Account  # suspended
    fay: Account  # not attached anywhere
    lost: Structure  # whose principal manager is suspended; the secondary manager is the world's
    alone: Structure  # whose principal manager is suspended, with nobody else
    offer: PrincipalManagerOffer  # of the world's seat, to the simple user
    activity: Activity  # of the whole structure, asks to be acknowledged
    document: Document  # of the simple user

    def id(self, thing: Account | Structure | Attachment | Service | SpaceSubscription | Activity | Document) -> str:
        name = "User" if isinstance(thing, Account) else type(thing).__name__
        return ids.encode(name, thing.id)

    @property
    def offer_id(self) -> str:
        return ids.encode("PrincipalManagerOffer", self.offer.id)


async def forsaken(secondary: Account | None = None) -> Structure:
    """A structure whose principal manager is suspended, with the secondary manager when one is given."""
    structure = await factories.structure(await factories.person(state=AccountState.SUSPENDED))
    if secondary is not None:
        await factories.attachment(secondary, structure, role=Role.SECONDARY_MANAGER)
    return structure


async def attached(structure: Structure) -> Account:
    """One more simple user of the structure."""
    person = await factories.person()
    await factories.attachment(person, structure)
    return person


async def build() -> World:
    """The world, made straight in the tables."""
    people = {name: await factories.person(first_name=name.capitalize()) for name in VIEWERS[1:5]}
    support = await factories.person(platform_role=PlatformRole.SUPPORT)
    structure = await factories.structure(people["principal"])
    await OpenSpace.create(structure=structure, space=SpaceCode.WORKS_INVOICES)
    await factories.attachment(people["secondary"], structure, role=Role.SECONDARY_MANAGER)
    await factories.attachment(people["simple"], structure)
    pat = await factories.person(state=AccountState.PENDING_ACTIVATION, password_hash=None)
    await factories.attachment(pat, structure)
    return World(
        viewers={"anonymous": None, **people, "support": support},
        structure=structure,
        vacant=await factories.structure(),
        service=await Service.create(structure=structure, code="S1", name="Service"),
        tim=await factories.attachment(await factories.person(), structure),
        dan=await factories.attachment(await factories.person(), structure, status=AttachmentStatus.DEACTIVATED),
        rex=await factories.attachment(await factories.person(), structure, status=AttachmentStatus.PENDING),
        wes=await factories.subscription(await attached(structure), structure, SpaceCode.WORKS_INVOICES),
        ask=await factories.subscription(
            await attached(structure), structure, SpaceCode.WORKS_INVOICES, status=SpaceSubscriptionStatus.PENDING
        ),
        old=await factories.attachment(await factories.person(), structure, status=AttachmentStatus.PENDING),
        lost=await forsaken(people["secondary"]),
        alone=await forsaken(),
        offer=await PrincipalManagerOffer.create(
            structure=structure,
            holder=people["principal"],
            successor=people["simple"],
            offered_at=factories.LONG_AGO,
            expires_at=datetime(2028, 1, 1, tzinfo=UTC),
        ),
        pat=pat,
        sly=await factories.person(state=AccountState.SUSPENDED),
        fay=await factories.person(login_email="fay@people.example"),
        activity=await factories.activity(structure, await factories.integration(), requires_acknowledgement=True),
        document=await factories.document(people["simple"]),
    )


async def happen(world: World, at: datetime) -> None:
    """One change for each stream: in the structure, and of the principal manager's account."""
    principal, structure = world.viewers["principal"], world.structure
    assert principal is not None
    tim, wes = world.tim, world.wes
    now, then = {"status": "VALIDATED", "role": "SIMPLE_USER"}, {"status": "PENDING", "role": "SIMPLE_USER"}
    places = {"structure_id": structure.id, "before": then, "after": now}
    await events.append(
        events.AttachmentValidated(subject_id=tim.user_id, attachment_id=tim.id, **places),
        events.SpaceSubscriptionValidated(subject_id=wes.user_id, subscription_id=wes.id, **places),
        events.ActivityRecorded(structure_id=structure.id, activity_id=world.activity.id),
        events.AccountReactivated(subject_id=principal.id, before={"state": "DEACTIVATED"}, after={"state": "ACTIVE"}),
        actor_id=None,
        at=at,
    )
