"""Nobody floods others: attaching, asking and naming contact addresses are limited by the hour."""

from collections.abc import Callable
from datetime import date

from models.accounts import throttle
from models.accounts.accounts import Account
from models.accounts.throttle import Throttle
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.errors.errors import TooManyMails
from models.mail.outbox import Mail
from models.structures.structures import Structure
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SpaceSubscription, SpaceSubscriptionStatus
from resolvers import mail_limits
from resolvers.accounts import profiles
from resolvers.attachments import attach_user, requests
from resolvers.attachments.attach_user import NewAttachment
from resolvers.attachments.requests import NewRequest
from resolvers.bulk import Outcome
from resolvers.scope import Scope
from resolvers.subscriptions import space_requests
from resolvers.subscriptions.terms import Terms
from tests.conftest import Clock
from tests.resolvers.support.answers import told
from tests.resolvers.support.mailbox import refused
from tests.support import factories

Scopes = Callable[..., Scope]
TODAY = date(2027, 3, 15)


async def give(scope: Scope, structure: Structure, user: Account) -> None:
    await attach_user.attach(scope, NewAttachment(structure.id, user.login_email, Role.SIMPLE_USER, TODAY))


async def ask(scope: Scope, structure: Structure) -> list[Outcome]:
    return await requests.request(scope, [NewRequest(structure.id, TODAY)])


async def used_up(kind: str, subject: str, at: Clock) -> None:
    """As though all of the hour's were sent, and one was left."""
    key = throttle.key_of(kind, subject)
    await Throttle.create(key=key, tries=mail_limits.SENT_AN_HOUR - 1, began_at=at.now, last_try_at=at.now)


async def test_person_is_attached_by_strangers_ten_times_an_hour(db: str, scope_of: Scopes, clock: Clock) -> None:
    victim = await factories.person()
    for _ in range(mail_limits.RECEIVED_AN_HOUR):
        boss = await factories.person()
        await give(scope_of(boss), await factories.structure(boss), victim)
    boss = await factories.person()
    structure = await factories.structure(boss)
    async with refused((TooManyMails, "login_email")):
        await give(scope_of(boss), structure, victim)
    assert await Attachment.filter(user=victim).count() == await Mail.all().count() == mail_limits.RECEIVED_AN_HOUR
    clock.advance(hours=1)
    await give(scope_of(boss), structure, victim)


async def test_manager_attaches_a_hundred_people_an_hour(db: str, scope_of: Scopes, clock: Clock) -> None:
    boss = await factories.person()
    structure = await factories.structure(boss)
    await used_up("sent attachment", str(boss.id), clock)
    await give(scope_of(boss), structure, await factories.person())
    async with refused((TooManyMails, "login_email")):
        await give(scope_of(boss), structure, await factories.person())


async def test_person_asks_one_structure_ten_times_an_hour(db: str, scope_of: Scopes, clock: Clock) -> None:
    person, structure = await factories.person(), await factories.structure(await factories.person())
    for _ in range(mail_limits.RECEIVED_AN_HOUR):
        assert told(await ask(scope_of(person), structure)) == [[]]
        await Attachment.filter(user=person).update(status=AttachmentStatus.REMOVED)
    before = await factories.traces()
    assert told(await ask(scope_of(person), structure)) == [[(TooManyMails, "requests", "0", "structure_id")]]
    assert await factories.traces() == before
    assert await Attachment.filter(user=person).count() == mail_limits.RECEIVED_AN_HOUR
    assert told(await ask(scope_of(await factories.person()), structure)) == [[]]  # others may


async def test_person_asks_a_hundred_structures_an_hour(db: str, scope_of: Scopes, clock: Clock) -> None:
    person = await factories.person()
    await used_up("sent request", str(person.id), clock)
    assert told(await ask(scope_of(person), await factories.structure())) == [[]]
    refusal = [[(TooManyMails, "requests", "0", "structure_id")]]
    assert told(await ask(scope_of(person), await factories.structure())) == refusal


async def test_person_asks_one_structure_for_spaces_thirty_times_an_hour(
    db: str, scope_of: Scopes, clock: Clock
) -> None:
    person, structure = await factories.person(), await factories.structure(await factories.person())
    await factories.attachment(person, structure)
    asked = [Terms(structure.id, SpaceCode.INVOICES_ISSUED, TODAY)]
    key = throttle.key_of("received space", f"{person.id} {structure.id}")
    await Throttle.create(key=key, tries=mail_limits.SPACES_AN_HOUR - 1, began_at=clock.now, last_try_at=clock.now)
    assert told(await space_requests.request(scope_of(person), asked)) == [[]]
    await SpaceSubscription.all().update(status=SpaceSubscriptionStatus.REMOVED)
    before = await factories.traces()
    refusal = [[(TooManyMails, "requests", "0", "structure_id")]]
    assert told(await space_requests.request(scope_of(person), asked)) == refusal
    assert await factories.traces() == before


async def test_person_names_five_contact_addresses_an_hour(db: str, scope_of: Scopes, clock: Clock) -> None:
    scope = scope_of(await factories.person())
    for number in range(mail_limits.CONTACT_ADDRESSES_AN_HOUR):
        await profiles.update(scope, {"contact_email": f"stranger{number}@elsewhere.example"})
    async with refused((TooManyMails, "contact_email")):
        await profiles.update(scope, {"contact_email": "one-more@elsewhere.example"})
    assert await Mail.all().count() == mail_limits.CONTACT_ADDRESSES_AN_HOUR
    clock.advance(hours=1)
    await profiles.update(scope, {"contact_email": "one-more@elsewhere.example"})
